# SPDX-License-Identifier: Apache-2.0
"""Concurrency and flow, on ports only."""
