# SPDX-License-Identifier: Apache-2.0
"""Wire formats and Avro decoding."""
