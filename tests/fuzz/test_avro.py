# SPDX-License-Identifier: Apache-2.0
"""Values and schemas that nobody should have written: a named refusal, in little memory and time."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.avro.decoding import AvroDecoder
from connector.avro.session_decoding import SessionDecoder, bind_session_writer
from connector.avro.wire import SINGLE_OBJECT_HEADER_BYTES, unknown_header
from connector.avro.writer_schema import WriterSchema, read, writer_schema
from connector.avro.writers import Writer, bind_writer, decode_events
from connector.domain.bodies import create_body
from connector.domain.events import CommerceEvent
from connector.domain.mapping import order_from
from connector.domain.orders import Reject
from connector.domain.policy import DEFAULT_POLICY
from connector.domain.sessions import SessionEntry, SessionProblem, SessionTombstone
from connector.engine.ports import RawRecord, TopicPartition
from tests.support import avro_records
from tests.support.mutations import FUZZ, MARKED_EMAIL, assert_private, little_memory_and_time, mutated

DECODER = AvroDecoder()
SESSIONS = SessionDecoder()
MEBIBYTE = 1024 * 1024

_IDENTITIES = [{"identity_type": "email", "identity": MARKED_EMAIL}]
_LONG = "größer " * 400
_PRODUCTS = [{"id": f"sku-{number}", "name": _LONG, "price": "1.00", "quantity": 1} for number in range(30)]
EVENTS = (
    avro_records.encode_event(avro_records.purchase()),
    avro_records.encode_event(avro_records.refund()),
    avro_records.encode_event(
        avro_records.purchase(user_identities=_IDENTITIES, custom_attributes={"a": MARKED_EMAIL}),
    ),
    avro_records.encode_event(
        avro_records.purchase(
            product_action={
                "action": "purchase",
                "transaction_id": "order-1",
                "total_amount": "30.00",
                "products": _PRODUCTS,
            },
        ),
    ),
)
BODIES = tuple(value[SINGLE_OBJECT_HEADER_BYTES:] for value in EVENTS)
SESSION_VALUES = (
    avro_records.encode_session(avro_records.session("SESSION-1", "srctok-1", 1_767_225_600_000, mpid="7")),
    avro_records.encode_session(
        avro_records.session(
            "SESSION-1",
            None,
            1_767_225_600_000,
            previous=[{"btn_ref": "srctok-0", "observed_at": 1_767_225_500_000}],
        ),
    ),
)


def _record(value: bytes) -> RawRecord:
    return RawRecord(TopicPartition("orders", 0), 0, None, value, (), 0)


def _judge(decoded: object) -> None:
    """Fail unless it is events and refusals, each refusal with a reason and a message that shows nobody's data."""
    judged = decoded if isinstance(decoded, list) else [decoded]
    for each in judged:
        assert isinstance(each, CommerceEvent | Reject)
        if isinstance(each, Reject):
            assert each.reason
            assert each.message
            assert_private(each.message)


@FUZZ
@given(mutated(EVENTS))
@example(b"")
@example(b"\xc3\x01")
@example(b"\x00\x00\x00\x00")
def test_every_value_is_events_or_a_named_refusal(value: bytes) -> None:
    """Whatever lies in the topic is decoded or refused by name; nothing is raised, and no e-mail is shown."""
    _judge(DECODER.decode(_record(value)))


@FUZZ
@given(mutated(BODIES))
def test_every_body_behind_a_good_header_is_events_or_a_named_refusal(body: bytes) -> None:
    """A header that is right makes nothing of what follows it right; what can be read can be mapped or is refused."""
    decoded = DECODER.decode(_record(EVENTS[0][:SINGLE_OBJECT_HEADER_BYTES] + body))
    _judge(decoded)
    for event in decoded if isinstance(decoded, list) else ():
        if isinstance(event, CommerceEvent):
            order = order_from(event, "srctok-1", DEFAULT_POLICY)
            if isinstance(order, Reject):
                assert order.reason
                assert_private(order.message)
            else:
                assert orjson.dumps(create_body(order))


@FUZZ
@given(st.none() | mutated([b"SESSION-1", b"-7636538281262557000"]), st.none() | mutated(SESSION_VALUES))
def test_every_session_record_is_an_entry_or_a_named_problem(key: bytes | None, value: bytes | None) -> None:
    """Whatever lies in the sessions topic is an entry, a tombstone or a problem in words."""
    read_as = SESSIONS.decode(key, value)
    assert isinstance(read_as, SessionEntry | SessionTombstone | SessionProblem)
    if isinstance(read_as, SessionProblem):
        assert read_as.message
        assert_private(read_as.message)


@FUZZ
@given(mutated([b"\x00\x00\x00\x00\x07rest", *EVENTS]))
def test_every_header_that_is_not_known_is_described_without_what_follows(value: bytes) -> None:
    """The description names the format that it looks like, and at most the first bytes."""
    refusal = unknown_header(value)
    assert refusal.reason in {"no_schema_registry", "not_avro", "truncated_avro", "unknown_schema_fingerprint"}
    assert len(refusal.message) < 400


# Lengths that promise more than there is.

_AS_MANY = {"2**31": 2**31, "2**62": 2**62, "2**63-1": 2**63 - 1, "-2**63": -(2**63), "-1": -1}


def _long(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


@pytest.mark.parametrize("claimed", _AS_MANY.values(), ids=_AS_MANY)
@pytest.mark.parametrize(
    "type_",
    [
        "string",
        "bytes",
        {"type": "array", "items": "string"},
        {"type": "array", "items": "boolean"},
        {"type": "map", "values": "null"},
        {"type": "map", "values": "long"},
        {"type": "array", "items": {"type": "record", "name": "One", "fields": [{"name": "x", "type": "double"}]}},
    ],
    ids=json.dumps,
)
def test_a_length_that_lies_costs_neither_memory_nor_time(type_: Any, claimed: int) -> None:  # noqa: ANN401  any schema
    """A few bytes that claim billions of items are refused for what they are, before anything is set aside."""
    schema = writer_schema({"type": "record", "name": "Liar", "fields": [{"name": "lies", "type": type_}]})
    assert isinstance(schema, WriterSchema)
    for value in (_long(claimed), _long(claimed) + b"\x02a"):
        with little_memory_and_time(MEBIBYTE):
            decoded = read(value, 0, schema)
        assert isinstance(decoded, Reject)
        assert decoded.reason in {"bad_avro", "truncated_avro"}


# Schemas that a registry answers with.

_SCHEMAS = tuple(
    json.dumps(schema).encode()
    for schema in (
        avro_records.schema("commerce_event"),
        avro_records.schema("commerce_event_batch"),
        avro_records.schema("session_attribution"),
        avro_records.small_event_schema({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}),
    )
)


def _parsed(text: bytes) -> Any:  # noqa: ANN401  any JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@given(mutated(_SCHEMAS).map(_parsed).filter(lambda schema: schema is not None), mutated(BODIES))
def test_every_schema_is_bound_or_refused_and_so_is_what_it_reads(schema: Any, body: bytes) -> None:  # noqa: ANN401  any JSON
    """Whatever a registry calls a schema is refused by name, or reads any bytes as events or refusals."""
    writer = bind_writer(schema, label="schema id 7")
    if isinstance(writer, Writer):
        _judge(decode_events(body, 0, writer))
    else:
        assert writer.reason
    bind_session_writer(schema)


def test_every_single_byte_may_be_turned_over() -> None:
    """Not only by chance: each byte of an event, changed in three ways, gives events or a named refusal."""
    value = EVENTS[2]
    for at in range(len(value)):
        for change in (0x01, 0x80, 0xFF):
            _judge(DECODER.decode(_record(value[:at] + bytes([value[at] ^ change]) + value[at + 1 :])))
