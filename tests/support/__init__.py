# SPDX-License-Identifier: Apache-2.0
"""What tests share: a real Kafka, waiting for conditions, strictness of a run."""
