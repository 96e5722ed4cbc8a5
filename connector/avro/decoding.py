# SPDX-License-Identifier: Apache-2.0
"""From a record's value to its commerce events.

Owns the engine's ``Decoder`` port. A value is read by the schema that it was written with; everything that depends on
that schema alone was decided when the schema became known. Never raises for what a producer wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.avro.binding import EventBinding, bind_event
from connector.avro.converters import BadValueError
from connector.avro.fields import writer_lacks
from connector.avro.schemas import load_schema
from connector.avro.wire import SINGLE_OBJECT_HEADER_BYTES, single_object_header, unknown_header
from connector.avro.writer_schema import WriterSchema, read, writer_schema
from connector.domain.actions import PURCHASE, name_of
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.domain.events import CommerceEvent
    from connector.engine.ports import Preparation, RawRecord


class Writer(NamedTuple):
    """A writer's schema, ready to read events by."""

    schema: WriterSchema
    binding: EventBinding


def bind_writer(schema: dict[str, Any]) -> Writer | Reject:
    """Make a writer's schema ready, or say why none of its records can become an event; never raises."""
    prepared = writer_schema(schema)
    if isinstance(prepared, Reject):
        return prepared
    binding = bind_event(prepared.root)
    return binding if isinstance(binding, Reject) else Writer(prepared, binding)


def decode_events(value: bytes, start: int, writer: Writer) -> list[CommerceEvent | Reject] | Reject:
    """Return the events of the record that begins at ``start``, behind the header; never raises."""
    datum = read(value, start, writer.schema)
    if isinstance(datum, Reject):
        return datum
    try:
        event = writer.binding.convert(datum)
    except BadValueError as error:
        return [error.reject]
    if writer.binding.lacks and name_of(event.action) == PURCHASE:
        return [writer_lacks(writer.binding.lacks)]
    return [event]


class AvroDecoder:
    """Decodes values in Avro's single-object encoding.

    ``schemas`` are those that a value may have been written with, by default the connector's own.
    """

    def __init__(self, schemas: Iterable[dict[str, Any]] | None = None) -> None:
        """Bind every schema; raises ``ValueError`` for two that the encoding cannot tell apart."""
        self._writers: dict[bytes, Writer | Reject] = {}
        for schema in [load_schema("commerce_event")] if schemas is None else schemas:
            self._add(single_object_header(schema), bind_writer(schema))

    def decode(self, record: RawRecord) -> list[CommerceEvent | Reject] | Reject | Preparation:
        """Return the record's one event, or why there is none."""
        value = record.value or b""
        writer = self._writers.get(value[:SINGLE_OBJECT_HEADER_BYTES])
        if writer is None:
            return unknown_header(value)
        return writer if isinstance(writer, Reject) else decode_events(value, SINGLE_OBJECT_HEADER_BYTES, writer)

    def _add(self, header: bytes, writer: Writer | Reject) -> None:
        known = self._writers.setdefault(header, writer)
        if known != writer and not _reads_alike(known, writer):
            msg = "two schemas differ in logical types only (a decimal's scale?); their values cannot be told apart"
            raise ValueError(msg)


def _reads_alike(one: Writer | Reject, other: Writer | Reject) -> bool:
    return isinstance(one, Writer) and isinstance(other, Writer) and one.schema.root == other.schema.root
