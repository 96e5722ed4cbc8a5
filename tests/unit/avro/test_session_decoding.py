# SPDX-License-Identifier: Apache-2.0
"""Decoding of records of the sessions topic, with fastavro's writer as the oracle."""

from __future__ import annotations

from typing import Any

import pytest

from connector.avro.session_decoding import SessionDecoder
from connector.domain.sessions import SessionEntry, SessionProblem, SessionTombstone, TokenSeen
from tests.support.avro_records import encode_event, encode_session, purchase, session, single_object

DECODER = SessionDecoder()
SEEN_MS = 1_767_225_600_000


def test_an_entry_has_its_token_its_user_and_the_tokens_before() -> None:
    """What the producer knows arrives: the newest token, and those that compaction would have taken."""
    previous = [{"btn_ref": "srctok-1", "observed_at": SEEN_MS - 5}, {"btn_ref": None, "observed_at": SEEN_MS - 9}]
    value = encode_session(session("S-1", "srctok-2", SEEN_MS, mpid=-3, previous=previous))
    assert DECODER.decode(b"S-1", value) == SessionEntry(
        session_key="S-1",
        user_key="-3",
        newest=TokenSeen("srctok-2", SEEN_MS),
        previous=(TokenSeen("srctok-1", SEEN_MS - 5), TokenSeen(None, SEEN_MS - 9)),
    )


def test_a_null_token_clears_and_a_blank_one_is_kept_for_judgement() -> None:
    """Null says that there is no token from then on; a blank says nothing, and is not taken for null."""
    for token in (None, "", " "):
        decoded = DECODER.decode(b"S", encode_session(session("S", token, SEEN_MS)))
        assert isinstance(decoded, SessionEntry)
        assert decoded.newest.token == token


def test_a_record_without_a_value_is_a_tombstone() -> None:
    """Kafka's deletion of a key is told apart from a token of null; its time is the record's."""
    assert DECODER.decode("Sitzung-ä".encode(), None) == SessionTombstone("Sitzung-ä")


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        (b"-2271448330363288817", {"session_id": -2271448330363288817}),
        (b"text-id", {"session_id": "text-id"}),
        (b"S", {"session_uuid": "S", "session_id": 5}),
        (b"5", {"session_uuid": "S", "session_id": 5}),
        (b"anything", {}),
    ],
)
def test_the_key_names_the_session(key: bytes, fields: dict[str, Any]) -> None:
    """The record's key is the session's UUID or its decimal number; a value that names none is taken by its key."""
    decoded = DECODER.decode(key, encode_session({"btn_ref": "t", "observed_at": SEEN_MS, **fields}))
    assert isinstance(decoded, SessionEntry)
    assert decoded.session_key == key.decode()


@pytest.mark.parametrize("key", [None, b"", b" ", b"\xff\xfe", b"\x00\x00\x00\x00\x01\x02S", b'"S"', b"s"])
def test_a_key_by_which_no_event_would_find_it_is_a_problem(key: bytes | None) -> None:
    """A missing key, another serializer's framing and other letters are told, with the remedy."""
    decoded = DECODER.decode(key, encode_session(session("S", "t", SEEN_MS)))
    assert isinstance(decoded, SessionProblem)
    assert "UTF-8 text of session_uuid" in decoded.message


@pytest.mark.parametrize("key", [b"\x00\x00\x00\x00\x01\x02S", b"\xff", b""])
def test_a_tombstone_under_another_serializers_key_is_a_problem(key: bytes) -> None:
    """A deletion that no session would notice is told instead of kept."""
    assert isinstance(DECODER.decode(key, None), SessionProblem)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "it is empty"),
        (b"rubbish", "not Avro"),
        (b"\x00\x00\x00\x00\x05x", "schema id 5"),
        (encode_event(purchase()), "does not have"),
        (encode_session(session("S", "t", SEEN_MS))[:-1], "in the middle"),
        (encode_session(session("S", "t", SEEN_MS)) + b"x", "1 bytes follow"),
        (encode_session(session("S", "t", SEEN_MS // 1000)), "observed_at"),
        (
            encode_session(session("S", "t", SEEN_MS, previous=[{"btn_ref": "u", "observed_at": 7}])),
            "previous[].observed",
        ),
    ],
)
def test_a_value_that_cannot_be_read_is_a_problem(value: bytes, words: str) -> None:
    """Each kind of bad value is told for what it is."""
    decoded = DECODER.decode(b"S", value)
    assert isinstance(decoded, SessionProblem)
    assert words in decoded.message


def test_a_record_that_is_cut_anywhere_is_a_problem() -> None:
    """No proper prefix of a value is an entry."""
    previous = [{"btn_ref": "srctok-1", "observed_at": SEEN_MS - 5}]
    value = encode_session(session("S-1", "srctok-2", SEEN_MS, mpid=-3, previous=previous))
    assert all(isinstance(DECODER.decode(b"S-1", value[:length]), SessionProblem) for length in range(len(value)))


def test_a_writers_schema_without_a_token_is_told_by_the_missing_fields() -> None:
    """The wrong schema for the topic is a problem of every record, naming what is missing."""
    schema = {"type": "record", "name": "Other", "fields": [{"name": "session_uuid", "type": "string"}]}
    decoded = SessionDecoder([schema]).decode(b"S", single_object({"session_uuid": "S"}, schema))
    assert isinstance(decoded, SessionProblem)
    assert "btn_ref, observed_at" in decoded.message
