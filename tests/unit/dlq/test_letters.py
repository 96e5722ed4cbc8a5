# SPDX-License-Identifier: Apache-2.0
"""What the records of the dead letters' topic say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.replays import PREFIX, Replay, replay_of
from connector.engine.ports import RawRecord, TopicPartition
from connector.kafka.letters import (
    Letter,
    Note,
    Place,
    Reference,
    Source,
    State,
    original_headers,
    read,
    read_contents,
    read_letters,
)
from tests.support.letters import letter, letter_record

if TYPE_CHECKING:
    from collections.abc import Sequence

REPLAY = Replay("cluster-1", "topic-1", "orders", 3, 77, 1, 1_600_000_000_000, 2)


def _read(record: RawRecord) -> Letter:
    found = read(record)
    assert isinstance(found, Letter)
    return found


def test_a_letter_says_where_its_event_came_from_and_why_it_is_one() -> None:
    """Everything that the engine wrote can be read again."""
    found = _read(letter_record(12))
    assert (found.place, found.source) == (Place(0, 12), Source("orders", 3, 77, 1))
    assert (found.order_id, found.is_of_key) == ("M-1", False)
    assert (found.stage, found.reason, found.message) == ("map", "over_refund", "more than is left")
    assert (found.attempts, found.replays, found.reference) == (2, 0, None)
    assert (found.cluster, found.topic_id) == ("cluster-1", "topic-1")
    assert (found.written_at_ms, found.record_time_ms) == (1_700_000_000_000, 1_600_000_000_000)
    assert found.state is State.OPEN


def test_a_record_that_nobody_could_read_belongs_to_its_key() -> None:
    """As a whole, with no event of it."""
    found = _read(letter_record(0, letter(event_index=None, order_id="")))
    assert (found.order_id, found.is_of_key, found.source.event_index) == ("M-1", True, None)


def test_the_letter_s_own_headers_count_before_those_that_the_record_had() -> None:
    """A letter that somebody copied into the source topic by hand keeps its old headers."""
    old = letter(reason="unknown_currency", offset=1).headers()
    found = _read(letter_record(0, before=[("trace", b"t"), *old]))
    assert (found.reason, found.source.offset) == ("over_refund", 77)


def test_a_letter_of_a_replay_says_how_often_it_was_replayed() -> None:
    """That is what stops loops."""
    assert _read(letter_record(0, before=REPLAY.headers())).replays == 2


def test_a_reference_says_what_it_refers_to() -> None:
    """The value's size and digest."""
    before = [("button-connector.value-size", b"5"), ("button-connector.value-sha256", b"ab")]
    assert _read(letter_record(0, before=before, value=None)).reference == Reference(5, "ab")


def test_the_original_headers_are_those_that_are_not_ours() -> None:
    """What is replayed is the record as the producer made it."""
    record = letter_record(0, before=[("trace", b"t"), *REPLAY.headers(), ("empty", None)])
    assert original_headers(record) == [("trace", b"t"), ("empty", None)]


def _note(place: Place, state: State) -> RawRecord:
    where = TopicPartition("dead-letters", place.partition)
    headers: Sequence[tuple[str, bytes | None]] = Note(place, state, 5_000).headers()
    return RawRecord(where, place.offset + 100, b"M-1", None, headers, 0)


def test_a_note_settles_its_own_letter_and_no_other() -> None:
    """By partition and offset; the last note counts."""
    records = [letter_record(0), letter_record(1), letter_record(0, partition=1)]
    notes = [_note(Place(0, 0), State.REPLAYED), _note(Place(1, 0), State.DROPPED), _note(Place(7, 7), State.DROPPED)]
    found = read_letters([records, notes])
    states = {each.place: (each.state, each.settled_at_ms) for each in found}
    assert states == {
        Place(0, 0): (State.REPLAYED, 5_000),
        Place(0, 1): (State.OPEN, 0),
        Place(1, 0): (State.DROPPED, 5_000),
    }


def test_foreign_records_are_passed_over() -> None:
    """Whatever somebody wrote into the topic."""
    where = TopicPartition("dead-letters", 0)
    foreign = [
        RawRecord(where, 0, None, b"x", (), 0),
        RawRecord(where, 1, None, None, [("button-connector.note", b"burnt")], 0),
        RawRecord(where, 2, None, b"x", [("button-connector.reason", b"alone")], 0),
    ]
    assert [each.place.offset for each in read_letters([[*foreign, letter_record(3)]])] == [3]


def test_only_the_contents_that_are_wanted_are_kept() -> None:
    """The topic may be larger than memory."""
    kept = read_contents([[letter_record(0), letter_record(1, value=b"wanted")]], {Place(0, 1), Place(9, 9)})
    assert {place: record.value for place, record in kept.items()} == {Place(0, 1): b"wanted"}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    f"button-connector.{name}"
                    for name in ("topic", "reason", "offset", "note", "note-offset", "replay-count", "time")
                ],
            ),
            st.none() | st.binary(max_size=30) | st.text(max_size=20).map(str.encode),
        ),
    ),
)
def test_no_header_whatever_raises(headers: list[tuple[str, bytes | None]]) -> None:
    """They are foreign bytes."""
    read(RawRecord(TopicPartition("dead-letters", 0), 0, b"\xff", b"", headers, 0))


@pytest.mark.parametrize("index", [0, 4, None])
def test_a_replay_is_read_as_it_was_written(index: int | None) -> None:
    """Also that of a record as a whole."""
    replay = REPLAY._replace(event_index=index)
    assert replay_of([("trace", b"t"), *replay.headers()]) == replay


def test_most_records_are_no_replays() -> None:
    """Whatever else they carry."""
    assert replay_of([]) is None
    assert replay_of([("button-connector.reason", b"x"), ("trace", None)]) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("offset", b"-1"), ("offset", b""), ("count", "\u0663".encode()), ("partition", b"1" * 19), ("topic", b"\xff")],
)
def test_a_replay_that_makes_no_sense_is_refused(name: str, value: bytes) -> None:
    """It must not be taken for an ordinary record: it may be one event of many."""
    headers = [
        (PREFIX + name if key == PREFIX + name else key, value if key == PREFIX + name else was)
        for key, was in REPLAY.headers()
    ]
    refused = replay_of(headers)
    assert getattr(refused, "reason", None) == "bad_replay"
    assert getattr(replay_of(headers[:2]), "reason", None) == "bad_replay"
