# SPDX-License-Identifier: Apache-2.0
"""The tracker's rules."""

from __future__ import annotations

from connector.engine.offsets import OffsetTracker


def test_nothing_is_committable_beyond_an_incomplete_record() -> None:
    """A record that finished early does not carry an unfinished one below the committed offset [1] [25]."""
    tracker = OffsetTracker(10)
    for offset in (10, 11, 12):
        tracker.add(offset)
    tracker.complete(11)
    tracker.complete(12)
    assert tracker.committable() == 10
    tracker.complete(10)
    assert tracker.committable() == 13


def test_a_record_is_complete_only_when_all_of_its_events_are() -> None:
    """A batch record holds its offset until its last event is done."""
    tracker = OffsetTracker(0)
    tracker.add(0)
    tracker.split(0, 3)
    tracker.complete(0)
    tracker.complete(0)
    assert tracker.committable() == 0
    tracker.complete(0)
    assert tracker.committable() == 1


def test_a_record_without_events_is_complete_at_once() -> None:
    """An empty batch has nothing to wait for."""
    tracker = OffsetTracker(0)
    tracker.add(0)
    tracker.split(0, 0)
    assert tracker.committable() == 1


def test_a_gap_is_closed_by_the_next_offset_that_arrives() -> None:
    """An offset that compaction or a transaction marker took is not waited for [20] [33]."""
    tracker = OffsetTracker(0)
    tracker.add(0)
    tracker.add(7)
    tracker.complete(0)
    assert tracker.committable() == 7
    tracker.complete(7)
    assert tracker.committable() == 8


def test_a_gap_at_the_end_is_closed_by_the_position() -> None:
    """Markers behind the last record do not leave the group lagging for ever [33] [39]."""
    tracker = OffsetTracker(0)
    tracker.add(0)
    tracker.advance(5)
    assert tracker.committable() == 0
    tracker.complete(0)
    assert tracker.committable() == 5


def test_the_position_never_moves_the_tracker_backwards() -> None:
    """A position read late must not undo what was delivered [24]."""
    tracker = OffsetTracker(0)
    tracker.add(0)
    tracker.add(1)
    tracker.complete(0)
    tracker.complete(1)
    tracker.advance(1)
    assert tracker.committable() == 2


def test_a_record_that_is_delivered_twice_is_taken_once() -> None:
    """A repeated offset must neither run again nor reopen what is done [21] [50]."""
    tracker = OffsetTracker(0)
    assert tracker.add(0)
    tracker.complete(0)
    assert not tracker.add(0)
    assert tracker.committable() == 1


def test_an_older_commit_that_answers_late_changes_nothing() -> None:
    """The committed offset never goes backwards [24]."""
    tracker = OffsetTracker(0)
    for offset in range(4):
        tracker.add(offset)
        tracker.complete(offset)
    tracker.mark_committed(4)
    tracker.mark_committed(2)
    assert tracker.committed_offset == 4
