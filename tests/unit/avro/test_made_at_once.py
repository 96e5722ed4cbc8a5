# SPDX-License-Identifier: Apache-2.0
"""Events that are made while their record is read are those that come of reading first, and so are the refusals."""

from __future__ import annotations

from typing import Any

import pytest

from connector.avro.code import UnusualError
from connector.avro.schemas import load_schema
from connector.avro.writers import Writer, bind_writer, decode_events
from connector.domain.events import CommerceEvent
from connector.domain.orders import Reject
from tests.support.avro_records import body, encode_event, purchase, small_event, small_event_schema
from tests.support.released_schemas import example_of

_SECONDS = 1_767_225_600


def _writer(schema: dict[str, Any]) -> Writer:
    writer = bind_writer(schema)
    assert isinstance(writer, Writer)
    return writer


def _decode(value: bytes, schema: dict[str, Any]) -> CommerceEvent | Reject:
    decoded = decode_events(value, 0, _writer(schema))
    if isinstance(decoded, Reject):
        return decoded
    (event,) = decoded
    return event


def _bytes(text: bytes) -> bytes:
    """Return a short text as Avro writes it."""
    return bytes([2 * len(text)]) + text


def test_the_bundled_schemas_records_are_made_at_once() -> None:
    """What is frequent takes the short way: with every field there, and with none that may be left out."""
    schema = load_schema("commerce_event")
    writer = _writer(schema)
    assert writer.make is not None
    for value in (body(example_of(schema), schema), encode_event(purchase())[10:]):
        made, end = writer.make(value, 0)
        assert end == len(value)
        assert [made] == decode_events(value, 0, writer)


def test_a_batch_is_made_at_once() -> None:
    """A record of several events is no exception."""
    schema = load_schema("commerce_event_batch")
    value, writer = body(example_of(schema), schema), _writer(schema)
    assert writer.make is not None
    made, end = writer.make(value, 0)
    decoded = decode_events(value, 0, writer)
    assert isinstance(decoded, list)
    assert (len(made.events), end) == (len(decoded), len(value))


def test_a_list_in_blocks_that_say_their_size_is_read_as_any_other() -> None:
    """Some libraries write lists so, always: nothing is lost by it, nor is it left to what reads in general."""
    text = {"type": "map", "values": "string"}
    schema = small_event_schema("string", nobodys=text, custom_attributes=text)
    written = body(small_event("10.00", nobodys={"k": "v"}, custom_attributes={"k": "v"}), schema)
    plain = b"\x02" + _bytes(b"k") + _bytes(b"v") + b"\x00"
    sized = b"\x01\x08" + plain[1:]
    expected, writer = _decode(written, schema), _writer(schema)
    assert writer.make is not None
    assert isinstance(expected, CommerceEvent)
    assert expected.custom_attributes == {"k": "v"}
    for blocks in (sized + plain, plain + sized, sized * 2):
        value = written.removesuffix(plain * 2) + blocks
        assert writer.make(value, 0) == (expected, len(value))
        assert _decode(value, schema) == expected


def test_what_code_leaves_to_fastavro_is_an_event_as_any_other() -> None:
    """A union's index in more bytes than it needs is unusual and not wrong: the record is read in general."""
    schema = small_event_schema("string", btn_ref=["null", "string"])
    written = body(small_event("10.00", btn_ref=None), schema)
    value = written[:-1] + b"\x80\x00"
    event, writer = _decode(value, schema), _writer(schema)
    assert writer.make is not None
    with pytest.raises(UnusualError):
        writer.make(value, 0)
    assert event == _decode(written, schema)
    assert isinstance(event, CommerceEvent)


def test_what_nobody_needs_is_looked_at_as_closely() -> None:
    """Text that is not UTF-8, a symbol that is not there: each says that all else may be shifted."""
    symbols = {"type": "enum", "name": "Kind", "symbols": ["ONE", "TWO"]}
    for type_, good, bad in (("string", "a", b"\x02\xff"), (symbols, "ONE", b"\x04")):
        schema = small_event_schema("string", nobodys=type_, last="int")
        written, end = body(small_event("10.00", nobodys=good, last=0), schema), body(good, type_) + b"\x00"
        assert written.endswith(end)
        event, refused = _decode(written, schema), _decode(written.removesuffix(end) + bad + b"\x00", schema)
        assert isinstance(event, CommerceEvent)
        assert isinstance(refused, Reject)
        assert refused.reason == "bad_avro"


def test_bytes_that_are_no_record_are_refused_before_values_that_cannot_be_taken() -> None:
    """A wrong value in a record that is cut or too long is no wrong value: the record is what is wrong."""
    schema = small_event_schema("string")
    good, wrong = (body(small_event("12.34", **fields), schema) for fields in ({}, {"occurred_at": _SECONDS}))
    reasons = [_refused(value).reason for value in (wrong, wrong + b"\x00", good + b"\x00", wrong[:-1], good[:-1])]
    assert reasons == ["bad_time", "trailing_bytes", "trailing_bytes", "truncated_avro", "truncated_avro"]


def _refused(value: bytes) -> Reject:
    refused = _decode(value, small_event_schema("string"))
    assert isinstance(refused, Reject)
    return refused


def test_of_several_values_that_cannot_be_taken_the_event_s_first_is_named() -> None:
    """What a dead letter says does not depend on the order in which a writer has its fields."""
    wrong = {"total_amount": "12,34", "occurred_at": _SECONDS}
    for schema in (small_event_schema("string"), _turned_round(small_event_schema("string"))):
        refused = _decode(body(small_event(wrong["total_amount"], occurred_at=wrong["occurred_at"]), schema), schema)
        assert isinstance(refused, Reject)
        assert refused.message.startswith("occurred_at is not a time")


def _turned_round(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "fields": schema["fields"][::-1]}
