# SPDX-License-Identifier: Apache-2.0
"""What is known of orders, for people who ask. Changes nothing: no group is joined, nothing is written or told."""
