# SPDX-License-Identifier: Apache-2.0
"""Delivery: takes the first event of a lane to its end.

Owns what happens between "this event's turn has come" and "this event is complete": the decision, the attempts, the
waits between them, the dead letter. Never completes an event before its end is durable, never starts a call for an
assignment that is not owned or that ``may_start`` forbids, and never gives an event up because the other side is
down. A worker is bound for one attempt only; a wait binds none.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from connector.domain.attribution import attribute, is_attributable, session_keys, user_key
from connector.domain.dead_letter import DeadLetter, Stage
from connector.domain.lifecycle import decide
from connector.domain.orders import Await, Cancel, Create, Lookup, Note, Operation, Reject, Skip, Update
from connector.domain.responses import (
    AlreadyApplied,
    Ambiguous,
    Applied,
    Finalized,
    Found,
    Halt,
    LookUp,
    NotFound,
    Refused,
    Retry,
    interpret,
)
from connector.engine.admission import State
from connector.engine.assignment import Assignment, Life
from connector.engine.observations import (
    AttemptFailed,
    AttemptFinished,
    DeadLettered,
    EventSkipped,
    OrderDelivered,
    StaleCompletion,
    TokenLookedUp,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Call
    from connector.domain.policy import Policy
    from connector.domain.responses import Outcome
    from connector.engine.admission import Admission
    from connector.engine.backoff import Backoff
    from connector.engine.lanes import Lane, Lanes
    from connector.engine.ports import (
        Clock,
        DeadLetters,
        EventTrace,
        Observer,
        OrderApi,
        RawRecord,
        SessionTable,
        TopicPartition,
    )

_ASK_AGAIN_SECONDS = 0.1
"""How soon an event that ``may_start`` held back asks again."""


class Task:
    """One event on its way: where it came from, what it is, and how far it has got."""

    __slots__ = ("assignment", "attempts", "call", "event", "index", "record", "trace")

    def __init__(
        self,
        assignment: Assignment,
        record: RawRecord,
        index: int,
        event: CommerceEvent,
        trace: EventTrace | None = None,
    ) -> None:
        """Start before the first decision; ``index`` counts events within the record."""
        self.assignment = assignment
        self.record = record
        self.index = index
        self.event = event
        self.trace = trace
        self.call: Call | None = None
        self.attempts = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The ports and shared parts that deliveries use.

    ``may_start`` is asked before every start of a call, with the partition that the event came from. ``spawn`` runs
    something beside the workers; ``complete`` notes that one event of the record at an offset reached its end.
    """

    orders: OrderApi
    sessions: SessionTable
    dead_letters: DeadLetters
    clock: Clock
    observer: Observer
    admission: Admission
    backoff: Backoff
    random: Random
    may_start: Callable[[TopicPartition], bool]
    policy: Policy
    spawn: Callable[[Coroutine[None, None, None]], object]
    complete: Callable[[Assignment, int], None]


class Delivery:
    """What the workers do; one for all of them."""

    def __init__(self, lanes: Lanes[Task], surroundings: Surroundings) -> None:
        """Take work from ``lanes``."""
        self._lanes = lanes
        self._use = surroundings
        self._observe = surroundings.observer
        self._admission = surroundings.admission
        self._reopened = asyncio.Event()
        self.in_flight = 0

    async def work(self) -> None:
        """Work on one lane after the other, for ever."""
        while True:
            lane = await self._lanes.take()
            task = lane.tasks[0]
            if not task.assignment.is_owned:
                self._lanes.settle(lane)
            elif task.call is not None or self._decide(lane, task):
                await self._deliver(lane, task)

    def bury(  # noqa: PLR0913  the event, why, and what follows it
        self,
        assignment: Assignment,
        record: RawRecord,
        index: int | None,
        stage: Stage,
        reject: Reject,
        *,
        trace: EventTrace | None,
    ) -> None:
        """Make an event, or a record as a whole, a dead letter that no lane waits for."""
        letter = self._letter(record, index, stage, reject, attempts=0)
        assignment.begin()
        self._use.spawn(self._write(assignment, record, letter, None, trace))

    def _decide(self, lane: Lane[Task], task: Task) -> bool:
        """Decide about the event; true when there is a call to make, else the lane is taken care of."""
        decision = decide(task.event, None, self._token(task.event), self._use.policy)
        match decision:
            case Create() | Cancel():
                task.call = decision
                return True
            case Skip():
                self._observe(EventSkipped(decision.reason))
                self._finish(lane, task, "skipped", decision.reason)
            case Reject():
                self._bury(lane, task, Stage.MAP, decision)
            case Update() | Lookup() | Await() | Note():
                message = f"{type(decision).__name__} needs a memory of orders"
                raise TypeError(message)
            case _:
                assert_never(decision)
        return False

    def _token(self, event: CommerceEvent) -> str | None:
        if not is_attributable(event, self._use.policy):
            return None
        lookup = self._use.sessions.lookup(
            session_keys=session_keys(event),
            user_key=user_key(event),
            as_of_ms=event.occurred_at_ms,
        )
        attribution = attribute(event, lookup, self._use.policy)
        self._observe(TokenLookedUp(attribution.source))
        return attribution.token

    async def _deliver(self, lane: Lane[Task], task: Task) -> None:
        loop = asyncio.get_running_loop()
        while (wait_seconds := self._admission.try_start(loop.time())) > 0.0:
            await self._reopening(wait_seconds)
        assignment = task.assignment
        if not assignment.is_owned:
            self._admission.abandoned(loop.time())
            self._lanes.settle(lane)
            return
        if not self._use.may_start(assignment.topic_partition):
            self._admission.abandoned(loop.time())
            self._lanes.offer_later(lane, _ASK_AGAIN_SECONDS)
            return
        await self._attempt(lane, task, loop)

    async def _attempt(self, lane: Lane[Task], task: Task, loop: asyncio.AbstractEventLoop) -> None:
        call = task.call
        if call is None:
            message = "an attempt without a call"
            raise AssertionError(message)
        operation = Operation.CREATE if isinstance(call, Create) else Operation.CANCEL
        task.attempts += 1
        self.in_flight += 1
        task.assignment.begin()
        started = loop.time()
        try:
            answered = self._use.orders.send(call)
            reply = await (answered if task.trace is None else task.trace.attempt(operation, task.attempts, answered))
            now = loop.time()
            outcome = interpret(operation, reply)
            result = "applied" if isinstance(outcome, Applied) else outcome.reason
            self._observe(AttemptFinished(operation, result, now - started))
            self._judge(lane, task, operation, outcome, now)
        finally:
            # Last of all: a drain that waits for this assignment must find whatever the answer led to.
            self.in_flight -= 1
            task.assignment.end()

    def _judge(self, lane: Lane[Task], task: Task, operation: Operation, outcome: Outcome, now: float) -> None:
        match outcome:
            case Applied():
                self._delivered(lane, task, operation, "applied")
            case AlreadyApplied():
                self._delivered(lane, task, operation, outcome.reason)
            case Retry() | Ambiguous():
                self._again(lane, task, operation, outcome, now)
            case Refused() | Finalized():
                self._answered()
                self._bury(lane, task, Stage.DELIVER, Reject(outcome.reason, outcome.message))
            case Halt():
                self._admission.unauthorized(now, outcome.reason, outcome.message)
                self._reopened.set()
                self._lanes.offer(lane)
            case LookUp() | Found() | NotFound():
                message = f"{type(outcome).__name__} needs a memory of orders"
                raise TypeError(message)
            case _:
                assert_never(outcome)

    def _delivered(self, lane: Lane[Task], task: Task, operation: Operation, how: str) -> None:
        self._answered()
        self._observe(OrderDelivered(operation, how, task.attempts))
        self._finish(lane, task, "delivered", how)

    def _again(
        self,
        lane: Lane[Task],
        task: Task,
        operation: Operation,
        outcome: Retry | Ambiguous,
        now: float,
    ) -> None:
        after_seconds = outcome.after_seconds if isinstance(outcome, Retry) else None
        self._admission.failed(now, lane.key, outcome.reason, outcome.message, after_seconds)
        if self._admission.state is not State.RUNNING:
            self._reopened.set()  # Those who waited for this probe may be the next one.
        delay_seconds = self._use.backoff.draw(task.attempts, self._use.random) + (after_seconds or 0.0)
        record = task.record
        self._observe(
            AttemptFailed(
                record.topic_partition,
                record.offset,
                operation,
                outcome.reason,
                outcome.message,
                task.attempts,
                delay_seconds,
            ),
        )
        self._lanes.offer_later(lane, delay_seconds)

    def _bury(self, lane: Lane[Task], task: Task, stage: Stage, reject: Reject) -> None:
        letter = self._letter(task.record, task.index, stage, reject, task.attempts)
        task.assignment.begin()
        self._use.spawn(self._write(task.assignment, task.record, letter, lane, task.trace))

    def _letter(self, record: RawRecord, index: int | None, stage: Stage, reject: Reject, attempts: int) -> DeadLetter:
        topic, partition = record.topic_partition
        return DeadLetter(
            topic=topic,
            partition=partition,
            offset=record.offset,
            event_index=index,
            stage=stage,
            reason=reject.reason,
            message=reject.message,
            attempts=attempts,
            time_ms=self._use.clock.now_ms(),
        )

    async def _write(
        self,
        assignment: Assignment,
        record: RawRecord,
        letter: DeadLetter,
        lane: Lane[Task] | None,
        trace: EventTrace | None,
    ) -> None:
        try:
            await self._use.dead_letters.write(record, letter)
            self._observe(
                DeadLettered(
                    record.topic_partition,
                    record.offset,
                    letter.event_index,
                    letter.stage,
                    letter.reason,
                    letter.message,
                ),
            )
            if trace is not None:
                trace.end("dead_letter", letter.reason)
            self._complete(assignment, record)
        finally:
            assignment.end()
        if lane is not None:
            self._lanes.settle(lane)

    def _finish(self, lane: Lane[Task], task: Task, outcome: str, reason: str) -> None:
        if task.trace is not None:
            task.trace.end(outcome, reason)
        self._complete(task.assignment, task.record)
        self._lanes.settle(lane)

    def _complete(self, assignment: Assignment, record: RawRecord) -> None:
        if assignment.life is Life.FENCED:
            self._observe(StaleCompletion(record.topic_partition, record.offset))
        else:
            self._use.complete(assignment, record.offset)

    def _answered(self) -> None:
        was_open = self._admission.state is State.RUNNING
        self._admission.answered()
        if not was_open:
            self._reopened.set()

    async def _reopening(self, wait_seconds: float) -> None:
        """Wait until the admission may think otherwise: its state changed, or the time that it named is over."""
        self._reopened.clear()
        try:
            async with asyncio.timeout(wait_seconds):
                await self._reopened.wait()
        except TimeoutError:
            pass
