# SPDX-License-Identifier: Apache-2.0
"""Judges a run by its evidence: what the sandbox holds and heard, what lies in Kafka, what is committed.

Owns what counts as right, in five rules, and imports nothing of the connector:

1. Every order is at the sandbox as the plan expects it, and no other is.
2. The calls of an order never overlap and follow its events: an event is told until it is acknowledged, and never
   again after that, unless a disturbance (a kill, a join, a leave) took the partition back to its committed offset,
   which each may do once.
3. At rest every event was acknowledged, and all that was repeated fits into what was uncommitted.
4. The dead letters are the expected ones; after a disturbance one may be there twice.
5. At rest the committed offsets are the ends.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from connector.demo.topics import Record
    from tests.support.generator import Plan

_HEADER_PREFIX = "button-connector."
_ACKNOWLEDGED = {"create": {409}, "cancel": {404, 409, 410}}
_NOTICED_LATE_MS = 100.0
"""A caller that hangs up and calls again may be heard in that order a moment late."""


class Disturbance(NamedTuple):
    """A time in which records may be read again, from offsets that were committed no later than its beginning.

    ``window`` bounds how many records that may be. Times are the machine's monotonic clock in milliseconds.
    """

    from_ms: float
    until_ms: float
    committed: Mapping[int, int]
    window: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is left of a run; ``requests`` is the sandbox's log, ``input`` the records of the events' topic."""

    orders: Mapping[str, Mapping[str, Any]]
    requests: Sequence[Mapping[str, Any]]
    input: Sequence[Record]
    dead_letters: Sequence[Record]
    committed: Mapping[int, int]
    ends: Mapping[int, int]
    disturbances: Sequence[Disturbance] = ()


class Call(NamedTuple):
    """One request of the sandbox's log, as far as it matters here."""

    operation: str
    started_ms: float
    finished_ms: float
    has_caller_gone: bool
    is_acknowledged: bool


class _Event(NamedTuple):
    call: str
    partition: int
    offset: int


class _State(NamedTuple):
    """The event that was told last, whether that was acknowledged, and the disturbances that were used up."""

    last: int
    is_acknowledged: bool
    excused: frozenset[int]


@dataclass(slots=True)
class Case:
    """A plan and the evidence, put together."""

    plan: Plan
    evidence: Evidence
    events: dict[str, list[_Event]] = field(default_factory=lambda: defaultdict(list))
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Find each order's events in the input, and its calls in the log."""
        orders = {(record.key, record.value): record.order_id for record in self.plan.records}
        calls = {(record.key, record.value): record.call for record in self.plan.records}
        for stored in self.evidence.input:
            order_id, call = orders.get((stored.key, stored.value)), calls.get((stored.key, stored.value))
            if order_id is not None and call is not None:
                self.events[order_id].append(_Event(call, stored.partition, stored.offset))
        for request in sorted(self.evidence.requests, key=lambda each: float(each["started_ms"])):
            self.calls[str(request["order_id"])].append(call_of(request))

    def complaints(self) -> list[str]:
        """Return everything that is wrong, naming the order or record; nothing for a good run."""
        return [
            *self._wrong_orders(),
            *self._wrong_calls(),
            *self._too_many_repeats(),
            *self._wrong_letters(),
            *self._uncommitted(),
        ]

    def open_calls(self, at_ms: float, partitions: Container[int] | None = None) -> int:
        """Count the calls that were under way at a moment, for events of these partitions; by default of all."""
        return sum(
            call.started_ms <= at_ms < call.finished_ms
            for order_id, calls in self.calls.items()
            if partitions is None or any(event.partition in partitions for event in self.events.get(order_id, ()))
            for call in calls
        )

    def acknowledged_but_uncommitted(
        self,
        at_ms: float,
        committed: Mapping[int, int],
        partitions: Container[int] | None = None,
    ) -> int:
        """Count the events that were acknowledged before a moment and lie at or above the offsets committed then.

        Only events of these partitions are looked at, by default of all.
        """
        count = 0
        for order_id, events in self.events.items():
            done = sum(call.is_acknowledged and call.finished_ms <= at_ms for call in self.calls.get(order_id, ()))
            count += sum(
                event.offset >= committed.get(event.partition, 0)
                for event in events[:done]
                if partitions is None or event.partition in partitions
            )
        return count

    def repeats(self) -> int:
        """Count the acknowledgements beyond one for each event."""
        return sum(
            max(0, sum(call.is_acknowledged for call in calls) - len(self.events.get(order_id, ())))
            for order_id, calls in self.calls.items()
        )

    def _wrong_orders(self) -> Iterator[str]:
        found = self.evidence.orders
        for order_id, expected in self.plan.orders.items():
            order = found.get(order_id)
            if order is None:
                yield f"order {order_id}: not at the sandbox"
            elif (order["cancelled"], _moments(order["fields"])) != (expected.is_cancelled, _moments(expected.fields)):
                found_as = f"cancelled={order['cancelled']} {order['fields']}"
                yield f"order {order_id}: is {found_as}, expected cancelled={expected.is_cancelled} {expected.fields}"
        for order_id in found.keys() - self.plan.orders.keys():
            yield f"order {order_id}: at the sandbox, but never asked for"

    def _wrong_calls(self) -> Iterator[str]:
        for order_id, events in self.events.items():
            problem = self._follow(events, self.calls.get(order_id, []))
            if problem:
                told = " ".join(
                    f"{call.operation}{'+' if call.is_acknowledged else '-'}" for call in self.calls[order_id]
                )
                yield f"order {order_id}: {problem}; events {[event.call for event in events]}, calls {told}"

    def _follow(self, events: Sequence[_Event], calls: Sequence[Call]) -> str | None:
        """Follow the calls through the events by every way that is allowed; say where none is left."""
        states, previous = {_State(last=-1, is_acknowledged=True, excused=frozenset())}, None
        for call in calls:
            if previous is not None and _overlap(previous, call):
                return f"a call began at {call.started_ms:.0f} ms before the one before it had ended"
            for number in self._disturbances_between(previous, call):
                states |= self._taken_back(states, events, number)
            states = set(_told(states, events, call))
            if not states:
                return f"a call at {call.started_ms:.0f} ms was not the turn of its event"
            previous = call
        is_done = any(state.last == len(events) - 1 and state.is_acknowledged for state in states)
        return None if is_done else "not every event was told and acknowledged"

    def _disturbances_between(self, previous: Call | None, call: Call) -> Iterator[int]:
        for number, disturbance in enumerate(self.evidence.disturbances):
            is_before = disturbance.from_ms <= call.started_ms
            if is_before and (previous is None or disturbance.until_ms >= previous.started_ms):
                yield number

    def _taken_back(self, states: set[_State], events: Sequence[_Event], number: int) -> set[_State]:
        """Return the states to which a disturbance may lead, once for each order: backwards only."""
        committed = self.evidence.disturbances[number].committed
        again = [index for index, event in enumerate(events) if event.offset >= committed.get(event.partition, 0)]
        return {
            _State(index - 1, is_acknowledged=True, excused=state.excused | {number})
            for state in states
            if number not in state.excused
            for index in again
            if index <= state.last
        }

    def _too_many_repeats(self) -> Iterator[str]:
        allowed = sum(disturbance.window for disturbance in self.evidence.disturbances)
        repeats = self.repeats()
        if repeats > allowed:
            yield f"{repeats} events were told again, at most {allowed} may be"

    def _wrong_letters(self) -> Iterator[str]:
        originals = {(record.partition, record.offset): record for record in self.evidence.input}
        found: dict[tuple[int, int], set[tuple[bytes | None, bytes | None, str]]] = defaultdict(set)
        for letter in self.evidence.dead_letters:
            place, reason = _origin(letter), letter.headers.get(_HEADER_PREFIX + "reason", "")
            found[place].add((letter.key, letter.value, reason))
            original = originals.get(place)
            if original is None or (original.key, original.value) != (letter.key, letter.value):
                yield f"dead letter of {place}: is not the record that lies there"
        wanted = Counter((letter.key, letter.value, letter.reason) for letter in self.plan.dead_letters)
        there = Counter(letter for letters in found.values() for letter in letters)
        for key, _, reason in wanted - there:
            yield f"dead letter {reason} of key {key!r} is missing"
        for key, _, reason in there - wanted:
            yield f"dead letter {reason} of key {key!r} was not expected"
        copies = Counter(_origin(letter) for letter in self.evidence.dead_letters)
        for place, count in copies.items():
            if count > 1 + len(self.evidence.disturbances):
                yield f"dead letter of {place} was written {count} times"

    def _uncommitted(self) -> Iterator[str]:
        for partition, end in self.evidence.ends.items():
            committed = self.evidence.committed.get(partition, 0)
            if committed != end:
                yield f"partition {partition}: committed is {committed}, the end is {end}"


def call_of(request: Mapping[str, Any]) -> Call:
    """Return what a line of the log says; one that is still open ends never."""
    operation, status = str(request["operation"]), request["status"]
    is_acknowledged = request["outcome"] == "answered" and (
        200 <= status < 300 or status in _ACKNOWLEDGED.get(operation, ())
    )
    finished_ms = request["finished_ms"]
    return Call(
        operation,
        float(request["started_ms"]),
        float("inf") if finished_ms is None else float(finished_ms),
        request["outcome"] == "client_gone",
        is_acknowledged,
    )


def _overlap(previous: Call, call: Call) -> bool:
    tolerance_ms = _NOTICED_LATE_MS if previous.has_caller_gone else 0.0
    return call.started_ms + tolerance_ms < previous.finished_ms


def _told(states: set[_State], events: Sequence[_Event], call: Call) -> Iterator[_State]:
    """Return the states after a call: it told the event that was not acknowledged yet, or else the next."""
    for state in states:
        index = state.last + state.is_acknowledged
        if index < len(events) and events[index].call == call.operation:
            yield _State(index, call.is_acknowledged, state.excused)


def _moments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with their times as moments, which can be written in more than one way."""
    return {name: datetime.fromisoformat(value) if name == "purchase_date" else value for name, value in fields.items()}


def _origin(letter: Record) -> tuple[int, int]:
    headers = letter.headers
    return int(headers[_HEADER_PREFIX + "partition"]), int(headers[_HEADER_PREFIX + "offset"])
