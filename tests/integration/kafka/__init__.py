# SPDX-License-Identifier: Apache-2.0
"""The Kafka adapters against a real broker."""
