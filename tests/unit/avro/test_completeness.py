# SPDX-License-Identifier: Apache-2.0
"""What the schema can say, an event has; and what an event has, the schema can say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.avro.decoding import AvroDecoder
from connector.avro.schemas import load_schema
from connector.domain.events import CommerceEvent
from connector.engine.ports import RawRecord, TopicPartition
from tests.support.avro_records import single_object
from tests.support.released_schemas import example_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def _empty(value: object, path: str) -> Iterator[str]:
    if value in (None, (), {}):
        yield path
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        for name, field in value._asdict().items():
            yield from _empty(field, f"{path}.{name}")
    elif isinstance(value, tuple):
        for each in value:
            yield from _empty(each, path)


def test_a_record_with_every_field_leaves_none_of_the_event_s_empty() -> None:
    """A field that was added to the event and is not read from its schema fails here."""
    schema = load_schema("commerce_event")
    value = single_object(example_of(schema), schema)
    (event,) = AvroDecoder().decode(RawRecord(TopicPartition("orders", 0), 0, None, value, (), 0))  # type: ignore[misc]  # it is a list, or the next line says so
    assert isinstance(event, CommerceEvent)
    assert list(_empty(event, "event")) == []
