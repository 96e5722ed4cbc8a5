# SPDX-License-Identifier: Apache-2.0
"""Judges what is left of a run by fire.

Owns what counts as right, in seven rules:

1. Every order is at Button as the merchant's books have it, and no other is.
2. Each call tells what some of its order's events come to, and of those that lie in one partition none without the
   ones before it. For an order whose records all lie in one partition, calls never take back what was told and never
   overlap, unless something went wrong just then.
3. Nothing is told again without a cause that the evidence names: a copy of an event, a record that was read again, an
   answer that was lost, a lookup that showed the order or failed, an entry of the ledger that was not clean (crossing
   writers).
4. Every event has its fact in the ledger, or is a dead letter.
5. The dead letters are the expected ones, each once for each time that its record may have been read.
6. The committed offsets are the ends.
7. No process ended that nobody ended.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from tests.chaos.evidence import Entry, Place, Told, state_of
from tests.chaos.load import Letter
from tests.simulation.merchant import Everything, Merchant, OverRefundError, Sale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.chaos.evidence import Evidence
    from tests.simulation.merchant import Open, Said

    Some = frozenset[str]

_HEADER = "button-connector."
_NOTICED_LATE_MS = 100.0
"""A caller that hangs up and calls again may be heard in that order a moment late."""


def complaints(evidence: Evidence) -> list[str]:
    """Return everything that is wrong, naming the order or record; nothing for a good run."""
    return [
        *_wrong_orders(evidence),
        *_wrong_calls(evidence),
        *_unexplained_repeats(evidence),
        *_missing_facts(evidence),
        *_wrong_letters(evidence),
        *_uncommitted(evidence),
        *(f"surprise: {each}" for each in evidence.surprises),
    ]


def _wrong_orders(evidence: Evidence) -> Iterator[str]:
    expected, tokens = evidence.load.merchant.at_button(), evidence.load.tokens
    for order_id, wanted in expected.items():
        order = evidence.orders.get(order_id)
        if order is None:
            yield f"order {order_id}: lost; it is not at the sandbox"
        elif order["cancelled"] or state_of(order["fields"]) != wanted:
            yield f"order {order_id}: cancelled={order['cancelled']} {state_of(order['fields'])}, expected {wanted}"
        elif order["fields"].get("btn_ref") != tokens.get(order_id):
            yield f"order {order_id}: told with the token {order['fields'].get('btn_ref')}"
    for order_id in evidence.orders.keys() - expected.keys():
        books = evidence.load.merchant.orders.get(order_id)
        if books is None or not books.is_cancelled:
            yield f"order {order_id}: at the sandbox, but never asked for"
        elif not evidence.orders[order_id]["cancelled"]:
            yield f"order {order_id}: still open, but all of it came back"


# What is told, and in which order.


def _wrong_calls(evidence: Evidence) -> Iterator[str]:
    for order_id, calls in evidence.told.items():
        places = evidence.places.get(order_id, [])
        problem = _follow(evidence, places, calls) if places else "nobody spoke of it"
        if problem:
            yield f"order {order_id}: {problem}"


def _follow(evidence: Evidence, places: Sequence[Place], calls: Sequence[Told]) -> str | None:
    is_alone = len({place.partition for place in places}) == 1
    possible = _possible(places)
    previous: Told | None = None
    before: set[Some] = set()
    for told in calls:
        now = possible.get(told.state, set())
        if not now:
            return f"told {told.state} at {told.call.started_ms:.0f} ms, which its events do not come to in their order"
        if previous is not None and is_alone and not _is_excused(evidence, previous, told):
            if _overlap(previous, told):
                return f"a call at {told.call.started_ms:.0f} ms began before the one before it had ended"
            now = {each for each in now if any(each >= other for other in before)}
            if not now:
                return f"told {told.state} at {told.call.started_ms:.0f} ms, which takes back what was told before"
        previous, before = told, now
    return None


def _is_excused(evidence: Evidence, previous: Told, told: Told) -> bool:
    """Return whether a call may have been on the wire, or its answer not been heard, when something went wrong."""
    return any(
        previous.call.started_ms <= each.until_ms and each.from_ms <= told.call.started_ms for each in evidence.troubles
    )


def _overlap(previous: Told, told: Told) -> bool:
    tolerance_ms = _NOTICED_LATE_MS if previous.call.has_caller_gone else 0.0
    return told.call.started_ms + tolerance_ms < previous.call.finished_ms


def _possible(places: Sequence[Place]) -> Mapping[Open | None, set[Some]]:
    """Return the sets of events that may have been told together, by what they come to."""
    said = {place.said.event_id: place.said for place in places}
    (sale,) = (each for each in said.values() if isinstance(each.what, Sale))
    returns = [each for each in said.values() if each is not sale]
    found: dict[Open | None, set[Some]] = defaultdict(set)
    for count in range(len(returns) + 1):
        for some in combinations(returns, count):
            events = frozenset(each.event_id for each in (sale, *some))
            if _is_in_order(events, places):
                try:
                    found[_comes_to(sale, some)].add(events)
                except OverRefundError:
                    continue
    return found


def _comes_to(sale: Said, some: Sequence[Said]) -> Open | None:
    books = Merchant()
    books.order(sale.order_id).returns.extend(some)
    books.hear(sale)
    return books.at_button().get(sale.order_id)


def _is_in_order(events: Some, places: Sequence[Place]) -> bool:
    """Return whether each event is in some partition in which none before it is missing.

    Where all of an order comes back, parts of it may have become dead letters.
    """
    may_miss = any(isinstance(place.said.what, Everything) for place in places)
    reached: set[str] = set()
    whole: dict[int, bool] = defaultdict(lambda: True)
    for place in places:
        if place.said.event_id in events:
            if whole[place.partition]:
                reached.add(place.said.event_id)
        elif not may_miss:
            whole[place.partition] = False
    return reached >= events


# What is told again.


class Repeats:
    """Why orders were told more often than they have events."""

    def __init__(self, evidence: Evidence) -> None:
        """Collect what could have led to more."""
        self._evidence = evidence
        self._unclean = Counter(entry.order_id for entry in unclean_entries(evidence.entries()))
        self._moving = [(each.kind, *evidence.read_again(each)) for each in evidence.troubles if each.moves]

    def beyond(self) -> Iterator[tuple[str, int, Counter[str]]]:
        """Yield the orders that were told more often, how much more, and the causes that there were."""
        for order_id, calls in self._evidence.told.items():
            places = self._evidence.places.get(order_id, [])
            more = sum(told.is_final for told in calls) - len({place.said.event_id for place in places})
            if places and more > 0:
                yield order_id, more, +self._causes(order_id, places, calls)

    def _causes(self, order_id: str, places: Sequence[Place], calls: Sequence[Told]) -> Counter[str]:
        distinct = len({place.said.event_id for place in places})
        is_alone = len({place.partition for place in places}) == 1
        causes = Counter({"lookup": len(self._evidence.looked.get(order_id, ()))})
        # A copy of all that is known of an order is not told.
        causes["copy"] = len(places) - distinct if distinct > 1 or not is_alone or causes["lookup"] else 0
        causes["entry that was not clean"] = self._unclean[order_id]
        causes["answer that may be lost"] = sum(
            told.is_final and self._evidence.may_be_unheard(told.call) for told in calls
        )
        for kind, committed, ends in self._moving:
            causes[kind] += sum(
                committed.get(place.partition, 0) <= place.offset < ends.get(place.partition, 0) for place in places
            )
        return causes


def _unexplained_repeats(evidence: Evidence) -> Iterator[str]:
    for order_id, more, causes in Repeats(evidence).beyond():
        if more > causes.total():
            known = ", ".join(f"{count} of {cause}" for cause, count in causes.items()) or "none"
            yield f"order {order_id}: told {more} times more than it has events; causes for that: {known}"


def unclean_entries(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the entries whose call Button may have heard without something that others had written.

    An entry is clean if it, and all between its base and itself, told every fact that is known at its place.
    """
    known: dict[str, set[str]] = defaultdict(set)
    written: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        there, others = known[entry.order_id], written[entry.order_id]
        there.add(entry.event_id)
        between = [each.told for each in others if each.offset > entry.base]
        if entry.told and not all(told >= there for told in (entry.told, *between)):
            yield entry
        others.append(entry)


# What is written, and how far.


def _missing_facts(evidence: Evidence) -> Iterator[str]:
    written = {(entry.order_id, entry.event_id) for entry in evidence.entries()}
    letters = {each.value for each in evidence.load.letters | evidence.load.may_be_letters}
    for value, said in evidence.load.events.items():
        if value not in letters and (said.order_id, f"m:{said.event_id}") not in written:
            yield f"order {said.order_id}: its event {said.event_id} has no fact in the ledger"


def _wrong_letters(evidence: Evidence) -> Iterator[str]:
    originals = {(record.partition, record.offset): record.value for record in evidence.input}
    found: Counter[tuple[int, int]] = Counter()
    there = set()
    for letter in evidence.dead_letters:
        place = int(letter.headers[_HEADER + "partition"]), int(letter.headers[_HEADER + "offset"])
        found[place] += 1
        there.add(Letter(letter.value or b"", letter.headers[_HEADER + "reason"]))
        if originals.get(place) != letter.value:
            yield f"dead letter of {place}: is not the record that lies there"
    load = evidence.load
    yield from (f"dead letter {each.reason} of {_name(evidence, each)} is missing" for each in load.letters - there)
    unexpected = there - load.letters - load.may_be_letters
    yield from (f"dead letter {each.reason} of {_name(evidence, each)} was not expected" for each in unexpected)
    yield from _letters_again(evidence, found)


def _name(evidence: Evidence, letter: Letter) -> str:
    said = evidence.load.events.get(letter.value)
    return said.event_id if said else "a cut record"


def _letters_again(evidence: Evidence, found: Mapping[tuple[int, int], int]) -> Iterator[str]:
    moving = [evidence.read_again(each) for each in evidence.troubles if each.moves]
    for (partition, offset), times in found.items():
        most = 1 + sum(low.get(partition, 0) <= offset < high.get(partition, 0) for low, high in moving)
        if times > most:
            yield f"dead letter of {partition}, {offset} was written {times} times, at most {most} may be"


def _uncommitted(evidence: Evidence) -> Iterator[str]:
    for partition, end in evidence.ends.items():
        committed = evidence.committed.get(partition, 0)
        if committed != end:
            yield f"partition {partition}: committed is {committed}, the end is {end}"


def explained(evidence: Evidence) -> Counter[str]:
    """Count the calls beyond those that events need, and the orders that had each of the causes for that."""
    counted: Counter[str] = Counter()
    for _, more, causes in Repeats(evidence).beyond():
        counted["calls beyond one for each event"] += more
        counted.update(dict.fromkeys(causes, 1))
    return counted
