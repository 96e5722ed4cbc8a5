# SPDX-License-Identifier: Apache-2.0
"""Judges a run by its evidence: what the sandbox holds and heard, what lies in Kafka, what is committed.

Owns what counts as right, in five rules, and imports nothing of the connector:

1. Every order is at the sandbox as the plan expects it, and no other is.
2. The calls of an order never overlap and follow its events: an event is told until it is acknowledged, and never
   again after that, unless a disturbance (a kill, a join, a leave) took the partition back to its committed offset,
   which each may do once. A copy of an event, or one that is read again, is not told if nothing else is known of its
   order, and else tells everything once more: an update, or a cancel once all was taken back. Lookups tell nothing,
   nor does an update that is told again and finds its order called off already.
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
_GONE = frozenset({404, 409, 410})
_ACKNOWLEDGED: Mapping[str, Container[int]] = {"create": {409}, "cancel": _GONE}
_TELLING = frozenset({"create", "update", "cancel"})
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
    is_gone: bool = False

    @property
    def tells(self) -> bool:
        """Whether it is no lookup."""
        return self.operation in _TELLING


class _Event(NamedTuple):
    """An event in the input; ``is_copy`` says that the same one lies before it."""

    call: str
    partition: int
    offset: int
    is_copy: bool


class _State(NamedTuple):
    """The event that was told last, whether that was acknowledged, and the disturbances that were used up.

    ``furthest`` is the last event that was ever told.
    """

    last: int
    is_acknowledged: bool
    excused: frozenset[int]
    furthest: int


@dataclass(slots=True)
class Case:
    """A plan and the evidence, put together."""

    plan: Plan
    evidence: Evidence
    events: dict[str, list[_Event]] = field(default_factory=lambda: defaultdict(list))
    calls: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    lookups: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Find each order's events in the input, and its calls in the log."""
        orders = {(record.key, record.value): record.order_id for record in self.plan.records}
        calls = {(record.key, record.value): record.call for record in self.plan.records}
        seen = set()
        for stored in self.evidence.input:
            record = (stored.key, stored.value)
            order_id, call = orders.get(record), calls.get(record)
            if order_id is not None and call is not None:
                self.events[order_id].append(_Event(call, stored.partition, stored.offset, record in seen))
                seen.add(record)
        for request in sorted(self.evidence.requests, key=lambda each: float(each["started_ms"])):
            call_made = call_of(request)
            if call_made.tells:
                self.calls[str(request["order_id"])].append(call_made)
            else:
                self.lookups[str(request["order_id"])].append(call_made)

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
            max(0, sum(call.is_acknowledged for call in calls) - self._tellings(order_id))
            for order_id, calls in self.calls.items()
        )

    def _tellings(self, order_id: str) -> int:
        """Return how many calls an order's events need if each is read once."""
        events = self.events.get(order_id, [])
        if order_id in self.lookups:
            return len(events)
        return sum(not event.is_copy or _everything(events, index) is not None for index, event in enumerate(events))

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
            calls = self.calls.get(order_id, [])
            problem = self._follow(events, calls, self.lookups.get(order_id, ()))
            if problem:
                told = " ".join(f"{call.operation}{'+' if call.is_acknowledged else '-'}" for call in calls)
                yield f"order {order_id}: {problem}; events {[event.call for event in events]}, calls {told}"

    def _follow(self, events: Sequence[_Event], calls: Sequence[Call], lookups: Sequence[Call]) -> str | None:
        """Follow the calls through the events by every way that is allowed; say where none is left."""
        states, previous = {_State(-1, is_acknowledged=True, excused=frozenset(), furthest=-1)}, None
        for call in calls:
            if previous is not None and _overlap(previous, call):
                return f"a call began at {call.started_ms:.0f} ms before the one before it had ended"
            for number in self._disturbances_between(previous, call):
                states |= self._taken_back(states, events, number)
            states = set(_told(states, events, call, lookups))
            if not states:
                return f"a call at {call.started_ms:.0f} ms was not the turn of its event"
            previous = call
        is_done = any(state.is_acknowledged and _next(events, state)[-1] == len(events) for state in states)
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
            _State(index - 1, is_acknowledged=True, excused=state.excused | {number}, furthest=state.furthest)
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
    is_answered = request["outcome"] == "answered"
    is_acknowledged = is_answered and (200 <= status < 300 or status in _ACKNOWLEDGED.get(operation, ()))
    finished_ms = request["finished_ms"]
    return Call(
        operation,
        float(request["started_ms"]),
        float("inf") if finished_ms is None else float(finished_ms),
        request["outcome"] == "client_gone",
        is_acknowledged,
        is_answered and status in _GONE,
    )


def _overlap(previous: Call, call: Call) -> bool:
    tolerance_ms = _NOTICED_LATE_MS if previous.has_caller_gone else 0.0
    return call.started_ms + tolerance_ms < previous.finished_ms


def _told(
    states: set[_State],
    events: Sequence[_Event],
    call: Call,
    lookups: Sequence[Call],
) -> Iterator[_State]:
    """Return the states after a call: it told the event that was not acknowledged yet, or else one that was next."""
    # Where an answer alone does not say enough, the order is looked up; if that fails, the call is made again.
    is_open = any(not (lookup.is_acknowledged or lookup.is_gone) for lookup in lookups)
    for state in states:
        for index in _next(events, state):
            if call.operation in _possible(events, index, state.furthest, was_looked_up=bool(lookups)):
                furthest = max(state.furthest, index)
                yield _State(index, call.is_acknowledged, state.excused, furthest)
                if is_open:
                    yield _State(index, is_acknowledged=False, excused=state.excused, furthest=furthest)
                if call.is_gone and index < furthest and _everything(events, furthest) == "cancel":
                    # Whoever called the order off was killed before that was written down: nothing is left to be told.
                    yield _State(index, is_acknowledged=True, excused=state.excused, furthest=furthest)


def _next(events: Sequence[_Event], state: _State) -> list[int]:
    """Return the events whose turn it may be: the first that is not told yet, or one behind those that need not be.

    The last of them is the number of events if none has to be told any more.
    """
    if not state.is_acknowledged:
        return [state.last]
    turns = [state.last + 1]
    while turns[-1] < len(events) and _need_not_be_told(events, turns[-1], state.furthest):
        turns.append(turns[-1] + 1)
    return turns


def _need_not_be_told(events: Sequence[_Event], index: int, furthest: int) -> bool:
    """Return whether an event is known, and may be all that is known of its order."""
    return (events[index].is_copy or index <= furthest) and _everything(events, index) is None


def _possible(events: Sequence[_Event], index: int, furthest: int, *, was_looked_up: bool) -> set[str | None]:
    """Return what an event may be told as: itself if it is new, everything if it may be known."""
    if index >= len(events):
        return set()
    event = events[index]
    own: set[str | None] = set() if event.is_copy else {event.call}
    if index > furthest and not event.is_copy:
        return own
    # What was acknowledged last before a kill need not have got into the ledger.
    again = {_everything(events, known) for known in range(index, max(index, furthest) + 1)}
    # What a lookup showed is one more thing that is known of an order.
    return own | again | ({"update"} if was_looked_up else set())


def _everything(events: Sequence[_Event], last: int) -> str | None:
    """Return what tells all of an order's events up to ``last`` once more; ``None`` if that is its purchase alone."""
    calls = {event.call for event in events[: last + 1]}
    return "cancel" if "cancel" in calls else "update" if "update" in calls else None


def _moments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with their times as moments, which can be written in more than one way."""
    return {name: datetime.fromisoformat(value) if name == "purchase_date" else value for name, value in fields.items()}


def _origin(letter: Record) -> tuple[int, int]:
    headers = letter.headers
    return int(headers[_HEADER_PREFIX + "partition"]), int(headers[_HEADER_PREFIX + "offset"])
