# SPDX-License-Identifier: Apache-2.0
"""Which offset of a partition may be committed: the heart of P1, no loss.

Rule 1: the committable offset is the lowest incomplete one, else the next to read. Nothing else ever moves it.
Rule 2: a tracker belongs to one assignment of one partition and is never reused; what a former assignment still
finishes can therefore not touch it.

Theory: offsets arrive ascending, so a dict that keeps insertion order has the lowest incomplete one in front, whatever
the order of completion. Gaps (compaction, transaction markers) need no care: an offset that never arrives is never
waited for, and a gap at the end is closed by :meth:`OffsetTracker.advance`. Knows no clock, no lock, no Kafka.
"""

from __future__ import annotations


class OffsetTracker:
    """The offsets of one assignment of one partition; not thread-safe."""

    __slots__ = ("_incomplete", "_next", "committed_offset")

    def __init__(self, start: int) -> None:
        """Start at the offset of the first record to come, which is taken as committed."""
        self._next = start
        self._incomplete: dict[int, int] = {}
        self.committed_offset = start

    def add(self, offset: int) -> bool:
        """Take in a record as one incomplete event; false for an offset that was already passed (delivered twice)."""
        if offset < self._next:
            return False
        self._next = offset + 1
        self._incomplete[offset] = 1
        return True

    def split(self, offset: int, events: int) -> None:
        """Say how many events a record just added turned out to hold; none at all completes it."""
        if events:
            self._incomplete[offset] = events
        else:
            del self._incomplete[offset]

    def complete(self, offset: int) -> None:
        """Note that one event of the record reached its end; the record is complete when all of its events did."""
        left = self._incomplete[offset] - 1
        if left:
            self._incomplete[offset] = left
        else:
            del self._incomplete[offset]

    def advance(self, position: int) -> None:
        """Note the offset to be read next: all records before it were added, so what is missing does not exist."""
        self._next = max(self._next, position)

    def committable(self) -> int:
        """Return the offset that may be committed now (next to read)."""
        return next(iter(self._incomplete), self._next)

    def mark_committed(self, offset: int) -> None:
        """Note that the group holds ``offset``."""
        self.committed_offset = max(self.committed_offset, offset)

    @property
    def incomplete(self) -> int:
        """Records with an event that has not reached its end."""
        return len(self._incomplete)
