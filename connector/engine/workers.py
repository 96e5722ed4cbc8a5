# SPDX-License-Identifier: Apache-2.0
"""The workers: as many awake as calls may be under way.

Owns how many there are, which of them rest, and the timer that ends a rest. Decides nothing about calls: that is
:mod:`connector.engine.admission`'s. A worker that rests holds no lane.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.engine.admission import Admission


class Workers:
    """Keeps workers awake or at rest; ``begin`` starts one more, ``hand_out`` gives waiting ones what was put back."""

    def __init__(self, admission: Admission, begin: Callable[[], None], hand_out: Callable[[], None]) -> None:
        """Begin with none."""
        self._admission = admission
        self._begin = begin
        self._hand_out = hand_out
        self._awake = 0
        self._resting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    @property
    def is_any_resting(self) -> bool:
        """Whether somebody could be woken."""
        return bool(self._resting)

    async def rest(self, seconds: float) -> None:
        """Sleep until there is something to do, or the time is over; for ever if it is infinite."""
        loop = asyncio.get_running_loop()
        if seconds < inf:
            self._wake_at(loop, loop.time() + seconds)
        sleeper = loop.create_future()
        self._resting.append(sleeper)
        self._awake -= 1
        await sleeper

    def attend(self) -> None:
        """Have as many awake as may start something; while a rest is timed, that comes first."""
        if self._timer is None:
            self._time_is_up()

    def reconsider(self) -> None:
        """Attend at once: the reason of the rest may be over."""
        if self._timer is not None:
            self._timer.cancel()
        self._time_is_up()

    def _time_is_up(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        if (seconds := self._admission.opens_in(now)) > 0.0:
            self._wake_at(loop, now + seconds)
            return
        self._hand_out()
        idle, room = self._admission.limit - self._awake, self._admission.room(now)
        if room < idle:
            # Those that start now ask again when their calls have ended, which may be long after there is more room.
            self._wake_at(loop, now + self._admission.more_room_in(now))
        for _ in range(min(idle, room)):
            self._awake += 1
            if not self._resting:
                self._begin()
            elif not (sleeper := self._resting.popleft()).done():  # unless the engine ends
                sleeper.set_result(None)

    def _wake_at(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            # Kept here, because uvloop gives what is due already as a handle that does not know when.
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = loop.call_at(at, self._time_is_up)
