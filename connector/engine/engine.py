# SPDX-License-Identifier: Apache-2.0
"""The engine: records in, calls out, offsets committed only behind what reached its end.

Owns intake, completion, commit, revoke and drain; lanes, tracking, admission and delivery are parts of their own.
Never commits for a partition that it does not own. Runs on one event loop and on ports only, so that it runs unchanged
in simulated time.

The order in a revoke is what everything hangs on: nothing new starts, what runs finishes within the drain budget, the
source commits what that allows, and only then is the assignment fenced. Fencing first would throw away finished work
and have it done twice; committing last would race with the new owner.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.domain.answer_policy import DEFAULT_ANSWERS
from connector.domain.dead_letter import Stage
from connector.domain.lifecycle import decide, order_key
from connector.domain.orders import Reject, Skip
from connector.domain.policy import DEFAULT_POLICY
from connector.domain.replays import replay_of
from connector.engine.admission import Admission
from connector.engine.assignment import Assignment, Life
from connector.engine.backoff import Backoff
from connector.engine.books import Books
from connector.engine.concurrency import Concurrency
from connector.engine.dead_letter_limit import DeadLetterLimit, LimitOptions
from connector.engine.delivery import Delivery, Surroundings
from connector.engine.lanes import Lanes
from connector.engine.letters import Letters
from connector.engine.observations import (
    CommitFailed,
    EventSkipped,
    OffsetsCommitted,
    PartitionsAssigned,
    PartitionsLost,
    PartitionsRevoked,
    RecordsReceived,
    TombstoneSkipped,
)
from connector.engine.patience import Patience
from connector.engine.ports import Origin, TopicPartition
from connector.engine.standstill import Standstill
from connector.engine.sweeper import Sweeper
from connector.engine.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from random import Random

    from connector.domain.answer_policy import AnswerPolicy
    from connector.domain.events import CommerceEvent
    from connector.domain.policy import Policy
    from connector.domain.replays import Replay
    from connector.engine.ports import (
        Clock,
        DeadLetters,
        Decoder,
        Observer,
        OrderApi,
        OrderLedger,
        RawRecord,
        SessionTable,
        Source,
        Tracer,
    )


DEFAULT_RETRY = Backoff(initial_seconds=0.1, max_seconds=30.0)
DEFAULT_LIMIT = LimitOptions()
DEFAULT_PROBE = Backoff(initial_seconds=0.25, max_seconds=5.0)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine behaves; durations in seconds.

    As many calls are in flight as turn out to be of use, ``max_concurrency`` at most, or just ``concurrency`` if given.
    ``rate_limit_per_second`` is for all replicas together; each takes the share that its partitions have of all.
    An event is given up that fails for ``poison_seconds`` while other orders succeed, or for ``pin_seconds`` where it
    holds up its partition's commit. ``policy`` is what may be told to Button, ``answers`` what its
    answers are judged by. A purchase without a token waits until it is ``token_wait_seconds`` old. Offsets are
    committed when so many events are complete, and at least once in the interval. An event older than
    ``horizon_ms`` is not told, because the ledger may have forgotten its order. The ledger is swept every
    ``sweep_interval_seconds`` by whoever owns the first partition of ``first_topic``. More dead letters than ``limit``
    halt deciding.
    """

    concurrency: int | None = None
    max_concurrency: int = 512
    rate_limit_per_second: float | None = None
    poison_seconds: float = 300.0
    pin_seconds: float = 60.0
    commit_after_events: int = 250
    commit_interval_seconds: float = 1.0
    drain_seconds: float = 30.0
    retry: Backoff = DEFAULT_RETRY
    probe: Backoff = DEFAULT_PROBE
    policy: Policy = DEFAULT_POLICY
    answers: AnswerPolicy = DEFAULT_ANSWERS
    token_wait_seconds: float = 0.0
    horizon_ms: int | None = None
    first_topic: str = ""
    sweep_interval_seconds: float = 60.0
    limit: LimitOptions = DEFAULT_LIMIT


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside, as the engine sees it; ``may_start`` is asked before every start of a call.

    Without a ``ledger`` only whole orders are told and taken back. ``origin_of`` tells which topic a name stands for,
    ``total_partitions`` how many partitions there are in all, 0 if nobody knows.
    """

    source: Source
    decoder: Decoder
    orders: OrderApi
    sessions: SessionTable
    dead_letters: DeadLetters
    clock: Clock
    observer: Observer
    may_start: Callable[[TopicPartition], bool] = lambda _: True
    tracer: Tracer | None = None
    ledger: OrderLedger | None = None
    origin_of: Callable[[str], Origin] = lambda _: Origin("", "")
    total_partitions: Callable[[], int] = lambda: 0


class Engine:
    """The engine's side of the source (:class:`connector.engine.ports.Intake`), and its life."""

    def __init__(self, ports: Ports, options: EngineOptions, random: Random) -> None:
        """Put the parts together; nothing runs before :meth:`run`."""
        self._ports = ports
        self._options = options
        self._observe = ports.observer
        self._tracer = ports.tracer
        self._assignments: dict[TopicPartition, Assignment] = {}
        self._waiting: deque[tuple[Assignment, RawRecord]] = deque()
        self._lanes: Lanes[Task] = Lanes(self._take_in_next)
        self._tasks: asyncio.TaskGroup | None = None
        self._commit_due = asyncio.Event()
        self._completed = 0
        is_adaptive = options.concurrency is None
        concurrency = Concurrency(options.concurrency or options.max_concurrency, is_adaptive=is_adaptive)
        self.admission = Admission(options.probe, random, ports.observer, concurrency)
        self.limit = DeadLetterLimit(options.limit, ports.observer)
        self._standstill = Standstill(self.limit, self._lanes, lambda: bool(self._waiting))
        self._letters = letters = Letters(
            ports.dead_letters,
            ports.clock,
            ports.observer,
            self._complete_if_ours,
            ports.origin_of,
        )
        ledger = ports.ledger
        self._delivery = Delivery(
            self._lanes,
            Surroundings(
                orders=ports.orders,
                sessions=ports.sessions,
                clock=ports.clock,
                books=None if ledger is None else Books(ledger, ports.clock, ports.origin_of, options.horizon_ms),
                letters=letters,
                observer=ports.observer,
                admission=self.admission,
                patience=Patience(options.poison_seconds, options.pin_seconds),
                backoff=options.retry,
                random=random,
                may_start=ports.may_start,
                policy=options.policy,
                answers=options.answers,
                token_wait_seconds=options.token_wait_seconds,
                spawn=self._spawn,
                complete=self._complete,
                limit=self.limit,
                standstill=self._standstill,
            ),
        )

    async def run(self) -> None:
        """Run until cancelled; any exception is a bug of ours and ends the engine, never a record.

        Nothing is decided before the sessions table has caught up; records that arrive meanwhile wait.
        """
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._commit_for_ever())
            tasks.create_task(self._standstill.run())
            await self._ports.sessions.caught_up()
            if self._ports.ledger is not None:
                await self._ports.ledger.caught_up()
                interval_seconds = self._options.sweep_interval_seconds
                sweeper = Sweeper(self._ports.ledger, self._letters, self._is_sweeping, interval_seconds)
                tasks.create_task(sweeper.run())
            self._delivery.start()

    def _is_sweeping(self) -> bool:
        assignment = self._assignments.get(TopicPartition(self._options.first_topic, 0))
        if assignment is None or not assignment.is_owned or assignment.is_suspended:
            return False
        return self._ports.may_start(assignment.topic_partition)

    # The source's side.

    def assign(self, starts: Mapping[TopicPartition, int]) -> None:
        """Take over partitions."""
        assigned = [Assignment(topic_partition, start) for topic_partition, start in starts.items()]
        self._assignments.update((each.topic_partition, each) for each in assigned)
        self._share_rate()
        self._observe(PartitionsAssigned(dict(starts)))
        if self._ports.ledger is not None:
            self._hold(assigned, self._ports.ledger.barrier())

    def deliver(self, records: Sequence[RawRecord]) -> None:
        """Take in records; those that were delivered before, or whose partition is gone, are passed over."""
        self._observe(RecordsReceived(len(records)))
        for record in records:
            assignment = self._assignments.get(record.topic_partition)
            if assignment is not None and assignment.tracker.add(record.offset):
                assignment.ages.note(record.offset, record.timestamp_ms, assignment.tracker)
                self._waiting.append((assignment, record))
        self._lanes.wake()

    def advance(self, positions: Mapping[TopicPartition, int]) -> None:
        """Close gaps at the end of partitions."""
        for topic_partition, position in positions.items():
            assignment = self._assignments.get(topic_partition)
            if assignment is not None:
                assignment.tracker.advance(position)

    def commit_soon(self) -> None:
        """Commit what may be now."""
        self._commit_due.set()

    def suspend(self) -> None:
        """Let nothing of our partitions go on but what is on its way."""
        for assignment in self._assignments.values():
            assignment.term += 1
            if not assignment.is_suspended:
                assignment.is_suspended = True
                assignment.preparing += 1

    def resume(self) -> None:
        """Go on, behind the ledger's barrier, and by new decisions."""
        terms = {each: each.term for each in self._assignments.values() if each.is_suspended}
        if terms:
            self._spawn(self._resume(terms))

    async def _resume(self, terms: Mapping[Assignment, int]) -> None:
        if self._ports.ledger is not None:
            await self._ports.ledger.barrier()
        # What was suspended again meanwhile waits for a barrier of its own.
        resumed = [assignment for assignment, term in terms.items() if assignment.term == term]
        for assignment in resumed:
            assignment.is_suspended = False
            self._let_go(assignment)
        self._take_up(resumed)

    async def drain(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Let what runs finish within the drain budget; say what may be committed."""
        started = asyncio.get_running_loop().time()
        assignments = [self._assignments[each] for each in partitions if each in self._assignments]
        for assignment in assignments:
            assignment.life = Life.DRAINING
        self._lanes.purge(lambda task: not task.assignment.is_owned)
        self._standstill.let_go_of_the_dead()
        try:
            async with asyncio.timeout(self._options.drain_seconds):
                for assignment in assignments:
                    await assignment.idle()
        except TimeoutError:
            pass  # What is still out stays incomplete; its heir reads it again.
        self._observe(
            PartitionsRevoked(
                tuple(partitions),
                sum(assignment.tracker.incomplete for assignment in assignments),
                asyncio.get_running_loop().time() - started,
            ),
        )
        return _committable(assignments)

    def fence(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """End assignments."""
        fenced = [self._assignments.pop(each) for each in partitions if each in self._assignments]
        for assignment in fenced:
            assignment.life = Life.FENCED
            assignment.waiting.clear()
            self._let_go(assignment)
        # While nothing is taken in they would stay for as long, beside the same records of the next assignment.
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0].is_owned)
        self._lanes.purge(lambda task: not task.assignment.is_owned)
        self._standstill.let_go_of_the_dead()
        if lost:
            self._observe(
                PartitionsLost(tuple(partitions), sum(assignment.tracker.incomplete for assignment in fenced)),
            )

    # Intake.

    def _take_in_next(self) -> bool:
        """Take in the record that has waited longest; false if none waits."""
        if not self._waiting or not self.limit.may_take_in():
            return False
        assignment, record = self._waiting.popleft()
        if assignment.preparing:
            assignment.waiting.append(record)
        elif assignment.is_owned:
            self._take_in(assignment, record)
        return True

    def _take_in(self, assignment: Assignment, record: RawRecord) -> None:
        if record.value is None:
            self._observe(TombstoneSkipped(record.topic_partition, record.offset))
            self._complete(assignment, record.offset)
            return
        replay = replay_of(record.headers) if record.headers else None
        if isinstance(replay, Reject):
            self._bury_whole(assignment, record, replay)
            return
        decoded = self._ports.decoder.decode(record)
        if isinstance(decoded, Reject):
            self._bury_whole(assignment, record, decoded)
        elif isinstance(decoded, list):
            self._take_in_events(assignment, record, decoded, replay)
        else:
            assignment.waiting.appendleft(record)
            self._hold([assignment], decoded.ready())

    def _take_in_events(
        self,
        assignment: Assignment,
        record: RawRecord,
        events: Sequence[CommerceEvent | Reject],
        replay: Replay | None,
    ) -> None:
        """Take in the record's events; of a replay the one that is meant, where it is not the record as a whole."""
        if replay is None or replay.event_index is None:
            meant = list(enumerate(events))
        elif replay.event_index < len(events):
            meant = [(replay.event_index, events[replay.event_index])]
        else:
            self._bury_whole(assignment, record, _no_such_event(replay, len(events)))
            return
        refused = next((event for _, event in meant if isinstance(event, Reject)), None)
        if refused is not None and self._is_put_back(assignment, record, refused):
            return
        if len(meant) != 1:
            assignment.tracker.split(record.offset, len(meant))
            if not meant:
                self._count_completion()
        for index, event in meant:
            trace = None if self._tracer is None else self._tracer.begin(record, index)
            if isinstance(event, Reject):
                self._delivery.bury(assignment, record, index, Stage.DECODE, event, trace=trace)
                continue
            task = Task(assignment, record, index, event, trace)
            task.replay = replay
            key = order_key(event)
            if key is None:
                self._end_without_order(task)
            else:
                self._lanes.push(key, task)

    def _is_put_back(self, assignment: Assignment, record: RawRecord, reject: Reject) -> bool:
        """Put a record back that would be one dead letter too many: it is the next to be taken in again."""
        if self.limit.admits(f"{record.topic_partition} {record.offset}", reject.reason):
            return False
        self._waiting.appendleft((assignment, record))
        return True

    def _bury_whole(self, assignment: Assignment, record: RawRecord, reject: Reject) -> None:
        """Make a record as a whole a dead letter."""
        if self._is_put_back(assignment, record, reject):
            return
        trace = None if self._tracer is None else self._tracer.begin(record, None)
        self._delivery.bury(assignment, record, None, Stage.DECODE, reject, trace=trace)

    def _end_without_order(self, task: Task) -> None:
        """End an event that names no order, so that there is no lane in which its order could matter."""
        decision = decide(task.event, None, None, self._options.policy)
        if isinstance(decision, Skip):
            self._observe(EventSkipped(decision.reason))
            if task.trace is not None:
                task.trace.end("skipped", decision.reason)
            self._complete(task.assignment, task.record.offset)
        elif isinstance(decision, Reject):
            key = f"{task.record.topic_partition} {task.record.offset} {task.index}"
            if self.limit.admits(key, decision.reason):
                self._delivery.bury(task.assignment, task.record, task.index, Stage.MAP, decision, trace=task.trace)
            else:
                self._lanes.push(key, task)  # where it is held
        else:
            message = f"an event without an order was decided as {type(decision).__name__}"
            raise TypeError(message)

    def _hold(self, assignments: Sequence[Assignment], ready: Coroutine[None, None, None]) -> None:
        """Let the records of these partitions wait: for a schema, or for what former owners wrote into the ledger."""
        for assignment in assignments:
            assignment.preparing += 1
        self._spawn(self._release(assignments, ready))

    async def _release(self, assignments: Sequence[Assignment], ready: Coroutine[None, None, None]) -> None:
        await ready
        self._take_up(assignments)

    def _take_up(self, assignments: Sequence[Assignment]) -> None:
        """Let one of the reasons go for which the records of these partitions wait."""
        for assignment in assignments:
            assignment.preparing -= 1
            if not assignment.preparing:
                # What came since waits behind them.
                self._waiting.extendleft((assignment, record) for record in reversed(assignment.waiting))
                assignment.waiting.clear()
        self._lanes.wake()

    def _let_go(self, assignment: Assignment) -> None:
        """Let the lanes that were suspended be worked on: they go on, or end with their assignment."""
        suspended = [*assignment.suspended]
        assignment.suspended.clear()
        for lane in suspended:
            self._lanes.offer(lane)

    def _share_rate(self) -> None:
        """Take our share of the rate that is meant for all replicas."""
        limit, owned = self._options.rate_limit_per_second, len(self._assignments)
        if limit is not None:
            total = max(self._ports.total_partitions(), owned, 1)
            self.admission.rate.configure(limit * max(owned, 1) / total)

    # Completion and commit.

    def _complete_if_ours(self, assignment: Assignment, record: RawRecord) -> None:
        self._delivery.complete(assignment, record)

    def _complete(self, assignment: Assignment, offset: int) -> None:
        assignment.tracker.complete(offset)
        self._count_completion()

    def _count_completion(self) -> None:
        self._completed += 1
        if self._completed == self._options.commit_after_events:
            self._commit_due.set()

    async def _commit_for_ever(self) -> None:
        interval_seconds = self._options.commit_interval_seconds
        while True:
            try:
                async with asyncio.timeout(interval_seconds):
                    await self._commit_due.wait()
            except TimeoutError:
                pass
            self._share_rate()
            if not await self._commit():
                await asyncio.sleep(interval_seconds)

    async def _commit(self) -> bool:
        """Commit what may be; false when the group refused any of it."""
        self._commit_due.clear()
        self._completed = 0
        asked = [assignment for assignment in self._assignments.values() if assignment.is_owned]
        offsets = _committable(asked)
        if not offsets:
            return True
        result = await self._ports.source.commit(offsets)
        for assignment in asked:
            # What was fenced meanwhile and came back is another assignment, which this answer is not about.
            offset = result.committed.get(assignment.topic_partition)
            if offset is not None:
                assignment.tracker.mark_committed(offset)
        if result.committed:
            self._observe(OffsetsCommitted(dict(result.committed)))
        for topic_partition, reason in result.failed.items():
            self._observe(CommitFailed(topic_partition, reason))
        return not result.failed

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        if self._tasks is None:
            message = "the engine is not running"
            raise RuntimeError(message)
        self._tasks.create_task(work)

    # What can be seen from outside.

    @property
    def in_flight(self) -> int:
        """Calls that are on their way."""
        return self.admission.in_flight

    @property
    def lanes(self) -> int:
        """Orders that have something to do."""
        return len(self._lanes)

    def committed_offsets(self) -> dict[TopicPartition, int]:
        """Return the committed offset (next to read) of each of our partitions."""
        return {each: assignment.tracker.committed_offset for each, assignment in self._assignments.items()}

    def unfinished_records(self) -> dict[TopicPartition, int]:
        """Return how many records of each of our partitions are read and have not reached their end."""
        return {each: assignment.tracker.incomplete for each, assignment in self._assignments.items()}

    def oldest_unfinished_seconds(self) -> dict[TopicPartition, float]:
        """Return how long ago, by the brokers, the oldest of them was written; 0 where there is none."""
        now_ms = self._ports.clock.now_ms()
        return {each: assignment.oldest_unfinished_seconds(now_ms) for each, assignment in self._assignments.items()}

    @property
    def assigned_partitions(self) -> int:
        """Partitions that are ours."""
        return len(self._assignments)


def _no_such_event(replay: Replay, events: int) -> Reject:
    return Reject(
        "bad_replay",
        f"event {replay.event_index} of the record is to be replayed, but by now the record has {events} event(s); see "
        "whether its schema or mapping.fields changed",
    )


def _committable(assignments: Sequence[Assignment]) -> dict[TopicPartition, int]:
    """Return the offsets that moved since their last acknowledged commit."""
    offsets = {each.topic_partition: each.tracker.committable() for each in assignments}
    return {
        each.topic_partition: offsets[each.topic_partition]
        for each in assignments
        if offsets[each.topic_partition] > each.tracker.committed_offset
    }
