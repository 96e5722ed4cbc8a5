# SPDX-License-Identifier: Apache-2.0
"""Waiting for a key to come.

Owns who waits for which key, and that only so many do. Knows nothing of what a key means. All on the loop.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable


class Arrivals:
    """Wakes those who wait for a key; no more than ``max_waiting`` at a time."""

    def __init__(self, max_waiting: int) -> None:
        """Begin with nobody waiting."""
        self._max_waiting = max_waiting
        self._waiting = 0
        self._by_key: dict[Hashable, set[asyncio.Event]] = {}

    @property
    def is_awaited(self) -> bool:
        """Say whether anybody waits for anything."""
        return self._waiting > 0

    def tell(self, key: Hashable) -> None:
        """Wake those who wait for this key."""
        for event in self._by_key.get(key, ()):
            event.set()

    async def first_of(self, keys: Iterable[Hashable], timeout_seconds: float) -> bool:
        """Return true as soon as one of the keys comes, false after the timeout, or at once if too many wait."""
        if self._waiting >= self._max_waiting:
            return False
        self._waiting += 1
        event, wanted = asyncio.Event(), tuple(keys)
        for key in wanted:
            self._by_key.setdefault(key, set()).add(event)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await event.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
            for key in wanted:
                self._forget(key, event)

    def _forget(self, key: Hashable, event: asyncio.Event) -> None:
        events = self._by_key.get(key, set())
        events.discard(event)
        if not events:
            self._by_key.pop(key, None)
