# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: side by side in one run, on real parts, never as timed tests."""
