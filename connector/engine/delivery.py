# SPDX-License-Identifier: Apache-2.0
"""Delivery: takes the first event of a lane to its end.

Owns what happens between "this event's turn has come" and "this event is complete": the decision, the attempts, the
waits between them, the fact, the dead letter. Never completes an event before its end is durable, never starts a call
for an assignment that is not owned or is suspended, nor one that ``may_start`` forbids, and never gives an event up
because the other side is down. A worker is bound for one attempt only; a wait binds none, nor does writing a fact and
reading it back.

The course of an event: decide; call; judge the answer; where the answer alone does not say enough, look the order up
and judge both; write the fact and read it back; clean, it is complete, else decide again with what is known by then.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, assert_never

from connector.domain.ambiguity import after_ambiguous, confirmation
from connector.domain.amounts import is_near_limit
from connector.domain.attribution import attribute, is_attributable, session_keys, user_key
from connector.domain.dead_letter import Stage
from connector.domain.facts import Mark, Observed, UnreadableFactError
from connector.domain.lifecycle import decide
from connector.domain.lookups import PROBE_ORDER_ID, after_lookup, is_over, operation_of
from connector.domain.orders import Await, Cancel, Create, Lookup, Note, Operation, Reject, Skip, Update
from connector.domain.outcomes import (
    AlreadyApplied,
    Ambiguous,
    Applied,
    Finalized,
    Found,
    Halt,
    LookUp,
    NotFound,
    Observe,
    Question,
    Refused,
    Retry,
)
from connector.domain.responses import interpret
from connector.engine.admission import TOO_MANY, Failure
from connector.engine.assignment import Assignment, Life
from connector.engine.books import knowledge_of, parks_its_order
from connector.engine.observations import (
    AttemptFailed,
    AttemptFinished,
    EventSkipped,
    FactNoted,
    FactUnclean,
    LargeTotalTold,
    OrderDelivered,
    StaleCompletion,
    TokenLookedUp,
)
from connector.engine.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from connector.domain.answer_policy import AnswerPolicy
    from connector.domain.attribution import Attribution
    from connector.domain.events import CommerceEvent
    from connector.domain.facts import Fact
    from connector.domain.orders import Call
    from connector.domain.outcomes import Outcome, Reply, Settled
    from connector.domain.policy import Policy
    from connector.engine.admission import Admission
    from connector.engine.backoff import Backoff
    from connector.engine.books import Books
    from connector.engine.dead_letter_limit import DeadLetterLimit
    from connector.engine.lanes import Lane, Lanes
    from connector.engine.letters import Letters
    from connector.engine.patience import Patience
    from connector.engine.ports import Clock, EventTrace, Observer, OrderApi, RawRecord, SessionTable, TopicPartition
    from connector.engine.standstill import Standstill
    from connector.engine.task import Task

_ASK_AGAIN_SECONDS = 0.1
"""How soon an event that ``may_start`` held back asks again."""

_WHETHER_WE_ARE_SERVED = frozenset((Question.FORBIDDEN, Question.PROBE))
"""What is asked when an answer may mean that Button serves us no more; it opens nothing that is closed."""

_UNSERVED = (Retry, Ambiguous, Halt)

_UNREADABLE = Reject(
    "unreadable_order",
    "Button shows an order that cannot be read, so what is left of it after the refund cannot be told; correct the "
    "order at Button by hand",
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The ports and shared parts that deliveries use.

    ``may_start`` is asked before every start of a call, with the partition that the event came from. ``spawn`` runs
    something beside the workers; ``complete`` notes that one event of the record at an offset reached its end.
    ``books`` is ``None`` without a ledger. A purchase that happened less than ``token_wait_seconds`` ago and has no
    token waits for that long, from when it happened.
    """

    orders: OrderApi
    sessions: SessionTable
    clock: Clock
    books: Books | None
    letters: Letters
    observer: Observer
    admission: Admission
    patience: Patience
    backoff: Backoff
    random: Random
    may_start: Callable[[TopicPartition], bool]
    policy: Policy
    answers: AnswerPolicy
    token_wait_seconds: float
    spawn: Callable[[Coroutine[None, None, None]], object]
    complete: Callable[[Assignment, int], None]
    limit: DeadLetterLimit
    standstill: Standstill


class Delivery:
    """What the workers do; one for all of them."""

    def __init__(self, lanes: Lanes[Task], surroundings: Surroundings) -> None:
        """Take work from ``lanes``."""
        self._lanes = lanes
        self._use = surroundings
        self._observe = surroundings.observer
        self._admission = surroundings.admission
        self._books = surroundings.books
        self._patience = surroundings.patience
        self._workers = Workers(surroundings.admission, self._begin_worker, lanes.hand_out)
        self._is_lag_measured = False

    def _begin_worker(self) -> None:
        self._use.spawn(self.work())

    def start(self) -> None:
        """Have as many workers as may be of use, from now on."""
        self._workers.attend()

    async def work(self) -> None:
        """Work on one lane after the other, for ever."""
        loop = asyncio.get_running_loop()  # Once, because before Python 3.12 each look is a system call.
        while True:
            lane = await self._lanes.take()
            task = lane.tasks[0]
            assignment = task.assignment
            if not assignment.is_owned:
                self._lanes.settle(lane)
            elif assignment.is_suspended:
                assignment.suspended.append(lane)
            elif task.call is not None and task.term == assignment.term:
                await self._deliver(lane, task, loop)
            elif not self._use.limit.claims(lane.key):
                self._use.standstill.hold(lane)
            elif self._decide(lane, task):
                await self._deliver(lane, task, loop)

    # The decision.

    def _decide(self, lane: Lane[Task], task: Task) -> bool:
        """Decide about the event; true when there is a call to make, else the lane is taken care of."""
        token = None
        if is_attributable(task.event, self._use.policy):
            attribution = self._attribution(task.event)
            if attribution.token is None and self._waits_for_its_token(lane, task):
                return False
            self._observe(TokenLookedUp(attribution.source))
            token, task.token_source = attribution
        try:
            known = None if self._books is None else self._books.known(task)
        except UnreadableFactError as error:
            task.order = None
            self._bury(lane, task, Stage.MAP, Reject("unreadable_fact", str(error)))
            return False
        decision = decide(task.event, known, token, self._use.policy)
        match decision:
            case Create() | Update() | Cancel() | Lookup():
                # What was asked before belongs to another call.
                task.call, task.asked, task.term = decision, None, task.assignment.term
                return True
            case Skip():
                self._observe(EventSkipped(decision.reason))
                self._finish(lane, task, "skipped", decision.reason)
            case Reject():
                self._bury(lane, task, Stage.MAP, decision)
            case Note():
                self._observe(FactNoted(decision.reason))
                self._write(
                    lane,
                    task,
                    self._with_books().told(task, decision.fact, decision.reason, None),
                    "noted",
                    decision.reason,
                )
            case Await():
                self._observe(FactNoted("waits"))
                self._write(lane, task, self._with_books().waits(task, decision.fact), "waits", "waits")
            case _:
                assert_never(decision)
        return False

    def _attribution(self, event: CommerceEvent) -> Attribution:
        lookup = self._use.sessions.lookup(
            session_keys=session_keys(event),
            user_key=user_key(event),
            as_of_ms=event.occurred_at_ms,
        )
        return attribute(event, lookup, self._use.policy)

    def _waits_for_its_token(self, lane: Lane[Task], task: Task) -> bool:
        """Let a young event wait, once, for its session to be heard of; other orders go on meanwhile."""
        wait_seconds = self._use.token_wait_seconds
        if wait_seconds <= 0.0 or task.has_waited:
            return False
        age_seconds = (self._use.clock.now_ms() - task.event.occurred_at_ms) / 1000
        if age_seconds >= wait_seconds:
            return False
        task.has_waited = True
        self._use.spawn(self._await_token(lane, task.event, min(wait_seconds, wait_seconds - age_seconds)))
        return True

    async def _await_token(self, lane: Lane[Task], event: CommerceEvent, timeout_seconds: float) -> None:
        await self._use.sessions.arrival(session_keys(event), user_key(event), timeout_seconds)
        self._lanes.offer(lane)

    def _with_books(self) -> Books:
        if self._books is None:
            message = "a fact was decided without a ledger"
            raise AssertionError(message)
        return self._books

    # The call.

    async def _deliver(self, lane: Lane[Task], task: Task, loop: asyncio.AbstractEventLoop) -> None:
        if not self._use.may_start(task.assignment.topic_partition):
            self._lanes.offer_later(lane, _ASK_AGAIN_SECONDS)
            return
        if not self._admission.is_open and _has_failed_twice(task) and self._lanes.give_way(lane, _is_no_suspect):
            return
        if (wait_seconds := self._admission.try_start(loop.time())) > 0.0:
            if wait_seconds < inf:
                self._let_wait(task)
            self._lanes.put_back(lane)
            await self._workers.rest(wait_seconds)
            return
        await self._attempt(lane, task, loop)

    def _let_wait(self, task: Task) -> None:
        """Forget what may be otherwise by the time that the other side is open again."""
        if task.asked is not None and task.asked.question in _WHETHER_WE_ARE_SERVED:
            task.asked = None
        if task.asked is None and self._books is not None:
            task.call = None

    async def _attempt(self, lane: Lane[Task], task: Task, loop: asyncio.AbstractEventLoop) -> None:
        decided, asked = task.call, task.asked
        if decided is None:
            message = "an attempt without a call"
            raise AssertionError(message)
        call = decided if asked is None else Lookup(PROBE_ORDER_ID if asked.is_probe else task.event.order_id or "")
        operation = operation_of(call)
        task.attempts += 1
        task.assignment.begin()
        task.started = started = loop.time()
        is_served, is_telling = False, task.failing is None
        try:
            answered = self._use.orders.send(call)
            reply = await (answered if task.trace is None else task.trace.attempt(operation, task.attempts, answered))
            now = loop.time()
            outcome = interpret(operation, reply, knowledge_of(task.order), self._use.answers)
            result = "applied" if isinstance(outcome, Applied) else outcome.reason
            self._observe(AttemptFinished(operation, result, now - started))
            is_served = not isinstance(outcome, _UNSERVED)
            if task.attempts == 1:
                self._patience.first_attempt(is_served=is_served)
            if asked is None:
                self._judge(lane, task, operation, reply, outcome, now)
            else:
                self._settle(lane, task, decided, asked, outcome, now)
        finally:
            # Last of all: a drain that waits for this assignment must find whatever the answer led to.
            self._ended(loop, started, is_served=is_served, is_telling=is_telling)
            task.assignment.end()

    def _ended(self, loop: asyncio.AbstractEventLoop, started: float, *, is_served: bool, is_telling: bool) -> None:
        now = loop.time()
        if not self._is_lag_measured:
            self._is_lag_measured = True
            loop.call_soon(self._note_lag, loop, now)
        is_changed = self._admission.ended(started, now, is_served=is_served, is_telling=is_telling)
        if is_changed or self._workers.is_any_resting:
            self._workers.attend()

    def _note_lag(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        self._is_lag_measured = False
        self._admission.lagged(loop.time() - since)

    # What came of it.

    def _settle(  # noqa: PLR0913, PLR0917  a lane, its task, and two answers
        self,
        lane: Lane[Task],
        task: Task,
        call: Call,
        asked: LookUp,
        shown: Outcome,
        now: float,
    ) -> None:
        """Judge an answer and the lookup that followed it together."""
        if task.looked_up_at is None:
            task.looked_up_at = now
        waited_seconds = max(now - task.looked_up_at, self._told_seconds_ago(task, call))
        settled = after_lookup(call, asked, shown, waited_seconds, self._use.answers)
        task.asked = None
        if isinstance(settled, Refused) and is_over(settled) and _fact_in_ledger(task, call) is not None:
            settled = AlreadyApplied(settled.reason)
        if isinstance(settled, Observe):
            self._answered(now)
            self._observed(lane, task, settled.observed)
            return
        if isinstance(settled, Applied):
            task.is_unanswered = False
        self._judge(lane, task, operation_of(call), None, settled, now)

    def _told_seconds_ago(self, task: Task, call: Call) -> float:
        """Return how long ago an event was told that is only told again: for so long Button has known of it."""
        fact = _fact_in_ledger(task, call)
        return 0.0 if fact is None else (self._use.clock.now_ms() - fact.written_at_ms) / 1000

    def _judge(  # noqa: C901, PLR0912, PLR0913, PLR0917  one case for each outcome
        self,
        lane: Lane[Task],
        task: Task,
        operation: Operation,
        reply: Reply | None,
        outcome: Outcome | Settled,
        now: float,
    ) -> None:
        match outcome:
            case Applied() if task.is_unanswered and (asked := self._confirmation(operation)) is not None:
                task.is_unanswered = False
                self._answered(now)
                self._ask(lane, task, asked)
            case Applied():
                self._answered(now)
                self._delivered(lane, task, operation, "applied", reply)
            case AlreadyApplied():
                self._answered(now)
                self._delivered(lane, task, operation, outcome.reason, reply)
            case Retry():
                self._again(lane, task, operation, outcome, now)
            case Ambiguous():
                self._unknown(lane, task, operation, outcome, now)
            case LookUp():
                if outcome.question in _WHETHER_WE_ARE_SERVED and not self._admission.is_open:
                    self._admission.undecided(now)
                    task.asked = outcome
                    self._lanes.put_back(lane)  # First of all: the two answers belong together.
                    self._workers.reconsider()
                    return
                if outcome.question not in _WHETHER_WE_ARE_SERVED:
                    self._answered(now)
                self._ask(lane, task, outcome)
            case Refused() | Finalized():
                self._answered(now)
                self._bury(lane, task, Stage.DELIVER, Reject(outcome.reason, outcome.message))
            case Halt():
                self._admission.unauthorized(now, outcome.reason, outcome.message)
                self._workers.reconsider()
                self._lanes.offer(lane)
            case Found(order=order):
                self._answered(now)
                if order is None:
                    self._bury(lane, task, Stage.DELIVER, _UNREADABLE)
                else:
                    self._observed(lane, task, Observed(order, outcome.is_cancelled))
            case NotFound():
                self._answered(now)
                task.is_absent = True
                self._once_more(lane, task)
            case Observe():
                message = "what was observed is settled before it is judged"
                raise AssertionError(message)
            case _:
                assert_never(outcome)

    def _unknown(self, lane: Lane[Task], task: Task, operation: Operation, outcome: Ambiguous, now: float) -> None:
        """See to an attempt of which nobody knows whether it was applied."""
        task.is_unanswered = True
        if operation is not Operation.LOOKUP:
            self._let_settle(task.assignment)
        unknown = after_ambiguous(operation, outcome, knowledge_of(task.order), self._use.answers)
        match unknown:
            case Retry():
                self._again(lane, task, operation, unknown, now)
            case LookUp():
                self._failed(task, operation, unknown, now, unknown.after_seconds)
                self._ask(lane, task, unknown)
            case Refused():
                self._bury(lane, task, Stage.DELIVER, Reject(unknown.reason, unknown.message))
            case _:
                assert_never(unknown)

    def _let_settle(self, assignment: Assignment) -> None:
        """Have a drain wait until a call without answer has landed: an heir's next call could be overtaken by it."""
        assignment.begin()
        asyncio.get_running_loop().call_later(self._use.answers.settle_seconds, assignment.end)

    def _confirmation(self, operation: Operation) -> LookUp | None:
        return None if self._books is None else confirmation(operation, self._use.answers)

    def _ask(self, lane: Lane[Task], task: Task, asked: LookUp) -> None:
        """Have Button asked for the order next; where it takes a moment to settle, after that."""
        task.asked = asked
        if asked.after_seconds > 0.0:
            self._lanes.offer_later(lane, asked.after_seconds)
        else:
            self._lanes.offer(lane)

    def _again(self, lane: Lane[Task], task: Task, operation: Operation, outcome: Retry, now: float) -> None:
        own_seconds = self._use.backoff.draw(task.attempts, self._use.random)
        delay_seconds = own_seconds + (outcome.after_seconds or 0.0)
        is_suspect = outcome.reason != TOO_MANY and self._patience.failed(
            task,
            now - task.started,
            own_seconds,
            self._admission.outages,
        )
        if outcome.is_of_the_order:
            self._answered(now)
            self._report(task, operation, outcome, delay_seconds)
        else:
            self._failed(task, operation, outcome, now, delay_seconds, is_suspect=is_suspect)
        if is_suspect and (reject := self._given_up(task, outcome.message)) is not None:
            self._bury(lane, task, Stage.DELIVER, reject)
            return
        if self._books is not None:
            task.call = None  # More may be known by then, and what is told must be all of it.
        self._lanes.offer_later(lane, delay_seconds)

    def _given_up(self, task: Task, last: str) -> Reject | None:
        is_oldest = task.assignment.tracker.committable() == task.record.offset
        return self._patience.over(task, is_oldest=is_oldest, last=last)

    def _failed(  # noqa: PLR0913  what failed, and what follows
        self,
        task: Task,
        operation: Operation,
        outcome: Retry | LookUp,
        now: float,
        delay_seconds: float,
        *,
        is_suspect: bool = False,
    ) -> None:
        """Tell the admission of an attempt that the other side could not serve."""
        after_seconds = outcome.after_seconds if isinstance(outcome, Retry) else None
        self._admission.failed(
            Failure(task.started, now, task.event.order_id or "", outcome.reason, outcome.message, after_seconds),
            is_suspect=is_suspect,
        )
        if not self._admission.is_open:
            self._workers.reconsider()  # Those who waited for this probe may be the next one.
        self._report(task, operation, outcome, delay_seconds)

    def _report(self, task: Task, operation: Operation, outcome: Retry | LookUp, delay_seconds: float) -> None:
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

    # The end.

    def _delivered(
        self,
        lane: Lane[Task],
        task: Task,
        operation: Operation,
        how: str,
        reply: Reply | None,
    ) -> None:
        self._observe(OrderDelivered(operation, how, task.attempts))
        if isinstance(task.call, Create | Update) and is_near_limit(task.call.order.total):
            self._observe(LargeTotalTold(task.record.topic_partition, task.record.offset))
        fact = None if isinstance(task.call, Lookup | None) else task.call.fact
        if fact is None:
            self._finish(lane, task, "delivered", how)
        else:
            self._write(lane, task, self._with_books().told(task, fact, how, reply), "delivered", how)

    def _observed(self, lane: Lane[Task], task: Task, observed: Observed) -> None:
        """Write down what Button showed, and decide again when that is known to all."""
        self._observe(FactNoted("observed"))
        self._write(lane, task, self._with_books().observed(task, observed), None, "observed")

    def _write(
        self,
        lane: Lane[Task],
        task: Task,
        written: asyncio.Future[bool],
        outcome: str | None,
        reason: str,
    ) -> None:
        """Go on when a fact is read back; ``outcome`` is what the event came to if it is clean, or ``None``."""
        task.assignment.begin()
        written.add_done_callback(partial(self._read_back, lane, task, outcome, reason))

    def _read_back(
        self,
        lane: Lane[Task],
        task: Task,
        outcome: str | None,
        reason: str,
        written: asyncio.Future[bool],
    ) -> None:
        try:
            if written.cancelled():
                return  # The engine ends.
            if written.result() and outcome is not None:
                self._finish(lane, task, outcome, reason)
            else:
                if outcome is not None:
                    self._observe(FactUnclean())
                self._once_more(lane, task)
        finally:
            task.assignment.end()

    def _once_more(self, lane: Lane[Task], task: Task) -> None:
        """Decide again with what is known by now; whoever takes the lane starts nothing that is not ours any more."""
        task.decide_again()
        self._lanes.offer(lane)

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
        letter = self._use.letters.letter(record, index, stage, reject)
        assignment.begin()
        self._use.spawn(self._use.letters.write(assignment, record, letter, trace=trace))

    def _bury(self, lane: Lane[Task], task: Task, stage: Stage, reject: Reject) -> None:
        if not self._use.limit.admits(lane.key, reject.reason):
            task.decide_again()
            self._use.standstill.hold(lane)
            return
        letter = self._use.letters.letter(
            task.record,
            task.index,
            stage,
            reject,
            attempts=task.attempts,
            order_id=task.event.order_id,
        )
        task.assignment.begin()
        self._use.spawn(
            self._use.letters.write(
                task.assignment,
                task.record,
                letter,
                trace=task.trace,
                mark=partial(self._marked, task, reject),
                settle=partial(self._lanes.settle, lane),
            ),
        )

    def _marked(self, task: Task, reject: Reject) -> asyncio.Future[bool] | None:
        """Write the mark of an event that keeps its order parked, or take away the one that it may have."""
        if self._books is None:
            return None
        parks = parks_its_order(task, reject, self._use.policy)
        return self._books.parked(task, reject.reason) if parks else self._books.released(task)

    def _finish(self, lane: Lane[Task], task: Task, outcome: str, reason: str) -> None:
        """End an event, once the mark is taken away that it may have had as a dead letter."""
        released = None if self._books is None else self._books.released(task)
        if released is None:
            self._end(lane, task, outcome, reason)
            return
        task.assignment.begin()
        released.add_done_callback(partial(self._released, lane, task, outcome, reason))

    def _released(
        self,
        lane: Lane[Task],
        task: Task,
        outcome: str,
        reason: str,
        released: asyncio.Future[bool],
    ) -> None:
        try:
            if not released.cancelled() and released.result():  # else the engine ends
                self._end(lane, task, outcome, reason)
        finally:
            task.assignment.end()

    def _end(self, lane: Lane[Task], task: Task, outcome: str, reason: str) -> None:
        if outcome == "skipped":
            self._use.limit.ended_otherwise()
        else:
            self._use.limit.ended_well()
        if task.trace is not None:
            task.trace.end(outcome, reason)
        self.complete(task.assignment, task.record)
        self._lanes.settle(lane)

    def complete(self, assignment: Assignment, record: RawRecord) -> None:
        """Note that one event of a record reached its end, if the record is still ours to complete."""
        if assignment.life is Life.FENCED:
            self._observe(StaleCompletion(record.topic_partition, record.offset))
        else:
            self._use.complete(assignment, record.offset)

    # The admission.

    def _answered(self, now: float) -> None:
        was_open = self._admission.is_open
        self._admission.answered(now)
        if not was_open:
            self._workers.reconsider()


def _has_failed_twice(task: Task) -> bool:
    return task.failing is not None and task.failing.failures > 1


def _is_no_suspect(task: Task) -> bool:
    return not _has_failed_twice(task)


def _fact_in_ledger(task: Task, call: Call) -> Fact | None:
    """Return the fact that the event has in the ledger already, in which case it is only told again.

    The mark of a dead letter is none: nothing was told by it.
    """
    fact = None if isinstance(call, Lookup) else call.fact
    found = None if fact is None or task.order is None else task.order.facts.get(fact.event_id)
    return None if found is None or isinstance(found.said, Mark) else found
