# SPDX-License-Identifier: Apache-2.0
"""Button's Order API over HTTP."""
