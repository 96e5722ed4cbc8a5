# SPDX-License-Identifier: Apache-2.0
"""Lanes: the events of one order, one at a time, in arrival order (P2); lanes run side by side.

Rule 1: a lane is in exactly one place: in the ready queue, with one worker, or held (a timer or a dead letter will
offer it again). Whoever holds it ends with :meth:`Lanes.settle`, :meth:`Lanes.offer` or :meth:`Lanes.offer_later`.
Rule 2: lanes belong to the process, not to an assignment. A key that is handed back while an old call of it still
runs therefore waits for that call.

A lane that has more to do goes to the end of the ready queue, so that a busy order never starves the others. Work is
taken in only when a worker has nothing else to do (``refill``), so that an event is decoded right before it is worked
on: what waits is small, and what is decoded is still in the processor's cache. Knows nothing of what a task does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

TaskT = TypeVar("TaskT")

_TAKEN_IN_WITHOUT_A_BREAK = 50


class Lane(Generic[TaskT]):
    """The waiting tasks of one key; the first is the one that is being worked on."""

    __slots__ = ("key", "tasks", "timer")

    def __init__(self, key: str, task: TaskT) -> None:
        """Open the lane with its first task."""
        self.key = key
        self.tasks: deque[TaskT] = deque((task,))
        self.timer: asyncio.TimerHandle | None = None


class Lanes(Generic[TaskT]):
    """All lanes that have something to do, and the workers that wait for one; used on one event loop."""

    def __init__(self, refill: Callable[[], bool]) -> None:
        """Start empty; ``refill`` takes in one piece of work, which may or may not give a task, false if none is left.

        Where new work appears while workers wait, whoever knows calls :meth:`wake`.
        """
        self._refill = refill
        self._lanes: dict[str, Lane[TaskT]] = {}
        self._ready: deque[Lane[TaskT]] = deque()
        self._workers: deque[asyncio.Future[Lane[TaskT]]] = deque()

    def __len__(self) -> int:
        """Return how many keys have something to do."""
        return len(self._lanes)

    def push(self, key: str, task: TaskT) -> None:
        """Put a task at the end of its key's lane."""
        lane = self._lanes.get(key)
        if lane is not None:
            lane.tasks.append(task)
            return
        lane = self._lanes[key] = Lane(key, task)
        self.offer(lane)

    async def take(self) -> Lane[TaskT]:
        """Return a lane whose first task is to be worked on; the caller holds it."""
        taken_in = 0
        while not self._ready and self._refill():
            taken_in += 1
            if taken_in % _TAKEN_IN_WITHOUT_A_BREAK == 0:
                await asyncio.sleep(0)  # Work that gives no task must not keep the loop from everything else.
        if self._ready:
            return self._ready.popleft()
        worker: asyncio.Future[Lane[TaskT]] = asyncio.get_running_loop().create_future()
        self._workers.append(worker)
        return await worker

    def wake(self) -> None:
        """Take in work for as long as there is some and workers wait."""
        while self._workers and self._refill():
            pass

    def settle(self, lane: Lane[TaskT]) -> None:
        """End the first task of a held lane."""
        lane.tasks.popleft()
        if lane.tasks:
            self.offer(lane)
        else:
            del self._lanes[lane.key]

    def offer(self, lane: Lane[TaskT]) -> None:
        """Let go of a held lane: its first task is to be worked on (again)."""
        lane.timer = None
        while self._workers:
            worker = self._workers.popleft()
            if not worker.done():
                worker.set_result(lane)
                return
        self._ready.append(lane)

    def offer_later(self, lane: Lane[TaskT], delay_seconds: float) -> None:
        """Offer a held lane after a time; no worker is bound meanwhile."""
        lane.timer = asyncio.get_running_loop().call_later(delay_seconds, self.offer, lane)

    def put_back(self, lane: Lane[TaskT]) -> None:
        """Let go of a held lane without handing it on: whoever takes the next one takes it."""
        self._ready.appendleft(lane)

    def hand_out(self) -> None:
        """Hand what was put back to workers that wait for work: they have not heard of it."""
        while self._ready and self._workers:
            worker = self._workers.popleft()
            if not worker.done():
                worker.set_result(self._ready.popleft())

    def give_way(self, lane: Lane[TaskT], is_better: Callable[[TaskT], bool]) -> bool:
        """Put a held lane behind a better one, if there is one that is ready or can be taken in; else keep it."""
        while (better := next((each for each in self._ready if is_better(each.tasks[0])), None)) is None:
            waiting = len(self._workers)
            if not self._refill():
                return False
            if len(self._workers) < waiting:
                break  # The new one is in good hands.
        if better is not None:
            self._ready.remove(better)
            self._ready.appendleft(better)
        self._ready.append(lane)
        return True

    def purge(self, is_dead: Callable[[TaskT], bool]) -> None:
        """Drop dead tasks behind the first of each lane, and wake lanes that wait for the sake of a dead first one.

        The first task itself is left to whoever holds or takes the lane.
        """
        for lane in self._lanes.values():
            first, *others = lane.tasks
            lane.tasks = deque((first, *(task for task in others if not is_dead(task))))
            if lane.timer is not None and is_dead(first):
                lane.timer.cancel()
                self.offer(lane)
