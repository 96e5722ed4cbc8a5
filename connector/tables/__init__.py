# SPDX-License-Identifier: Apache-2.0
"""Global tables: compacted topics that every replica follows."""
