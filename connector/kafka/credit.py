# SPDX-License-Identifier: Apache-2.0
"""How many more records may be delivered, and whether to read on.

Owns the hysteresis. A pause throws away what the client has fetched ahead, so a short want of credit is waited out
without polling, and after a pause reading goes on only when it is worth it. Never reads a clock: ``now`` is monotonic.
"""

from __future__ import annotations

from enum import Enum, auto

STARVED_AFTER_SECONDS = 0.1
_WORTH_IT_AFTER_SECONDS = 0.25


class Flow(Enum):
    """What the poll thread may do."""

    READING = auto()
    WAITING = auto()
    PAUSED = auto()


class Credit:
    """The records granted and not yet delivered."""

    __slots__ = ("_changed_at", "_first_grant", "_is_paused", "left")

    def __init__(self, now: float) -> None:
        """Begin with nothing granted."""
        self.left = 0
        self._first_grant = 0
        self._is_paused = False
        self._changed_at = now

    def grant(self, records: int, now: float) -> None:
        """Add to what may be delivered."""
        if self.left <= 0:
            self._changed_at = now
        self._first_grant = self._first_grant or records
        self.left += records

    def spend(self, records: int, now: float) -> None:
        """Take what was delivered."""
        self.left -= records
        if self.left <= 0:
            self._changed_at = now

    def flow(self, now: float) -> Flow:
        """Return what to do now.

        Half of the first grant ends a pause, and so does any credit after a moment: records that are stuck may keep
        the other half for long, and must not stop those of other partitions.
        """
        waited = now - self._changed_at
        if self.left <= 0:
            self._is_paused = self._is_paused or waited >= STARVED_AFTER_SECONDS
        elif self.left * 2 >= self._first_grant or waited >= _WORTH_IT_AFTER_SECONDS:
            self._is_paused = False
        if self._is_paused:
            return Flow.PAUSED
        return Flow.READING if self.left > 0 else Flow.WAITING
