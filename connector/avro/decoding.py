# SPDX-License-Identifier: Apache-2.0
"""From a record's value to its commerce events.

Owns the engine's ``Decoder`` port and the choice between the two wire formats, which may lie side by side in one topic:
the first byte tells them apart. A value is read by the schema that it was written with; everything that depends on
that schema alone was decided when the schema became known. Never raises for what a producer wrote.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from connector.avro.schemas import all_versions
from connector.avro.wire import (
    CONFLUENT_HEADER_BYTES,
    CONFLUENT_MARKER,
    SINGLE_OBJECT_HEADER_BYTES,
    single_object_header,
    unknown_header,
)
from connector.avro.writers import NOTHING_ELSEWHERE, Elsewhere, Writer, bind_writer, decode_events
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.avro.registered import RegisteredWriters
    from connector.domain.events import CommerceEvent
    from connector.engine.ports import Preparation, RawRecord

EVENT_SCHEMAS = ("commerce_event", "commerce_event_batch")


class AvroDecoder:
    """Decodes values in Avro's single-object encoding and, given a registry, in Confluent's wire format.

    ``schemas`` are those that a value in single-object encoding may have been written with, by default the connector's
    own, replaced versions included. ``registered`` are those of a registry. ``elsewhere`` says what events are given
    besides their own fields.
    """

    def __init__(
        self,
        schemas: Iterable[dict[str, Any]] | None = None,
        registered: RegisteredWriters | None = None,
        elsewhere: Elsewhere = NOTHING_ELSEWHERE,
    ) -> None:
        """Bind every schema; raises ``ValueError`` for two that the encoding cannot tell apart."""
        self._writers: dict[bytes, Writer | Reject] = {}
        self._registered = registered
        own = chain.from_iterable(map(all_versions, EVENT_SCHEMAS))
        for schema in own if schemas is None else schemas:
            self._add(single_object_header(schema), bind_writer(schema, elsewhere=elsewhere))

    def decode(self, record: RawRecord) -> list[CommerceEvent | Reject] | Reject | Preparation:
        """Return the record's events, why there are none, or what must be fetched before that can be said."""
        value = record.value or b""
        if value[:1] == CONFLUENT_MARKER and self._registered is not None:
            return self._decode_registered(value, self._registered)
        writer = self._writers.get(value[:SINGLE_OBJECT_HEADER_BYTES])
        if writer is None:
            return unknown_header(value)
        return writer if isinstance(writer, Reject) else decode_events(value, SINGLE_OBJECT_HEADER_BYTES, writer)

    @staticmethod
    def _decode_registered(
        value: bytes,
        registered: RegisteredWriters,
    ) -> list[CommerceEvent | Reject] | Reject | Preparation:
        header = value[:CONFLUENT_HEADER_BYTES]
        writer = registered.known.get(header)
        if writer is None:
            return unknown_header(value) if len(header) < CONFLUENT_HEADER_BYTES else registered.miss(header)
        return writer if isinstance(writer, Reject) else decode_events(value, CONFLUENT_HEADER_BYTES, writer)

    def _add(self, header: bytes, writer: Writer | Reject) -> None:
        known = self._writers.setdefault(header, writer)
        if known != writer and not _reads_alike(known, writer):
            msg = "two schemas differ in logical types only (a decimal's scale?); their values cannot be told apart"
            raise ValueError(msg)


def _reads_alike(one: Writer | Reject, other: Writer | Reject) -> bool:
    return isinstance(one, Writer) and isinstance(other, Writer) and one.schema.root == other.schema.root
