# SPDX-License-Identifier: Apache-2.0
"""A writer's schema made ready, once, for reading its records as commerce events.

Owns everything that depends on the schema alone, and the one way from a record's bytes to its events. Never raises for
what a producer wrote: an event that is bad by itself is a ``Reject`` in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.avro.batch import EVENTS, Batch, events_of, inherit, is_batch, shared_of, with_events
from connector.avro.binding import bind_event
from connector.avro.compiled import Reader, compile_maker
from connector.avro.converters import BadValueError
from connector.avro.fields import Fields, Findings, writer_lacks
from connector.avro.shapes import Datum, Shape, made_of
from connector.avro.writer_schema import WriterSchema, read, writer_schema
from connector.domain.actions import PURCHASE, name_of
from connector.domain.events import CommerceEvent
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.avro.smart_mapping import Fill, SmartMapping

Events = list[CommerceEvent | Reject]


class MappingProblem(NamedTuple):
    """Why a mapping cannot be used: the field that it is for (empty for the schema file), and what is wrong."""

    path: str
    what: str

    @property
    def key(self) -> str:
        """Return the setting's name within its area."""
        return f"fields.{self.path}" if self.path else "schema_file"


class MappingError(ValueError):
    """Fields that are mapped cannot be; ``problems`` holds at least one."""

    def __init__(self, problems: tuple[MappingProblem, ...]) -> None:
        """Take all that was found, so that it can be mended in one go."""
        super().__init__("; ".join(f"mapping.{problem.key}: {problem.what}" for problem in problems))
        self.problems = problems


class Elsewhere(NamedTuple):
    """What events are given from elsewhere than its own place in a record.

    ``defaults`` names fields that have a value where events have none; no writer needs those, nor what is mapped.
    """

    mapping: SmartMapping | None = None
    defaults: frozenset[str] = frozenset()

    @property
    def supplied(self) -> frozenset[str]:
        """Return every field that need not be in its own place."""
        return self.defaults if self.mapping is None else self.defaults | self.mapping.paths


NOTHING_ELSEWHERE = Elsewhere()


class Writer(NamedTuple):
    """A writer's schema, ready to read events by.

    ``event`` is what becomes of one; ``batch`` what becomes of a record that holds several, ``None`` when it is one.
    ``make`` makes it of a record's bytes at once. ``lacks`` is what the writer's purchases end as when its schema lacks
    what they need. ``fill`` puts into events what is mapped, where something is.
    """

    schema: WriterSchema
    event: Shape
    batch: Shape | None
    make: Reader[Any] | None
    lacks: Reject | None = None
    fill: Fill | None = None


def bind_writer(
    schema: Any,  # noqa: ANN401  any JSON
    references: Sequence[Any] = (),
    *,
    label: str = "",
    takes_doubles: bool = False,
    elsewhere: Elsewhere = NOTHING_ELSEWHERE,
) -> Writer | Reject:
    """Make a writer's schema ready, or say why none of its records can become an event; never raises.

    ``references`` are the schemas that it refers to. ``label`` says in messages which schema is meant.
    """
    prepared = writer_schema(schema, references)
    if isinstance(prepared, Reject):
        return _labelled(label, prepared)
    if prepared.root.kind != "record":
        problem = f"the writer's schema is {prepared.root.kind}, not a record"
        return _labelled(label, Reject("unsupported_writer_schema", problem))
    findings = Findings(takes_doubles=takes_doubles, supplied=elsewhere.supplied)
    root = Fields(prepared.root, "", findings)
    shared = shared_of(root) if is_batch(root) else None
    event = bind_event(root if shared is None else events_of(root))
    refused = findings.reject()
    if refused is not None:
        return _labelled(label, refused)
    lacks = _labelled(label, writer_lacks(findings.lacks)) if findings.lacks else None
    mapping = elsewhere.mapping
    fill = None if mapping is None else mapping.bind(prepared.root, is_batch=shared is not None)
    batch = None if shared is None else with_events(shared, event)
    return Writer(prepared, event, batch, compile_maker(prepared.root, batch or event), lacks, fill)


def decode_events(value: bytes, start: int, writer: Writer) -> Events | Reject:
    """Return the events of the record that begins at ``start``, behind the header; never raises."""
    events = _at_once(value, start, writer)
    if events is not None and writer.fill is None:
        return events
    datum = read(value, start, writer.schema)
    if isinstance(datum, Reject):
        return datum
    if events is None:
        events = _in_general(datum, writer)
    return events if writer.fill is None else writer.fill(datum, events)


def _at_once(value: bytes, start: int, writer: Writer) -> Events | None:
    """Return the events of a record that is as it should be."""
    if writer.make is None:
        return None
    try:
        made, end = writer.make(value, start)
    except Exception:  # noqa: BLE001  whatever it was, what reads in general says it better
        return None
    if end != len(value):
        return None
    if writer.batch is None:
        return [_complete(made, writer)]
    return [_inherited(_complete(event, writer), made) for event in made.events]


def _in_general(datum: Datum, writer: Writer) -> Events:
    """Return the events of a record that was read, each judged by itself."""
    if writer.batch is None:
        return [_judged(datum, writer)]
    batch = made_of({**datum, EVENTS: None}, writer.batch)
    return [_inherited(_judged(row, writer), batch) for row in datum[EVENTS] or ()]


def _judged(datum: Datum, writer: Writer) -> CommerceEvent | Reject:
    try:
        return _complete(made_of(datum, writer.event), writer)
    except BadValueError as error:
        return error.reject


def _complete(event: CommerceEvent, writer: Writer) -> CommerceEvent | Reject:
    return writer.lacks if writer.lacks and name_of(event.action) == PURCHASE else event


def _inherited(event: CommerceEvent | Reject, batch: Batch) -> CommerceEvent | Reject:
    return event if isinstance(event, Reject) else inherit(event, batch)


def _labelled(label: str, reject: Reject) -> Reject:
    return Reject(reject.reason, f"{label}: {reject.message}") if label else reject
