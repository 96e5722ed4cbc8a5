# SPDX-License-Identifier: Apache-2.0
"""Threads in lockstep with the simulated loop: blocking code runs unchanged, and every run is the same.

Owns the baton: either the loop runs or one of these threads does, never both. A thread blocks only in
:meth:`LockstepThread.wait`, which is a wait of the loop in simulated time, within the thread's process, so that the
thread of a frozen process does not come back from it. Stands in for ``threading.Thread``; knows nothing of Kafka.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from _thread import allocate_lock
from collections import deque
from queue import Empty
from typing import TYPE_CHECKING

from tests.simulation.scheduler import Process, this_process

if TYPE_CHECKING:
    from collections.abc import Callable


class KilledError(BaseException):
    """The process of this thread is dead; whatever it does on its way out has no effect."""


class _Worker:
    """A real thread, used again and again: to start one costs more than a hundred handings of the baton."""

    idle: deque[_Worker] = deque()  # noqa: RUF012  shared on purpose

    def __init__(self) -> None:
        self._go, self._came_back = allocate_lock(), allocate_lock()
        self._go.acquire()
        self._came_back.acquire()
        self.function: Callable[[], None] | None = None
        self.error: BaseException | None = None
        threading.Thread(target=self._work, name="lockstep", daemon=True).start()

    def run(self) -> None:
        """Let the thread run until it waits or ends; for the loop's side."""
        self._go.release()
        self._came_back.acquire()

    def give_back(self) -> None:
        """Let the loop run until it says otherwise; for the thread's side."""
        self._came_back.release()
        self._go.acquire()

    def _work(self) -> None:
        self._go.acquire()
        while True:
            assert self.function is not None
            try:
                self.function()
            except KilledError:
                pass
            except BaseException as error:  # noqa: BLE001  it is raised again on the loop
                self.error = error
            self.function = None
            self.give_back()


class LockstepThread:
    """Looks like ``threading.Thread`` to the code under test; belongs to the process that made it."""

    def __init__(self, target: Callable[[], None], name: str = "", *, daemon: bool = True) -> None:
        """Take what is to be run."""
        del name, daemon
        self._target = target
        self._process: Process = this_process()
        self._worker: _Worker | None = None
        self._seconds = 0.0
        self._is_notified = False
        self._woken: asyncio.Future[None] | None = None
        _OF_PROCESS[self._process] = self

    def start(self) -> None:
        """Begin to run."""
        worker = self._worker = _Worker.idle.pop() if _Worker.idle else _Worker()
        context = contextvars.copy_context()
        worker.function = lambda: context.run(self._target)
        self._driver = self._process.spawn(self._drive(worker))

    def is_alive(self) -> bool:
        """Return whether it has not ended."""
        return self._worker is not None

    def wait(self, seconds: float) -> None:
        """Wait until somebody notifies, or for so long; on the thread itself."""
        worker = self._worker
        assert worker is not None
        if not self._process.is_dead and not self._is_notified and seconds > 0:
            self._seconds = seconds
            worker.give_back()
        self._is_notified = False
        if self._process.is_dead:
            raise KilledError

    def notify(self) -> None:
        """Wake the thread, or keep it from waiting the next time; on the loop or on the thread."""
        self._is_notified = True
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def end(self) -> None:
        """Run a thread whose process is dead to its end."""
        if self._worker is not None:
            self.notify()
            await asyncio.wait((self._driver,))

    async def _drive(self, worker: _Worker) -> None:
        loop = asyncio.get_running_loop()
        while True:
            worker.run()
            if worker.function is None:
                break
            if not self._is_notified:
                woken = self._woken = loop.create_future()
                timer = loop.call_later(self._seconds, _wake, woken)
                await woken
                timer.cancel()
                self._woken = None
        self._worker = None
        _OF_PROCESS.pop(self._process, None)
        error, worker.error = worker.error, None
        _Worker.idle.append(worker)
        if error is not None:
            raise error


_OF_PROCESS: dict[Process, LockstepThread] = {}


def thread_of(process: Process) -> LockstepThread | None:
    """Return the thread of a process."""
    return _OF_PROCESS.get(process)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


class LockstepQueue:
    """Looks like ``queue.SimpleQueue`` to the thread that reads it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._items: deque[Callable[[], None]] = deque()
        self._process = this_process()

    def put(self, item: Callable[[], None]) -> None:
        """Put an item in; from the loop or the thread."""
        self._items.append(item)
        thread = thread_of(self._process)
        if thread is not None:
            thread.notify()

    def empty(self) -> bool:
        """Return whether nothing is there."""
        return not self._items

    def get_nowait(self) -> Callable[[], None]:
        """Return the next item."""
        return self._items.popleft()

    def get(self, timeout: float) -> Callable[[], None]:
        """Return the next item; raises ``queue.Empty`` if there is none when the wait is over, whatever ended it."""
        if not self._items:
            thread = thread_of(self._process)
            assert thread is not None
            thread.wait(timeout)
        if not self._items:
            raise Empty
        return self._items.popleft()
