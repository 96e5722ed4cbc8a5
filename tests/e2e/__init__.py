# SPDX-License-Identifier: Apache-2.0
"""The connector as real processes."""
