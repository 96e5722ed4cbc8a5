# SPDX-License-Identifier: Apache-2.0
"""A seeded scheduler: an event loop in simulated time that chooses what runs next, and processes that it can hold up.

Owns the order in which ready callbacks run, and what belongs to which simulated process: whatever a process starts
(tasks, timers, callbacks of futures) inherits its context, so all of it stands still when the process is frozen and
goes on, late, when it thaws. What other threads hand over to the loop keeps its order, as asyncio promises; nothing
else does. Knows nothing of the connector.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.support.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from random import Random

_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
_Handed = tuple["Callable[..., object]", tuple[Any, ...]]


class Process:
    """A simulated process: what it started runs, stands still, or is over."""

    def __init__(self, name: str) -> None:
        """Begin to run."""
        self.name = name
        self.is_frozen = False
        self.is_dead = False
        self.held: list[asyncio.Handle] = []
        self.handed_over: deque[_Handed] = deque()
        self.context = contextvars.copy_context()
        self.context.run(_PROCESS.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something in this process."""
        return the_loop().create_task(work, context=self.context.copy())

    def soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in this process."""
        the_loop().call_soon(function, *arguments, context=self.context.copy())

    def later(self, delay_seconds: float, function: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
        """Call a function in this process after a time; if it is frozen then, when it thaws."""
        loop = the_loop()
        return loop.call_later(delay_seconds, function, *arguments, context=self.context.copy())


def this_process() -> Process:
    """Return the process that the caller belongs to."""
    process = _PROCESS.get()
    assert process is not None, "this is called within a process only"
    return process


_WORLD = contextvars.copy_context()


def in_world(delay_seconds: float, function: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
    """Call a function after a time outside of every process: a network or a server does not freeze with a client."""
    return the_loop().call_later(delay_seconds, function, *arguments, context=_WORLD.copy())


class _Ready:
    """The callbacks that may run now, in place of the loop's queue."""

    def __init__(self, random: Random, disorder: float) -> None:
        self._handles: list[asyncio.Handle] = []
        self._random = random.random
        self._disorder = disorder

    def __len__(self) -> int:
        return len(self._handles)

    def append(self, handle: asyncio.Handle) -> None:
        self._handles.append(handle)

    def clear(self) -> None:
        self._handles.clear()

    def popleft(self) -> asyncio.Handle:
        handles = self._handles
        count = len(handles)
        at = int(self._random() * count) if count > 1 and self._random() < self._disorder else 0
        handle: asyncio.Handle = handles.pop(at)
        process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]  # noqa: SLF001  what it belongs to is said there only
        if process is not None and process.is_frozen:
            process.held.append(handle)
            return _NOTHING  # type: ignore[no-any-return]  # all that the loop looks at is whether it is cancelled
        return handle


class _Nothing:
    """Stands for a callback that does not run now; to the loop it looks cancelled."""

    _cancelled = True


_NOTHING: Any = _Nothing()


class InterleavedLoop(VirtualTimeLoop):
    """Runs ready callbacks in a seeded order; ``disorder`` is how often it is not the order of their coming."""

    def __init__(self, random: Random, disorder: float) -> None:
        """Start at time 0."""
        super().__init__()
        self._ready: Any = _Ready(random, disorder)
        self._handed_over: deque[_Handed] = deque()
        self._tasks: dict[Process, list[asyncio.Task[Any]]] = {}
        self.set_task_factory(self._begin_task)  # type: ignore[arg-type]  # the options differ between Pythons

    def tasks_of(self, process: Process) -> list[asyncio.Task[Any]]:
        """Return the tasks that a process has started."""
        return self._tasks.get(process, [])

    def _begin_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any],
        **options: Any,  # noqa: ANN401  whatever this Python's loops give
    ) -> asyncio.Task[Any]:
        context = options.get("context")
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        task = asyncio.Task(work, loop=loop, **options)
        if process is not None:
            self._tasks.setdefault(process, []).append(task)
        return task

    def call_soon_threadsafe(  # type: ignore[override]  # the base class ties the arguments to the callback
        self,
        callback: Callable[..., object],
        *args: Any,  # noqa: ANN401  the base class's signature
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback after all that its process handed over before."""
        process = _PROCESS.get()
        handed_over = self._handed_over if process is None else process.handed_over
        handed_over.append((callback, args))
        return self.call_soon(_run_first, handed_over, context=context)

    def thaw(self, process: Process) -> None:
        """Let a frozen process go on where it stood."""
        process.is_frozen = False
        for handle in process.held:
            self._ready.append(handle)
        process.held.clear()


_LOOP: list[InterleavedLoop] = []


def the_loop() -> InterleavedLoop:
    """Return the loop that runs; threads in lockstep have none of their own."""
    return _LOOP[-1]


@contextlib.contextmanager
def on_loop(loop: InterleavedLoop) -> Iterator[None]:
    """Make this loop the one that runs."""
    _LOOP.append(loop)
    try:
        yield
    finally:
        _LOOP.pop()


def _run_first(handed_over: deque[_Handed]) -> None:
    callback, arguments = handed_over.popleft()
    callback(*arguments)
