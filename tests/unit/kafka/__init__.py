# SPDX-License-Identifier: Apache-2.0
"""What the Kafka adapters decide by themselves, without a broker."""
