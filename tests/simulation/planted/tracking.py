# SPDX-License-Identifier: Apache-2.0
"""Mistakes in what is tracked and committed.

Owns the faults of trackers, windows and starts. They reach inside the connector, as mistakes do.
"""
# ruff: noqa: SLF001  a planted fault is made inside of what it breaks

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from connector.engine import assignment, engine
from connector.engine.offsets import OffsetTracker
from connector.kafka import starts
from connector.kafka.window import Window
from tests.simulation.planted.fault import Planted
from tests.simulation.scheduler import Process, this_process

if TYPE_CHECKING:
    from collections.abc import Iterator


def _next_to_read(self: OffsetTracker) -> int:
    return self._next


class _Furthest(OffsetTracker):
    """Commits behind the furthest record that is complete."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self._furthest = start

    def complete(self, offset: int) -> None:
        super().complete(offset)
        if offset not in self._incomplete:
            self._furthest = max(self._furthest, offset + 1)

    def committable(self) -> int:
        return self._furthest


class _Contiguous(OffsetTracker):
    """Waits for every offset."""

    def add(self, offset: int) -> bool:
        for missing in range(self._next, offset):
            super().add(missing)
        return super().add(offset)


@contextlib.contextmanager
def _kept(*, forgets_what_runs: bool) -> Iterator[None]:
    trackers: dict[tuple[Process, object], OffsetTracker] = {}

    class _Kept(assignment.Assignment):
        __slots__ = ()

        def __init__(self, topic_partition: Any, start: int, *more: Any) -> None:  # noqa: ANN401  as the real one's
            super().__init__(topic_partition, start, *more)
            self.tracker = trackers.setdefault((this_process(), topic_partition), self.tracker)
            if forgets_what_runs:
                self.tracker._incomplete.clear()

    with patch.object(engine, "Assignment", _Kept):
        yield


FAULTS = (
    Planted(
        "committed-when-read",
        1,
        "An offset may be committed as soon as its record was delivered.",
        ("P1",),
        lambda: patch.object(OffsetTracker, "committable", _next_to_read),
    ),
    Planted(
        "stale-record-dropped",
        2,
        "A partition that comes back has its old tracker, whose unfinished records never finish.",
        ("progress", "P5", "P1", "P3"),
        lambda: _kept(forgets_what_runs=False),
    ),
    Planted(
        "tracker-survives",
        12,
        "A partition that comes back has its old tracker, which takes what was under way for done.",
        ("P1", "P5", "P3"),
        lambda: _kept(forgets_what_runs=True),
    ),
    Planted(
        "furthest-is-committed",
        25,
        "What is committed is the furthest record that was acknowledged, also past one that Button refused with a 401.",
        ("P1",),
        lambda: patch.object(assignment, "OffsetTracker", _Furthest),
    ),
    Planted(
        "gaps-are-waited-for",
        33,
        "Offsets without records are taken for records that have yet to be done.",
        ("progress",),
        lambda: patch.object(assignment, "OffsetTracker", _Contiguous),
    ),
    Planted(
        "added-partition-from-its-end",
        4,
        "A partition that was added is read from where a new group begins.",
        ("P1", "progress"),
        lambda: patch.object(starts, "birth_of_group", lambda *_: 1_000),
    ),
    Planted(
        "no-window",
        42,
        "What is delivered and not committed is not bounded.",
        ("P6",),
        lambda: patch.object(Window, "room", lambda *_: 1_000),
    ),
)
