# SPDX-License-Identifier: Apache-2.0
"""The standstill while dead letters would be too many: lanes are held, one at a time is let through.

Owns the lanes that are held and the time between two that are let through. The membership of the group lives on, the
source pauses by its own bounds, and nothing is lost: what is held is incomplete. Decides nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.engine.dead_letter_limit import DeadLetterLimit
    from connector.engine.lanes import Lane, Lanes
    from connector.engine.task import Task


class Standstill:
    """Holds lanes back for as long as the limit says so."""

    def __init__(self, limit: DeadLetterLimit, lanes: Lanes[Task], has_more: Callable[[], bool]) -> None:
        """Hold nothing; ``has_more`` says whether records wait to be taken in."""
        self._limit = limit
        self._lanes = lanes
        self._has_more = has_more
        self._is_turn_of_more = False
        self._held: deque[Lane[Task]] = deque()
        self._changed = asyncio.Event()
        limit.changed = self._changed.set

    def hold(self, lane: Lane[Task]) -> None:
        """Keep a lane until its event may be decided."""
        self._held.append(lane)

    def let_go_of_the_dead(self) -> None:
        """Let go of lanes whose first event is not ours any more: whoever takes them ends it."""
        for _ in range(len(self._held)):
            lane = self._held.popleft()
            if lane.tasks[0].assignment.is_owned:
                self._held.append(lane)
            else:
                self._lanes.offer(lane)

    async def run(self) -> None:
        """Let one event through from time to time while all are held, and all of them when they may go on."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._limit.is_halted:
                await self._probe()
            while self._held:
                self._lanes.offer(self._held.popleft())
            self._lanes.wake()

    async def _probe(self) -> None:
        if not self._limit.may_take_in():
            await self._change()
        if self._limit.is_halted and self._limit.may_take_in():
            # In turn: all that is held may be bad, and what comes behind it good.
            if self._held and not (self._is_turn_of_more and self._has_more()):
                self._lanes.offer(self._held.popleft())
            else:
                self._lanes.wake()
            self._is_turn_of_more = not self._is_turn_of_more
            await self._change()

    async def _change(self) -> None:
        """Wait for a change, or let one event through after a time: the last one may have gone with its partition."""
        try:
            async with asyncio.timeout(self._limit.wait_seconds):
                await self._changed.wait()
        except TimeoutError:
            self._limit.let_one_through()
        self._changed.clear()
