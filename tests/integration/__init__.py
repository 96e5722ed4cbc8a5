# SPDX-License-Identifier: Apache-2.0
"""The adapters against the real systems: Kafka, HTTP servers."""
