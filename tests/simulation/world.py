# SPDX-License-Identifier: Apache-2.0
"""What all parts of a simulation share: the seed's streams of chance, the journal, and the first thing that went wrong.

Owns that everything follows from the seed: each part draws from a stream of its own, so that one more draw here does
not change what happens there. The journal is what two runs of a seed are compared by.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BEGINNING_MS = 1_700_000_123_000
"""Unix time when simulated time is 0."""


class ViolationError(AssertionError):
    """A promise was broken; the message begins with which one."""


class World:
    """One simulation's shared state."""

    def __init__(self, seed: int) -> None:
        """Begin with nothing said and nothing wrong."""
        self.seed = seed
        self.journal: list[tuple[object, ...]] = []
        self._loop = asyncio.get_running_loop()
        self._wrong: asyncio.Future[None] = self._loop.create_future()
        self.kafka_up = Switch()
        self.letters_up = Switch()

    def stream(self, name: str) -> Random:
        """Return a stream of chance of its own."""
        return Random(f"{self.seed}:{name}")  # noqa: S311  reproducible on purpose

    def now(self) -> float:
        """Return the simulated time in seconds."""
        return self._loop.time()

    def now_ms(self) -> int:
        """Return Unix time in milliseconds; the clock of every process."""
        return BEGINNING_MS + int(self._loop.time() * 1000)

    def note(self, *what: object) -> None:
        """Write a line into the journal."""
        self.journal.append((round(self._loop.time(), 6), *what))

    def fail(self, promise: str, message: str) -> None:
        """Note that a promise is broken; the first one ends the simulation."""
        self.note("VIOLATION", promise, message)
        if not self._wrong.done():
            self._wrong.set_exception(ViolationError(f"{promise}: {message}"))

    async def until(self, condition: Callable[[], bool], deadline_seconds: float, promise: str, what: str) -> None:
        """Wait until a condition holds, or for the first thing that goes wrong; that it never holds is wrong, too."""
        deadline = self.now() + deadline_seconds
        while not condition():
            if self.now() > deadline:
                self.fail(promise, f"{what} within {deadline_seconds:g} s")
            await self.sleep(1.0)

    async def sleep(self, seconds: float) -> None:
        """Let time pass, or fail with the first thing that went wrong."""
        if not self._wrong.done():
            await asyncio.wait((self._wrong,), timeout=seconds)
        if self._wrong.done():
            self._wrong.result()

    def check(self) -> None:
        """Raise what went wrong first."""
        if self._wrong.done():
            self._wrong.result()


class Switch:
    """Something that is up or down; whoever needs it waits for it."""

    def __init__(self) -> None:
        """Begin up."""
        self.is_up = True
        self._waiting: list[Callable[[], object]] = []

    def when_up(self, function: Callable[[], object]) -> None:
        """Call a function at once, or when it comes up."""
        if self.is_up:
            function()
        else:
            self._waiting.append(function)

    def turn(self, *, up: bool) -> None:
        """Turn it on or off."""
        self.is_up = up
        while self.is_up and self._waiting:
            self._waiting.pop(0)()
