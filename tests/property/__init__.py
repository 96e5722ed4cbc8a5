# SPDX-License-Identifier: Apache-2.0
"""Rules checked on generated input."""
