# SPDX-License-Identifier: Apache-2.0
"""The rules, pure: no I/O, no clock, no library of the outside."""
