# SPDX-License-Identifier: Apache-2.0
"""What ends the process when a part of it that everything hangs on does not move any more.

Owns a thread of its own, because a loop that is stuck cannot say so. It looks at signs of life in even steps, and
counts its own steps and not time: a process that was frozen as a whole, or a machine that slept, is no stuck part of
it. What waits for the outside gives signs of life meanwhile, but for a commit at a revoke: the bound is longer than
that may take.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from connector.ops.faults import whereabouts

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_STEPS = 20
_LONGEST_STEP_SECONDS = 1.0
_REMEDY = "Uncommitted records are read again. Start the connector again; if it comes back, report this line."


class _Watched:
    """One part: its sign of life, and for how many steps that has been the same."""

    def __init__(self, thread_id: int | None, sign: Callable[[], object]) -> None:
        self.thread_id = thread_id
        self._sign = sign
        self._last = sign()
        self._steps = 0

    def steps_without_a_sign(self) -> int:
        sign = self._sign()
        self._steps = self._steps + 1 if sign == self._last else 0
        self._last = sign
        return self._steps


class Watchdog:
    """Watches until the loop is closed; ``end`` is called on the watchdog's thread with the reason, never to return."""

    def __init__(self, bound_seconds: float, end: Callable[[str], object]) -> None:
        """Let each part be without a sign of life for so long."""
        self._bound_seconds = bound_seconds
        self._step_seconds = min(bound_seconds / _STEPS, _LONGEST_STEP_SECONDS)
        self._end = end
        self._parts: dict[str, _Watched] = {}
        self._turns = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the loop, on whose thread this is called."""
        self._loop = loop
        self.watch("the event loop", threading.get_ident(), lambda: self._turns)
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def watch(self, name: str, thread_id: int | None, sign: Callable[[], object]) -> None:
        """Watch another part, whose ``sign`` must not stay the same while it lives."""
        self._parts = {**self._parts, name: _Watched(thread_id, sign)}

    def forget(self, name: str) -> None:
        """Watch a part no more: it is to end."""
        self._parts = {each: part for each, part in self._parts.items() if each != name}

    def _run(self) -> None:
        while True:
            time.sleep(self._step_seconds)
            for name, part in self._parts.items():
                if part.steps_without_a_sign() * self._step_seconds >= self._bound_seconds:
                    self._end(self._reason(name, part))
                    return
            try:
                self._loop.call_soon_threadsafe(self._turn)
            except RuntimeError:  # It is closed: the process ends.
                return

    def _turn(self) -> None:
        self._turns += 1

    def _reason(self, name: str, part: _Watched) -> str:
        frame = sys._current_frames().get(part.thread_id or 0)  # noqa: SLF001  there is no other way to know
        where = f" at {whereabouts(frame)}" if frame is not None else ""
        return f"{name} has not moved for {self._bound_seconds:g} s: it is stuck{where}. {_REMEDY}"
