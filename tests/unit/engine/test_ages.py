# SPDX-License-Identifier: Apache-2.0
"""How long the oldest unfinished record of a partition has been waiting."""

from __future__ import annotations

from connector.engine.ages import Ages
from connector.engine.assignment import Assignment
from connector.engine.ports import TopicPartition


def _assignment(times_ms: list[int]) -> Assignment:
    assignment = Assignment(TopicPartition("orders", 0), 0)
    for offset, time_ms in enumerate(times_ms):
        assignment.tracker.add(offset)
        assignment.ages.note(offset, time_ms, assignment.tracker)
    return assignment


def test_the_age_is_that_of_the_oldest_record_that_has_not_reached_its_end() -> None:
    """However many younger ones are done: one order that does not get done is seen."""
    assignment = _assignment([10_000, 20_000, 30_000, 40_000])
    assert assignment.oldest_unfinished_seconds(50_000) == 40
    assignment.tracker.complete(1)
    assignment.tracker.complete(2)
    assert assignment.oldest_unfinished_seconds(60_000) == 50
    assignment.tracker.complete(0)
    assert assignment.oldest_unfinished_seconds(60_000) == 20


def test_where_everything_reached_its_end_nothing_is_old() -> None:
    """A quiet partition does not age."""
    assignment = _assignment([10_000])
    assignment.tracker.complete(0)
    assert assignment.oldest_unfinished_seconds(99_000) == 0
    assert _assignment([]).oldest_unfinished_seconds(99_000) == 0


def test_records_of_one_second_share_a_mark_and_are_never_younger_than_shown_by_more() -> None:
    """The age is right to a second, so that a record costs no memory of its own."""
    assignment = _assignment([10_000, 10_900, 10_999, 11_500])
    assignment.tracker.complete(0)
    assert assignment.oldest_unfinished_seconds(20_000) == 10
    for offset in (1, 2):
        assignment.tracker.complete(offset)
    assert assignment.oldest_unfinished_seconds(20_000) == 8.5


def test_what_has_no_time_or_one_that_runs_backwards_shows_none_of_its_own() -> None:
    """Nothing is made up; a clock that runs ahead of ours is no age below zero."""
    assert _assignment([-1, -1]).oldest_unfinished_seconds(20_000) == 0
    backwards = _assignment([30_000, 10_000])
    backwards.tracker.complete(0)
    assert backwards.oldest_unfinished_seconds(50_000) == 20
    assert _assignment([30_000]).oldest_unfinished_seconds(20_000) == 0


def test_marks_that_were_passed_are_forgotten_without_being_asked_for() -> None:
    """Memory stays bounded where nobody scrapes."""
    assignment = _assignment([])
    for offset in range(1000):
        assignment.tracker.add(offset)
        assignment.ages.note(offset, offset * 1000, assignment.tracker)
        assignment.tracker.complete(offset)
    assert len(assignment.ages) <= 2


def test_before_any_record_there_is_no_time() -> None:
    """The position of an assignment without records is no record."""
    assert Ages().time_of(7) is None
