# SPDX-License-Identifier: Apache-2.0
"""The demo's hand on Kafka: writes the shop's events, reads everything back.

Owns the producer and the consumers of the demo. Never joins the connector's group: its offsets are only looked at.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.cimpl import KafkaError
from fastavro.schema import fingerprint, to_parsing_canonical_form

from connector.avro.schemas import load_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector.demo.shop import Event, Message

EVENTS = "commerce-events"
SESSIONS = "session-attribution"
DEAD_LETTERS = "button-connector-dead-letters"
LEDGER = "button-connector-orders"
PARTITIONS = {EVENTS: 4, SESSIONS: 2, DEAD_LETTERS: 1, LEDGER: 4}

_REQUEST_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
_COORDINATOR_MOVES = frozenset(
    (
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    ),
)
_HEADER_BYTES = 10
_NO_CHATTER = 2


class Record(NamedTuple):
    """A record as it was read back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


class Codec:
    """Avro's single-object encoding with one of the bundled schemas, by fastavro alone."""

    def __init__(self, name: str) -> None:
        """Take the schema's name."""
        schema = load_schema(name)
        # fastavro writes the fingerprint's hex digits in the order in which the encoding has the bytes.
        self._header = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
        self._schema = fastavro.parse_schema(schema)

    def encode(self, event: Event) -> bytes:
        """Return the event as a record's value."""
        out = io.BytesIO(self._header)
        out.seek(0, io.SEEK_END)
        fastavro.schemaless_writer(out, self._schema, event)
        return out.getvalue()

    def decode(self, value: bytes) -> Event | None:
        """Return the event, or ``None`` if the value is none."""
        if not value.startswith(self._header):
            return None
        try:
            event: Any = fastavro.schemaless_reader(io.BytesIO(value[_HEADER_BYTES:]), self._schema, None)
        except (EOFError, IndexError, ValueError, StopIteration):
            return None
        return dict(event)


class Writer:
    """Writes sessions and events."""

    def __init__(self, bootstrap_servers: str) -> None:
        """Connect."""
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "linger.ms": 5,
                "enable.idempotence": True,
                "log_level": _NO_CHATTER,
            },
        )
        self._events = Codec("commerce_event")
        self._sessions = Codec("session_attribution")

    def write_session(self, session: Event) -> None:
        """Write an attribution token."""
        self._producer.produce(SESSIONS, self._sessions.encode(session), session["session_uuid"])

    def write_message(self, message: Message) -> None:
        """Write a commerce event, or what is left of it."""
        value = self._events.encode(message.event)
        if message.is_cut:
            value = value[: len(value) // 2]
        self._producer.produce(EVENTS, value, message.key)
        self._producer.poll(0)

    def flush(self) -> None:
        """Return when everything that was written is in Kafka."""
        left = self._producer.flush(_REQUEST_SECONDS)
        if left:
            message = f"{left} records could not be written to Kafka within {_REQUEST_SECONDS:g} s"
            raise TimeoutError(message)


def read_all(bootstrap_servers: str, topics: Mapping[str, int]) -> list[Record]:
    """Return every record that the topics hold now, a partition's records in order; topics map to their partitions."""
    consumer = Consumer(_options(bootstrap_servers, "demo-reader"))
    partitions = [
        TopicPartition(topic, partition, OFFSET_BEGINNING)
        for topic, count in topics.items()
        for partition in range(count)
    ]
    try:
        consumer.assign(partitions)
        return list(_until_the_end(consumer, len(partitions)))
    finally:
        consumer.close()


def _until_the_end(consumer: Consumer, partitions: int) -> Iterator[Record]:
    deadline = time.monotonic() + _REQUEST_SECONDS
    while partitions:
        message = consumer.poll(0.2)
        if message is None:
            if time.monotonic() > deadline:
                text = f"{partitions} partitions could not be read to their end within {_REQUEST_SECONDS:g} s"
                raise TimeoutError(text)
            continue
        error = message.error()
        if error is None:
            topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
            yield Record(topic, partition, offset, _bytes(message.key()), _bytes(message.value()), _texts(message))
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the library's public codes start like that
            partitions -= 1
        else:
            raise KafkaException(error)


class GroupOffsets:
    """Looks at what a group has committed of a topic, without being a member."""

    def __init__(self, bootstrap_servers: str, group_id: str, topic: str, partitions: int) -> None:
        """Connect."""
        self._consumer = Consumer(_options(bootstrap_servers, group_id))
        self._partitions = [TopicPartition(topic, partition) for partition in range(partitions)]

    def committed(self) -> dict[int, int]:
        """Return the committed offset by partition; 0 where nothing was committed yet."""
        deadline = time.monotonic() + _REQUEST_SECONDS
        while True:
            try:
                answer = self._consumer.committed(self._partitions, timeout=_REQUEST_SECONDS)
            except KafkaException as exception:
                if exception.args[0].code() not in _COORDINATOR_MOVES or time.monotonic() > deadline:
                    raise
                self._consumer.poll(_AGAIN_SECONDS)  # which looks for the coordinator meanwhile
            else:
                return {each.partition: max(0, each.offset) for each in answer}

    def ends(self) -> dict[int, int]:
        """Return the end offset by partition."""
        return {
            each.partition: self._consumer.get_watermark_offsets(each, timeout=_REQUEST_SECONDS)[1]
            for each in self._partitions
        }

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def _options(bootstrap_servers: str, group_id: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap_servers,
        "group.id": group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "log_level": _NO_CHATTER,
        "auto.offset.reset": "earliest",
    }


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _texts(message: Any) -> dict[str, str]:  # noqa: ANN401  the library's stubs do not say what headers are
    return {name: (value or b"").decode() for name, value in message.headers() or ()}
