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
    from connector.engine.ports import RawRecord, TopicPartition


class Life(Enum):
    """Where an assignment is in its life; it only ever moves forward."""

    OWNED = auto()
    DRAINING = auto()
    FENCED = auto()


class Assignment:
    """What the engine knows of a partition while it has it.

    ``waiting`` holds records behind one that cannot be decoded yet; ``preparing`` is true from then until it can.
    """

    __slots__ = ("_idle", "ages", "life", "preparing", "running", "topic_partition", "tracker", "waiting")

    def __init__(self, topic_partition: TopicPartition, start: int) -> None:
        """Begin at the offset of the first record to come."""
        self.topic_partition = topic_partition
        self.tracker = OffsetTracker(start)
        self.ages = Ages()
        self.life = Life.OWNED
        self.running = 0
        self.preparing = False
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
