# SPDX-License-Identifier: Apache-2.0
"""Calls on their way to a simulated Button, and the weather that they meet.

Owns that a call takes effect at a moment of its own, outside of the process that made it: a process that dies or stands
still takes nothing back that it has sent. A call whose connection broke lands within its request timeout and not later
than ``settle_seconds`` after that, which is the limit that the connector names. Attributes every call to the record
that it is made for, by its trace.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.domain.answer_policy import DEFAULT_ANSWERS
from connector.domain.orders import Cancel, Lookup
from connector.domain.outcomes import Answer, NoAnswer
from tests.simulation.scheduler import in_world, this_process
from tests.support.simulated_button import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from random import Random

    from connector.domain.orders import Call, Operation
    from connector.domain.outcomes import Reply
    from connector.engine.ports import RawRecord
    from tests.simulation.oracles import Oracles, Place, Term
    from tests.simulation.scheduler import Process
    from tests.simulation.world import World
    from tests.support.simulated_button import SimulatedButton

REQUEST_SECONDS = 3.0
_HANGS_UP = "connection reset"


@dataclass
class Weather:
    """How Button is just now, for everybody; ``poisoned`` orders fail for as long as they are in it."""

    fault: Fault | None = None
    base_slowness: float = 1.0
    slowness: float = 1.0
    poisoned: set[str] = field(default_factory=set)


class Attempt:
    """One call, from its start to its answer; awaited by the engine."""

    def __init__(self, wire: Wire, call: Call) -> None:
        """Take the call; nothing is sent before it is awaited."""
        self.wire, self.call, self.process = wire, call, wire.process
        self.order_id = call.order_id if isinstance(call, Cancel | Lookup) else call.order.order_id
        self.place: Place | None = None
        self.term: Term | None = None
        self.number = 0
        self.lands_at = 0.0
        self.answered_at: float | None = None

    def __await__(self) -> Generator[object, None, Reply]:
        """Send it, and return what comes of it."""
        return self.wire.run(self).__await__()

    def may_land(self, now: float) -> bool:
        """Return whether it may still take effect, or its process still waits for it."""
        return self.lands_at > now or (self.answered_at is None and not self.process.is_dead)

    def is_awaited(self, now: float) -> bool:
        """Return whether nobody may call again yet: it was not given up, by its process or by the group."""
        if self.process.is_dead:
            return self.lands_at > now
        return self.answered_at is None and (self.lands_at > now or not self.process.is_frozen)


class Wire:
    """One process's way to Button: the engine's ``OrderApi`` and its ``Tracer``."""

    def __init__(self, world: World, button: SimulatedButton, weather: Weather, oracles: Oracles) -> None:
        """Belong to the process in which it is made."""
        self.process: Process = this_process()
        self._world, self._button, self._weather, self._oracles = world, button, weather, oracles
        self._random: Random = world.stream(f"wire {self.process.name}")

    def send(self, call: Call) -> Attempt:
        """Return an attempt, which is sent when it is awaited."""
        return Attempt(self, call)

    def begin(self, record: RawRecord, index: int | None) -> _Course:
        """Follow an event."""
        return _Course(self.process, self._oracles, record, index)

    async def run(self, attempt: Attempt) -> Reply:
        """Send a call and wait for its answer, or until the request has timed out."""
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        reply: Reply | None = None
        self._plan(attempt, answer)
        self._oracles.call_started(attempt)
        timeout = self.process.later(REQUEST_SECONDS, _answer, answer, NoAnswer("timed out"))
        try:
            reply = await answer
        finally:
            timeout.cancel()
            attempt.answered_at = self._world.now()
            self._oracles.call_ended(attempt, reply)
        return reply

    def _plan(self, attempt: Attempt, answer: asyncio.Future[Reply]) -> None:
        """Choose when the call is heard and when its answer arrives."""
        draw, weather = self._random.random, self._weather
        fault = weather.fault or self._button.draw_fault()
        seconds = min(self._random.uniform(0.01, 0.2) * weather.base_slowness * weather.slowness, 2 * REQUEST_SECONDS)
        heard, answered = seconds * draw(), seconds
        if attempt.order_id in weather.poisoned:
            fault = Fault.DOWN
        if fault is Fault.LOST:
            # The connection breaks, early or late, and what was sent is heard all the same, early or late.
            answered = draw() * REQUEST_SECONDS
            heard = min(draw() * REQUEST_SECONDS, answered + DEFAULT_ANSWERS.settle_seconds)
        heard = min(heard, REQUEST_SECONDS)
        attempt.lands_at = self._world.now() + heard
        if self.process.is_dead:
            return
        loses = draw()
        in_world(heard, self._land, attempt, fault, (answer, max(answered - heard, 0.0)), loses)
        if fault is Fault.LOST and answered < heard:
            in_world(answered, _answer, answer, NoAnswer(_HANGS_UP))

    def _land(
        self,
        attempt: Attempt,
        fault: Fault | None,
        back: tuple[asyncio.Future[Reply], float],
        loses: float,
    ) -> None:
        """Let the call take effect, and send its answer on its way."""
        if self.process.is_dead and loses < 0.3:
            return  # It had not left the machine.
        poisoned = attempt.order_id in self._weather.poisoned
        reply = Answer(500, "error") if poisoned else self._button.take(attempt.call, fault)
        status = reply.status if isinstance(reply, Answer) else type(reply).__name__
        self._world.note("heard", type(attempt.call).__name__, attempt.order_id, attempt.place, status)
        answer, seconds = back
        in_world(seconds, _answer, answer, reply)


class _Course:
    """The trace of one event."""

    def __init__(self, process: Process, oracles: Oracles, record: RawRecord, index: int | None) -> None:
        self._process, self._oracles, self._record, self._index = process, oracles, record, index

    async def attempt(self, operation: Operation, number: int, reply: Awaitable[Reply]) -> Reply:
        """Attribute an attempt to its record, and await it."""
        del operation, number
        assert isinstance(reply, Attempt)
        record = self._record
        reply.place = record.topic_partition.partition, record.offset, self._index or 0
        return await reply

    def end(self, outcome: str, reason: str) -> None:
        """Note the event's end."""
        self._oracles.ended(self._process, self._record, self._index, outcome, reason)


def _answer(answer: asyncio.Future[Reply], reply: Reply) -> None:
    if not answer.done():
        answer.set_result(reply)
