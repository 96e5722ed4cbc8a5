# SPDX-License-Identifier: Apache-2.0
"""The client's own error codes under names that can be imported.

Owns nothing but the names: the client marks its local codes (as against the broker's) by a leading underscore.
"""

from __future__ import annotations

from confluent_kafka import KafkaError

ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001  the client's public spelling
AUTHENTICATION = KafkaError._AUTHENTICATION  # noqa: SLF001  the client's public spelling
AUTO_OFFSET_RESET = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001  the client's public spelling
FAIL = KafkaError._FAIL  # noqa: SLF001  the client's public spelling
FATAL = KafkaError._FATAL  # noqa: SLF001  the client's public spelling
PARTITION_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001  the client's public spelling
TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001  the client's public spelling
TRANSPORT = KafkaError._TRANSPORT  # noqa: SLF001  the client's public spelling
UNSUPPORTED_FEATURE = KafkaError._UNSUPPORTED_FEATURE  # noqa: SLF001  the client's public spelling
UNKNOWN_TOPIC = KafkaError._UNKNOWN_TOPIC  # noqa: SLF001  the client's public spelling
