# SPDX-License-Identifier: Apache-2.0
"""Unit tests of the settings and of what is said about bad ones."""
