# SPDX-License-Identifier: Apache-2.0
"""The checker of chaos finds what it is there to find: a run without fault has no complaint, each fault has its own."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest

from connector.demo.topics import Record
from tests.chaos.checker import complaints
from tests.chaos.evidence import Evidence, Snapshot, Trouble
from tests.chaos.load import Load, make_load
from tests.simulation.merchant import Merchant, OverRefundError, Said, Sale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.merchant import Open

    Log = list[dict[str, Any]]

PARTITIONS = 4
HEADER = "button-connector."
ANSWERED = {"status": 200, "outcome": "answered"}


class Perfect:
    """A connector that has one thought at a time and never fails."""

    def __init__(self, load: Load) -> None:
        """Do all of the work."""
        self.load = load
        self.ends = dict.fromkeys(range(PARTITIONS), 0)
        self.input: list[Record] = []
        self.letters: list[Record] = []
        self.ledger: list[Record] = []
        self.requests: Log = []
        self._known: dict[str, dict[str, Said]] = defaultdict(dict)
        for saying in load.sayings:
            key = saying.record.key or b""
            partition = crc32(key) % PARTITIONS if saying.place is None else int(saying.place * PARTITIONS)
            record = Record("events", partition, self.ends[partition], key, saying.record.value, {})
            self.ends[partition] += 1
            self.input.append(record)
            self._work_on(record)

    def evidence(self) -> Evidence:
        """Return what there is then; orders that were told and called off are there as such."""
        told = {request["order_id"] for request in self.requests if request["status"] == 200}
        books = self.load.merchant.at_button()
        orders = {order_id: self._order(order_id, books[order_id]) for order_id in books}
        orders |= {order_id: {"cancelled": True, "fields": {"total": 0}} for order_id in told - books.keys()}
        return Evidence(
            self.load,
            orders,
            self.requests,
            self.input,
            self.letters,
            self.ledger,
            committed=dict(self.ends),
            ends=dict(self.ends),
        )

    def _order(self, order_id: str, state: Open) -> dict[str, Any]:
        fields = _body(state)
        if order_id in self.load.tokens:
            fields["btn_ref"] = self.load.tokens[order_id]
        return {"cancelled": False, "fields": fields}

    def _work_on(self, record: Record) -> None:
        said = self.load.events.get(record.value or b"")
        if said is None:
            self._bury(record, "truncated_avro")
            return
        order_id, known = said.order_id, self._known[said.order_id]
        if self.load.merchant.order(order_id).refused_as:
            self._call(order_id, "create", {"status": 400, "outcome": "answered"}, _body(_comes_to([said])))
            self._bury(record, "http_400")
            return
        events = [*known.values(), said]
        if said.event_id not in known and any(isinstance(each.what, Sale) for each in events):
            try:
                state = _comes_to(events)
            except OverRefundError:
                self._bury(record, "over_refund")
                return
            operation = "cancel" if state is None else "create" if isinstance(said.what, Sale) else "update"
            self._call(order_id, operation, ANSWERED, _body(state))
        known[said.event_id] = said
        self._write(said)

    def _call(self, order_id: str, operation: str, answer: Mapping[str, object], body: object) -> None:
        at = 10.0 * len(self.requests)
        call = {"order_id": order_id, "operation": operation, "body": body, "started_ms": at, "finished_ms": at + 5}
        self.requests.append({**call, **answer})

    def _bury(self, record: Record, reason: str) -> None:
        headers = {
            HEADER + "partition": str(record.partition),
            HEADER + "offset": str(record.offset),
            HEADER + "reason": reason,
        }
        self.letters.append(Record("letters", 0, len(self.letters), record.key, record.value, headers))

    def _write(self, said: Said) -> None:
        key = json.dumps([said.order_id, f"m:{said.event_id}"]).encode()
        told = [f"m:{each}" for each in self._known[said.order_id]]
        value = json.dumps({"v": 1, "told": told, "base": len(self.ledger) - 1}).encode()
        self.ledger.append(Record("ledger", 0, len(self.ledger), key, value, {}))


def _comes_to(events: list[Said]) -> Open | None:
    (sale,) = (each for each in events if isinstance(each.what, Sale))
    books = Merchant()
    books.order(sale.order_id).returns.extend(each for each in events if each is not sale)
    books.hear(sale)
    return books.at_button().get(sale.order_id)


def _body(state: Open | None) -> dict[str, Any]:
    if state is None:
        return {"total": 0}
    lines = [{"sku": sku, "total": total, "quantity": quantity} for sku, total, quantity in state.lines]
    return {"total": state.total, "line_items": lines}


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """Give a run without fault."""
    return Perfect(make_load(1, 30, 40)).evidence()


def _one(found: list[str], *words: str) -> None:
    """Hold what was found to one complaint, which has these words."""
    assert len(found) == 1, found
    assert all(word in found[0] for word in words), found


def _without(evidence: Evidence, **changes: Any) -> list[str]:  # noqa: ANN401  any part of the evidence
    parts = {name: getattr(evidence, name) for name in ("load", "orders", "requests", "input", "dead_letters")}
    parts |= {name: getattr(evidence, name) for name in ("ledger", "committed", "ends", "troubles", "snapshots")}
    return complaints(Evidence(**{**parts, **changes}))


def _amended(evidence: Evidence) -> str:
    """Return an order that lies in one partition, of which Button was told at least twice."""
    return next(
        order_id
        for order_id, calls in evidence.told.items()
        if len(calls) > 1
        and len({place.partition for place in evidence.places[order_id]}) == 1
        and len({call.state for call in calls}) > 1
    )


def test_a_run_without_fault_has_no_complaint(evidence: Evidence) -> None:
    """Nothing is found where nothing is, though there are copies, early returns and scattered orders."""
    assert _without(evidence) == []
    assert len(evidence.places) > 300
    assert any(len({place.partition for place in places}) > 1 for places in evidence.places.values())


def test_a_lost_order_is_found(evidence: Evidence) -> None:
    """An order that Button does not have is named."""
    lost = next(iter(evidence.load.merchant.at_button()))
    orders = {order_id: order for order_id, order in evidence.orders.items() if order_id != lost}
    _one(_without(evidence, orders=orders), lost, "lost")


def test_an_order_in_another_state_is_found(evidence: Evidence) -> None:
    """An order that is not what the merchant has is named; so is one that was never asked for."""
    order_id = next(iter(evidence.load.merchant.at_button()))
    order = evidence.orders[order_id]
    fields = {**order["fields"], "total": order["fields"]["total"] + 1}
    _one(_without(evidence, orders={**evidence.orders, order_id: {**order, "fields": fields}}), order_id, "expected")
    _one(_without(evidence, orders={**evidence.orders, order_id: {**order, "cancelled": True}}), order_id, "expected")
    _one(_without(evidence, orders={**evidence.orders, "stranger": order}), "stranger", "never asked for")


def _told_again(evidence: Evidence, order_id: str) -> Log:
    last = [request for request in evidence.requests if request["order_id"] == order_id][-1]
    at = 10.0 * len(evidence.requests)
    return [*map(dict, evidence.requests), {**last, "started_ms": at, "finished_ms": at + 5}]


def test_a_repeat_without_a_cause_is_found(evidence: Evidence) -> None:
    """An order that is told once more is named; what is acknowledged by a refusal counts, too."""
    for order_id in (next(iter(evidence.told)), _amended(evidence)):
        _one(_without(evidence, requests=_told_again(evidence, order_id)), order_id, "told 1 times more", "none")


@pytest.mark.parametrize("kind", ["moves", "hides"])
def test_a_repeat_with_a_cause_is_none(evidence: Evidence, kind: str) -> None:
    """A record that was read again, or an answer that was lost, explains a repeat; a trouble elsewhere does not."""
    order_id = next(iter(evidence.told))
    (place, *_), (call, *_) = evidence.places[order_id], evidence.told[order_id]
    requests = _told_again(evidence, order_id)
    trouble = Trouble("kill", call.call.started_ms + 1, call.call.started_ms + 2, kind == "moves", kind == "hides")
    at = {place.partition: place.offset}
    before = Snapshot(0.0, dict(evidence.ends) | at, evidence.ends)
    assert _without(evidence, requests=requests, troubles=[trouble], snapshots=[before]) == []
    elsewhere = trouble._replace(from_ms=-2e5, until_ms=-1e5)
    past = Snapshot(-3e5, dict(evidence.ends), evidence.ends)
    found = _without(evidence, requests=requests, troubles=[elsewhere], snapshots=[past, before])
    _one(found, order_id, "told 1 times more")


def test_an_entry_that_was_not_clean_explains_one_repeat(evidence: Evidence) -> None:
    """Who wrote without knowing what lay before tells everything once more, and no more than that."""
    order_id = _amended(evidence)
    requests = _told_again(evidence, order_id)
    own = [index for index, each in enumerate(evidence.ledger) if json.loads(each.key or b"")[0] == order_id]
    (last, key) = own[-1], json.loads(evidence.ledger[own[-1]].key or b"")
    blind = evidence.ledger[last]._replace(value=json.dumps({"v": 1, "told": [key[1]], "base": -1}).encode())
    ledger = [blind if index == last else each for index, each in enumerate(evidence.ledger)]
    assert _without(evidence, requests=requests, ledger=ledger) == []
    once_more = [*requests, {**requests[-1], "started_ms": 1e9, "finished_ms": 1e9 + 5}]
    _one(_without(evidence, requests=once_more, ledger=ledger), order_id, "told 2 times more")


def test_calls_in_the_wrong_order_are_found(evidence: Evidence) -> None:
    """Two calls of an order that changed places are named: the later one takes back what was told."""
    order_id = _amended(evidence)
    (first, second, *_) = [index for index, each in enumerate(evidence.requests) if each["order_id"] == order_id]
    requests = [*evidence.requests]
    times = ("started_ms", "finished_ms")
    requests[first] = {**requests[first], **{name: evidence.requests[second][name] for name in times}}
    requests[second] = {**requests[second], **{name: evidence.requests[first][name] for name in times}}
    _one(_without(evidence, requests=requests), order_id, "takes back what was told before")


def test_calls_that_overlap_are_found(evidence: Evidence) -> None:
    """Two calls of an order that were under way at once are named, unless something went wrong just then."""
    order_id = _amended(evidence)
    (first, second, *_) = [index for index, each in enumerate(evidence.requests) if each["order_id"] == order_id]
    requests = [*evidence.requests]
    requests[first] = {**requests[first], "finished_ms": requests[second]["started_ms"] + 1}
    _one(_without(evidence, requests=requests), order_id, "before the one before it had ended")
    at_ms = requests[second]["started_ms"]
    kill = Trouble("kill", at_ms - 1, at_ms, moves=True, hides=False)
    assert _without(evidence, requests=requests, troubles=[kill]) == []


def test_a_call_that_tells_what_nobody_said_is_found(evidence: Evidence) -> None:
    """A call whose order is not what events in their order come to is named."""
    request = next(each for each in evidence.requests if each["operation"] == "update")
    wrong = {**request, "body": {**request["body"], "total": request["body"]["total"] + 1}}
    requests = [wrong if each is request else each for each in evidence.requests]
    _one(_without(evidence, requests=requests), request["order_id"], "do not come to")


def test_an_event_that_was_passed_over_is_found(evidence: Evidence) -> None:
    """An event that is told without the one before it in its partition is named, though the end is the right one."""

    def passed_over(order_id: str) -> bool:
        places = evidence.places[order_id]
        is_plain = [place.said.event_id for place in places] == [f"{order_id}/{index}" for index in range(3)]
        return is_plain and len({place.partition for place in places}) == 1 and "E" not in _whats(places)

    def _whats(places: Any) -> str:  # noqa: ANN401  places
        return "".join(type(place.said.what).__name__[0] for place in places)

    order_id = next(filter(passed_over, evidence.places))
    sale, _, second = (place.said for place in evidence.places[order_id])
    index = [number for number, each in enumerate(evidence.requests) if each["order_id"] == order_id][1]
    body = _body(_comes_to([sale, second]))
    requests = [*evidence.requests]
    requests[index] = {**requests[index], "body": body}
    _one(_without(evidence, requests=requests), order_id, "do not come to in their order")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda it: {"ledger": it.ledger[1:]}, ("has no fact in the ledger",)),
        (lambda it: {"dead_letters": it.dead_letters[1:]}, ("is missing",)),
        (lambda it: {"dead_letters": [*it.dead_letters, it.dead_letters[0]]}, ("2 times, at most 1",)),
        (
            lambda it: {"dead_letters": [*it.dead_letters, _letter_of(it, it.input[0])]},
            ("poison", "was not expected"),
        ),
        (lambda it: {"committed": {**it.committed, 2: it.ends[2] - 1}}, ("partition 2",)),
        (lambda _: {"surprises": ["connector-1 ended by itself with 1: no reason"]}, ("connector-1",)),
    ],
)
def test_what_is_missing_or_too_much_is_found(
    evidence: Evidence,
    change: Callable[[Evidence], dict[str, Any]],
    words: tuple[str, ...],
) -> None:
    """A fact that is not written, a wrong dead letter, what is not committed, a process that ended: each is named."""
    _one(_without(evidence, **change(evidence)), *words)


def _letter_of(evidence: Evidence, record: Record) -> Record:
    headers = {
        HEADER + "partition": str(record.partition),
        HEADER + "offset": str(record.offset),
        HEADER + "reason": "poison",
    }
    return evidence.dead_letters[0]._replace(key=record.key, value=record.value, headers=headers)


def test_what_arrives_in_any_order_comes_to_the_same() -> None:
    """The books expect the same of a load whichever way its events cross, but for the letters that are named."""
    load = make_load(3, 60, 100)
    books = Merchant()
    for order_id, order in load.merchant.orders.items():
        books.order(order_id).refused_as = order.refused_as
    for said in reversed([*load.events.values()]):
        books.hear(said)
    assert books.at_button() == load.merchant.at_button()
    named = {(load.events[each.value].event_id, each.reason) for each in load.may_be_letters}
    assert books.letters - load.merchant.letters <= named
    assert load.sayings == make_load(3, 60, 100).sayings
