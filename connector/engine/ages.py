# SPDX-License-Identifier: Apache-2.0
"""How old the records of a partition are that have not reached their end.

Owns the times of one assignment's records, to about a second: one mark stands for all records of its second, so that a
record costs a comparison and no memory. Decides nothing; a clock is the caller's business.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.engine.offsets import OffsetTracker

_RESOLUTION_MS = 1000


class Ages:
    """The times of the records of one assignment; records come ascending by offset."""

    __slots__ = ("_marks", "_next_mark_ms")

    def __init__(self) -> None:
        """Begin without records."""
        self._marks: deque[tuple[int, int]] = deque()
        self._next_mark_ms = 0

    def note(self, offset: int, timestamp_ms: int, tracker: OffsetTracker) -> None:
        """Note a record that the tracker holds; marks that all of its incomplete records have passed are forgotten.

        A time that runs backwards, or is negative because the brokers have none, stands for nothing of its own.
        """
        if timestamp_ms < self._next_mark_ms:
            return
        self._next_mark_ms = timestamp_ms + _RESOLUTION_MS
        self._marks.append((offset, timestamp_ms))
        self._forget_before(tracker.committable())

    def time_of(self, offset: int) -> int | None:
        """Return when the record at ``offset``, the lowest that is not complete, was written; ``None`` if unknown."""
        self._forget_before(offset)
        return self._marks[0][1] if self._marks and self._marks[0][0] <= offset else None

    def __len__(self) -> int:
        """Return how many marks are kept."""
        return len(self._marks)

    def _forget_before(self, offset: int) -> None:
        while len(self._marks) > 1 and self._marks[1][0] <= offset:
            self._marks.popleft()
