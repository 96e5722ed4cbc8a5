# SPDX-License-Identifier: Apache-2.0
"""The sandbox's rules, without its wire."""
