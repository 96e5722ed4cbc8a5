# SPDX-License-Identifier: Apache-2.0
"""The window's rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.engine.ports import TopicPartition
from connector.kafka.window import PATIENCE_SECONDS, Window

A, B, C = (TopicPartition("orders", number) for number in range(3))


def filled(max_records: int, counts: dict[TopicPartition, int], max_bytes: int = 10**9) -> Window:
    """Return a window with so many records of one byte delivered."""
    window = Window(max_records, max_bytes)
    for each in counts:
        window.open(each)
    for each, count in counts.items():
        for offset in range(count):
            window.deliver(each, offset, 1)
    return window


def test_no_more_than_the_window_is_ever_asked_for() -> None:
    """What is delivered and not committed is bounded as a whole."""
    assert filled(100, {A: 30, B: 20, C: 25}).room(0.0) == 20


def test_one_partition_gets_half_of_the_window_when_it_is_not_alone() -> None:
    """A batch may come from the fullest partition alone, so no more is asked for than that may have."""
    assert filled(100, {A: 40, B: 0}).room(0.0) == 10
    assert filled(100, {A: 40}).room(0.0) == 60


def test_a_full_partition_is_paused_after_a_moment_and_the_others_go_on() -> None:
    """A record that does not get done stops its own partition and nobody else's. [40]."""
    window = filled(100, {A: 50, B: 0})
    assert window.room(0.0) == 0
    assert not window.is_paused(A)
    window.room(PATIENCE_SECONDS)
    assert (window.is_paused(A), window.is_paused(B)) == (True, False)
    assert window.room(PATIENCE_SECONDS) == 50


def test_a_commit_within_the_moment_spares_the_pause() -> None:
    """A pause throws away what was fetched ahead, so it is not done for a window that is about to open."""
    window = filled(100, {A: 50, B: 0})
    window.room(0.0)
    window.commit(A, 30)
    assert window.room(PATIENCE_SECONDS) == 30
    assert not window.is_paused(A)


def test_a_paused_partition_goes_on_when_a_quarter_of_its_share_is_free() -> None:
    """Pausing and resuming for every record would fetch everything many times. [51]."""
    window = filled(100, {A: 50, B: 0})
    window.room(0.0)
    window.room(PATIENCE_SECONDS)
    window.commit(A, 12)
    window.room(1.0)
    assert window.is_paused(A)
    window.commit(A, 13)
    window.room(2.0)
    assert not window.is_paused(A)


def test_bytes_are_bounded_like_records() -> None:
    """A few large records fill the window as many small ones do. [42]."""
    window = Window(1000, 10_000)
    window.open(A)
    for offset in range(4):
        window.deliver(A, offset, 2_000)
    assert window.room(0.0) == 1
    window.deliver(A, 4, 2_000)
    assert window.room(0.0) == 0


def test_a_record_larger_than_the_bound_is_let_in_alone() -> None:
    """It must not stop its partition for ever."""
    window = Window(1000, 10_000)
    window.open(A)
    assert window.room(0.0) > 0
    window.deliver(A, 0, 50_000)
    assert window.room(0.0) == 0
    window.commit(A, 1)
    assert window.room(0.0) > 0


def test_a_partition_that_is_taken_away_takes_its_records_out_of_the_window() -> None:
    """Otherwise intake would stop for good after some rebalances. [5]."""
    window = filled(100, {A: 50, B: 40})
    window.close(A)
    assert (window.records, window.bytes) == (40, 40)
    assert window.room(0.0) == 60


def test_an_answer_for_a_partition_that_is_gone_changes_nothing() -> None:
    """A commit may be answered after the revoke. [19]."""
    window = filled(100, {A: 5})
    window.close(A)
    window.commit(A, 5)
    assert window.records == 0


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("poll"), st.integers(0, 2), st.integers(1, 50)),
            st.tuples(st.just("commit"), st.integers(0, 2), st.integers(0, 60)),
            st.tuples(st.just("reopen"), st.integers(0, 2), st.just(0)),
        ),
        max_size=60,
    ),
)
def test_whatever_happens_the_bounds_hold_and_the_sums_are_right(steps: list[tuple[str, int, int]]) -> None:
    """Played against a plain set of records."""
    window, truth, ends = Window(40, 10**9), set[tuple[int, int]](), [0, 0, 0]
    for number in range(3):
        window.open(TopicPartition("orders", number))
    now = 0.0
    for kind, number, amount in steps:
        now += 0.06
        partition = TopicPartition("orders", number)
        if kind == "poll":
            count = min(window.room(now), amount)
            if not window.is_paused(partition):
                for _ in range(count):
                    window.deliver(partition, ends[number], 1)
                    truth.add((number, ends[number]))
                    ends[number] += 1
        elif kind == "commit":
            window.commit(partition, amount)
            truth = {each for each in truth if each[0] != number or each[1] >= amount}
        else:
            window.close(partition)
            window.open(partition)
            truth = {each for each in truth if each[0] != number}
        assert window.records == window.bytes == len(truth) <= 40
        assert all(sum(each[0] == one for each in truth) <= 20 for one in range(3))
