# SPDX-License-Identifier: Apache-2.0
"""The promises, held against what the world saw: Button, the group, the ledger's topic, the dead letters.

Owns P1 (no loss), P2 (order), P3 (effectively once), P6 (bounds) and the lease, each judged at the only moments at
which it can be broken: a commit that the group takes, the start of a call, the end of a drain, a delivery. Believes the
connector in one thing only: the course of an event that it traces (which record a call is made for, and that an event
was skipped by a named rule).
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.orders import Lookup
from connector.domain.outcomes import Answer
from connector.engine.ports import TopicPartition
from tests.simulation.brokers import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connector.domain.outcomes import Reply
    from connector.engine.ports import RawRecord
    from tests.simulation.brokers import Client, Committed, Group
    from tests.simulation.ledger_topic import LedgerTopic
    from tests.simulation.scheduler import Process
    from tests.simulation.wire import Attempt
    from tests.simulation.world import World

SKIPS = frozenset(
    (
        "already_told",
        "awaits_purchase",
        "given_up",
        "duplicate_purchase",
        "superseded",
        "changed_purchase",
        "already_cancelled",
        "changes_nothing",
        "action_add_to_cart",
    ),
)
"""The named rules by which an event is not for Button."""


class Event(NamedTuple):
    """An event in the topic, as it was put there; ``order_id`` is ``None`` for one that is no order's."""

    event_id: str
    order_id: str | None


Place = tuple[int, int, int]
"""Partition, offset, index within the record."""


class Term:
    """One assignment of one partition to one process, from its beginning to its fence."""

    def __init__(self, process: Process, partition: int, start: int, began: float) -> None:
        """Begin."""
        self.process, self.partition, self.start, self.began = process, partition, start, began
        self.delivered: dict[int, set[int]] = {}
        self.tells: dict[Place, list[Reply | None]] = defaultdict(list)


class Oracles:
    """All of them; every method is called when something has just happened."""

    def __init__(
        self,
        world: World,
        group: Group,
        ledger: LedgerTopic,
        bounds: tuple[int, int],
    ) -> None:
        """Judge this world; ``bounds`` are the calls in flight and the uncommitted records of one process."""
        self._world, self._group, self._ledger = world, group, ledger
        self._most_calls, self._most_records = bounds
        self.events: dict[tuple[int, int], tuple[Event, ...]] = {}
        self.letters: set[tuple[int, int, int | None]] = set()
        self.partitions_of: dict[str, set[int]] = defaultdict(set)
        self.repeats = self.calls = self.replays = 0
        self._skipped: set[Place] = set()
        self._answered: set[str] = set()
        self._terms: dict[tuple[Process, int], Term] = {}
        self._open: dict[str, list[Attempt]] = defaultdict(list)
        self._in_flight: dict[Process, int] = defaultdict(int)
        self._last: dict[tuple[str, int], tuple[Term, Place]] = {}
        group.accepted = self.committed

    def emitted(self, record: RawRecord, events: Sequence[Event]) -> None:
        """Note what a record holds; one without events is complete by itself."""
        partition = record.topic_partition.partition
        self.events[partition, record.offset] = tuple(events)
        for event in events:
            if event.order_id is not None:
                self.partitions_of[event.order_id].add(partition)

    # P1: no loss.

    def committed(self, client: Client, offsets: Mapping[int, Committed]) -> None:
        """Judge a commit that the group takes."""
        for partition, (offset, _) in offsets.items():
            before = self._group.committed.get(partition)
            at = before.offset if before is not None else 0
            if offset < at:
                self._world.fail("P1", f"{client.name} takes partition {partition} back from {at} to {offset}")
            for number in range(at, offset):
                for index, event in enumerate(self.events.get((partition, number), ())):
                    self._must_be_durable(client, (partition, number, index), event)

    def _must_be_durable(self, client: Client, place: Place, event: Event) -> None:
        why = self.lacks(place, event)
        if why is not None:
            self._world.fail("P1", f"{client.name} committed past {_show(place)} ({event.event_id}), which {why}")

    def lacks(self, place: Place, event: Event) -> str | None:
        """Return what is missing for an event's end to be durable."""
        partition, offset, _ = place
        if place in self._skipped or place in self.letters or (partition, offset, None) in self.letters:
            return None
        if event.order_id is None:
            return "was neither skipped nor made a dead letter"
        found = self._ledger.facts.get((event.order_id, f"m:{event.event_id}"))
        if found is None:
            return "is neither in the ledger, nor skipped, nor a dead letter"
        if found.is_told and event.order_id not in self._answered:
            return "the ledger holds as told, but Button never answered a call for its order"
        return None

    # P2: order; the lease.

    def call_started(self, attempt: Attempt) -> None:
        """Judge the start of a call."""
        process, call, place = attempt.process, attempt.call, attempt.place
        if process.is_dead or place is None:
            return
        self.calls += 1
        self._world.note("call", process.name, type(call).__name__, attempt.order_id, place)
        self._in_flight[process] += 1
        if self._in_flight[process] > self._most_calls:
            self._world.fail("P6", f"{process.name} has {self._in_flight[process]} calls in flight")
        self._must_be_owned(process, place)
        if not isinstance(call, Lookup):
            self._judge_turn(attempt, place)

    def call_ended(self, attempt: Attempt, reply: Reply | None) -> None:
        """Note that the process has its answer, or waits for none any more."""
        self._in_flight[attempt.process] -= 1
        if not attempt.process.is_dead:
            if isinstance(reply, Answer):
                self._answered.add(attempt.order_id)
            status = reply.status if isinstance(reply, Answer) else type(reply).__name__
            self._world.note("answer", attempt.process.name, attempt.order_id, attempt.place, status)
            term = attempt.term
            if term is not None and attempt.place is not None and not isinstance(attempt.call, Lookup):
                term.tells[attempt.place][attempt.number] = reply

    def _must_be_owned(self, process: Process, place: Place) -> None:
        """Judge that nobody else has the partition; that nobody has it yet does no harm."""
        owner = self._group.members.get(self._group.owners.get(place[0], 0))
        if owner is not None and owner.name != process.name:
            self._world.fail(
                "P2",
                f"{process.name} calls for {_show(place)}, which the group has given to {owner.name}",
            )

    def _judge_turn(self, attempt: Attempt, place: Place) -> None:
        term = self._terms.get((attempt.process, place[0]))
        order_id, partition = attempt.order_id, place[0]
        if term is None:
            self._world.fail("P2", f"{attempt.process.name} calls for {_show(place)} without an assignment")
            return
        attempt.term = term
        now = self._world.now()
        waiting = self._open[order_id] = [each for each in self._open[order_id] if each.may_land(now)]
        for each in waiting:
            if each.place is not None and each.place[0] == partition and each.is_awaited(now):
                self._world.fail(
                    "P2",
                    f"{attempt.process.name} calls for {_show(place)} while the call of {each.process.name} for "
                    f"{_show(each.place)}, of the same order and partition, is under way",
                )
        waiting.append(attempt)
        last = self._last.get((order_id, partition))
        if last is not None and last[0] is term and place < last[1]:
            self._world.fail("P2", f"{attempt.process.name} tells {_show(place)} after {_show(last[1])} of one order")
        self._last[order_id, partition] = term, place
        self._judge_repeat(attempt, term, place)

    # P3: effectively once.

    def _judge_repeat(self, attempt: Attempt, term: Term, place: Place) -> None:
        tells = term.tells[place]
        attempt.number = len(tells)
        tells.append(None)
        order_id = attempt.order_id
        is_alone = len(self.partitions_of[order_id]) == 1 and not self._ledger.written_by_others(
            order_id,
            attempt.process.name,
            term.began,
        )
        if len(tells) > 1:
            self.repeats += 1
            if is_alone and tells and all(_is_acknowledged(reply) for reply in tells[:-1]):
                self._world.fail("P3", f"{attempt.process.name} tells {_show(place)} again, which was acknowledged")
            return
        event = self.events[place[0], place[1]][place[2]]
        written = self._ledger.facts.get((order_id, f"m:{event.event_id}"))
        if written is not None:
            self.replays += 1
            others = self._ledger.facts_of[order_id]
            if written.is_told and len(others) == 1 and written.first_at < term.began:
                self._world.fail("P3", f"{attempt.process.name} tells {_show(place)} again, its order's only fact")

    def drained(self, process: Process, offsets: Mapping[TopicPartition, int], partitions: Sequence[int]) -> None:
        """Judge what a drain answers: it must not throw away what has been finished."""
        for partition in partitions:
            term = self._terms.get((process, partition))
            if term is None:
                self._world.fail("P3", f"{process.name} drains partition {partition} after its fence")
                continue
            held = self._group.committed.get(partition)
            at = offsets.get(TopicPartition(TOPIC, partition), held.offset if held is not None else term.start)
            done = self._finished(term)
            if at < done:
                self._world.fail("P3", f"{process.name} gives partition {partition} back at {at}: {done} is done")

    def _finished(self, term: Term) -> int:
        """Return up to where all is finished; records without events count only where one behind them is."""
        done = term.start
        for offset, left in sorted(term.delivered.items()):
            if left:
                break
            if self.events[term.partition, offset]:
                done = offset + 1
        return done

    # Assignments and deliveries: P6.

    def assigned(self, process: Process, starts: Mapping[TopicPartition, int]) -> None:
        """Note a new assignment."""
        for (_, partition), start in starts.items():
            self._terms[process, partition] = Term(process, partition, start, self._world.now())
            self._world.note("assigned", process.name, partition, start)

    def fenced(self, process: Process, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """Note the end of assignments."""
        for _, partition in partitions:
            self._terms.pop((process, partition), None)
            self._world.note("lost" if lost else "fenced", process.name, partition)

    def delivered(self, process: Process, records: Sequence[RawRecord]) -> None:
        """Judge what was delivered: bounded, and of assigned partitions only."""
        for record in records:
            partition = record.topic_partition.partition
            term = self._terms.get((process, partition))
            if term is None:
                self._world.fail("P2", f"{process.name} is given records of partition {partition} without having it")
                return
            events = self.events[partition, record.offset]
            term.delivered.setdefault(record.offset, set(range(len(events))))
        uncommitted = sum(
            sum(offset >= self._committed(term.partition) for offset in term.delivered)
            for (owner, _), term in self._terms.items()
            if owner is process
        )
        if uncommitted > self._most_records:
            self._world.fail("P6", f"{process.name} has {uncommitted} uncommitted records")

    def _committed(self, partition: int) -> int:
        held = self._group.committed.get(partition)
        return held.offset if held is not None else 0

    # What the connector tells of an event's course.

    def ended(self, process: Process, record: RawRecord, index: int | None, outcome: str, reason: str) -> None:
        """Note that an event has reached its end, as the process sees it."""
        if process.is_dead:
            return
        partition, offset = record.topic_partition.partition, record.offset
        self._world.note("ended", process.name, partition, offset, index, outcome, reason)
        if outcome == "skipped":
            if reason not in SKIPS:
                self._world.fail("P1", f"{_show((partition, offset, index or 0))} was skipped as {reason}")
            self._skipped.add((partition, offset, index or 0))
        term = self._terms.get((process, partition))
        if term is not None and offset in term.delivered:
            term.delivered[offset].discard(index or 0)
            if index is None:
                term.delivered[offset].clear()

    def unfinished(self, does_count: Callable[[str], bool]) -> list[tuple[Place, Event]]:
        """Return the events of these orders that have no durable end."""
        return [
            ((partition, offset, index), event)
            for (partition, offset), events in self.events.items()
            for index, event in enumerate(events)
            if event.order_id is not None
            and does_count(event.order_id)
            and self.lacks((partition, offset, index), event) is not None
        ]


def _is_acknowledged(reply: Reply | None) -> bool:
    return isinstance(reply, Answer) and reply.status in {200, 202} and reply.meta_status == "ok"


def _show(place: Place) -> str:
    partition, offset, index = place
    return f"{TOPIC}/{partition}@{offset}[{index}]"
