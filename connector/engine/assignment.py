# SPDX-License-Identifier: Apache-2.0
"""One assignment of one partition, from the group's giving it to its taking it back.

Owns the assignment's life: owned, then draining (nothing new starts), then fenced (nothing counts any more). A
partition that comes back is a new assignment with a new tracker, so that a late completion can never be taken for
the new one's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING

from connector.engine.ages import Ages
from connector.engine.offsets import OffsetTracker

if TYPE_CHECKING:
    from connector.engine.lanes import Lane
    from connector.engine.ports import RawRecord, TopicPartition
    from connector.engine.task import Task


class Life(Enum):
    """Where an assignment is in its life; it only ever moves forward."""

    OWNED = auto()
    DRAINING = auto()
    FENCED = auto()


class Assignment:
    """What the engine knows of a partition while it has it.

    ``waiting`` holds records that may not be decided yet, for as many reasons as ``preparing`` says: one before them
    cannot be decoded yet, or the ledger has not read yet what others may have written. While ``is_suspended`` nothing
    goes on that was taken in already, either: ``suspended`` holds the lanes that came by. What was decided in an
    earlier ``term`` is decided anew, because others may have owned the partition since.
    """

    __slots__ = (
        "_idle",
        "ages",
        "is_suspended",
        "life",
        "preparing",
        "running",
        "suspended",
        "term",
        "topic_partition",
        "tracker",
        "waiting",
    )

    def __init__(self, topic_partition: TopicPartition, start: int) -> None:
        """Begin at the offset of the first record to come."""
        self.topic_partition = topic_partition
        self.tracker = OffsetTracker(start)
        self.ages = Ages()
        self.life = Life.OWNED
        self.running = 0
        self.preparing = 0
        self.is_suspended = False
        self.suspended: list[Lane[Task]] = []
        self.term = 0
        self.waiting: deque[RawRecord] = deque()
        self._idle: asyncio.Event | None = None

    @property
    def is_owned(self) -> bool:
        """Whether work of this assignment may be started."""
        return self.life is Life.OWNED

    def oldest_unfinished_seconds(self, now_ms: int) -> float:
        """Return how long ago the oldest record that has not reached its end was written; 0 if there is none."""
        written_ms = self.ages.time_of(self.tracker.committable()) if self.tracker.incomplete else None
        return 0.0 if written_ms is None else max(0, now_ms - written_ms) / 1000

    def begin(self) -> None:
        """Note that something of this assignment is on its way outside (a call, a dead letter)."""
        self.running += 1

    def end(self) -> None:
        """Note that it came back, with whatever result."""
        self.running -= 1
        if self._idle is not None and not self.running:
            self._idle.set()

    async def idle(self) -> None:
        """Return once nothing of this assignment is on its way."""
        self._idle = asyncio.Event()
        if not self.running:
            return
        await self._idle.wait()
