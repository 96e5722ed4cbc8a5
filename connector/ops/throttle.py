# SPDX-License-Identifier: Apache-2.0
"""Says which of many like lines are written: at most one per interval and key, with the number of those left out.

Owns no clock: the time is passed in.
"""

from __future__ import annotations

_MOST_KEYS = 1_000


class Throttle:
    """Lets one through per interval for each key."""

    def __init__(self, interval_seconds: float) -> None:
        """Start with nothing seen."""
        self._interval = interval_seconds
        self._next: dict[object, float] = {}
        self._left_out: dict[object, int] = {}

    def admit(self, key: object, now: float) -> int | None:
        """Return how many were left out since the last one of this key, or ``None`` to leave this one out."""
        if now < self._next.get(key, now):
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return None
        if len(self._next) >= _MOST_KEYS:
            self._next.clear()
        self._next[key] = now + self._interval
        return self._left_out.pop(key, 0)
