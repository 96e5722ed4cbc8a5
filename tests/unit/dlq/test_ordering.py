# SPDX-License-Identifier: Apache-2.0
"""The original order of dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from connector.dlq.ordering import by_order, in_original_order
from connector.kafka.letters import Letter, read
from tests.support.letters import letter, letter_record

if TYPE_CHECKING:
    from random import Random


class _At(NamedTuple):
    partition: int
    offset: int
    event_index: int | None
    time_ms: int


def _letter(place: int, at: _At, order_id: str = "M-1") -> Letter:
    said = letter(
        partition=at.partition,
        offset=at.offset,
        event_index=at.event_index,
        record_time_ms=at.time_ms,
        order_id=order_id,
    )
    found = read(letter_record(place, said, key=None))
    assert isinstance(found, Letter)
    return found


LETTERS = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.builds(_At, st.integers(0, 2), st.integers(0, 9), st.none() | st.integers(0, 3), st.integers(1, 5)),
    ),
    max_size=20,
    unique_by=lambda each: each[0],
).map(lambda rows: [_letter(*row) for row in rows])


@given(LETTERS, st.randoms())
def test_within_a_partition_it_is_that_of_records_and_events(letters: list[Letter], random: Random) -> None:
    """Whatever the order in which they became dead letters, and whatever their times say."""
    ordered = in_original_order(letters)
    assert sorted(ordered) == sorted(letters)
    for partition in range(3):
        places = [
            (each.source.offset, -1 if each.source.event_index is None else each.source.event_index)
            for each in ordered
            if each.source.partition == partition
        ]
        assert places == sorted(places)
    shuffled = list(letters)
    random.shuffle(shuffled)
    assert in_original_order(shuffled) == ordered


def test_partitions_are_merged_by_the_times_of_their_records() -> None:
    """A purchase on one partition comes before the later refund on another."""
    refund, purchase = _letter(0, _At(0, 900, 0, 2_000)), _letter(1, _At(1, 3, 0, 1_000))
    assert in_original_order([refund, purchase]) == [purchase, refund]


def test_letters_are_grouped_by_order_the_oldest_first() -> None:
    """One that names no order is alone."""
    first = _letter(0, _At(0, 5, 0, 3_000), "A")
    second, third = _letter(1, _At(0, 1, 0, 1_000), "B"), _letter(2, _At(0, 9, 0, 4_000), "B")
    nameless, other = _letter(3, _At(0, 2, 0, 2_000), ""), _letter(4, _At(0, 3, 0, 1), "")
    assert by_order([first, second, third, nameless, other]) == [[other], [second, third], [nameless], [first]]
