# SPDX-License-Identifier: Apache-2.0
"""The bare loop that the connector is measured against does the same work."""

from __future__ import annotations

import hashlib

import orjson

from benchmarks.bare_loop import body_of
from benchmarks.workload import Encoder, events, session_of
from connector.avro.decoding import AvroDecoder
from connector.domain.bodies import create_body
from connector.domain.lifecycle import decide
from connector.domain.orders import Create
from connector.domain.policy import Policy
from connector.engine.ports import RawRecord, TopicPartition


def test_the_bare_loop_sends_byte_for_byte_what_the_connector_sends() -> None:
    """Otherwise the two would not be compared on the same work."""
    encode, decoder = Encoder("commerce_event"), AvroDecoder()
    tokens = {session_of(number): _token(session_of(number)) for number in range(200)}
    for number, event in enumerate(events(200)):
        value = encode(event)
        (decoded,) = decoder.decode(RawRecord(TopicPartition("orders", 0), number, None, value, (), 0))  # type: ignore[misc]  # one event
        decision = decide(decoded, None, tokens[session_of(number)], Policy())  # type: ignore[arg-type]  # a purchase, not a reject
        assert isinstance(decision, Create)
        assert body_of(value, tokens) == orjson.dumps(create_body(decision.order))


def _token(session: str) -> str:
    return f"srctok-{hashlib.sha256(session.encode()).hexdigest()[:16]}"
