# SPDX-License-Identifier: Apache-2.0
"""Logs, metrics and health: what the connector shows of itself. Decides nothing about orders."""
