# SPDX-License-Identifier: Apache-2.0
"""Logs, metrics and health."""
