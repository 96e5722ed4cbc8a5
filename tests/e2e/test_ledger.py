# SPDX-License-Identifier: Apache-2.0
"""The order ledger on real parts: Kafka, the connector's processes, a sandbox; held at each moment that could hurt."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any
from zlib import crc32

import httpx2
import pytest

from connector.demo.parts import API_KEY
from tests.support import sweep_often
from tests.support.avro_records import encode_event, purchase
from tests.support.generator import Produced
from tests.support.moments import no_update_taken, spoil
from tests.support.polling import wait_until
from tests.support.processes import World
from tests.support.small_orders import (
    KEPT,
    ONE_SOCK,
    RETURNED,
    RETURNED_LATER,
    SOME_SOCKS,
    Kind,
    complaints,
    identity,
    record,
    records,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from connector.demo.parts import Connector
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EACH = 20
"""How many orders there are of each kind."""
SEEN = Kind(("socks",), SOME_SOCKS.left)
"""An order whose purchase somebody else has reported to Button."""
REASON = "button-connector.reason"
OBSERVED = "observed:7500"
"""What the ledger calls what Button showed."""

Fact = tuple[str, str]
"""An order, and what the ledger knows one of its events by."""


def _orders(kinds: Mapping[str, Kind], each: int = EACH) -> dict[str, Kind]:
    return {f"{name}-{number}": kind for name, kind in kinds.items() for number in range(each)}


MANY_AT_ONCE = {"delivery": {"max_concurrency": 64, "adaptive_concurrency": False}}
HOLDS_FACTS_BACK = {"linger.ms": "600000"}
"""A producer that waits for company for so long has nothing to send before it is killed."""


def _facts(orders: Mapping[str, Kind], events: Collection[str] | None = None) -> set[Fact]:
    """Return the facts that the orders' events make, or those of these names."""
    return {
        (order_id, identity(order_id, event))
        for order_id, kind in orders.items()
        for event in kind.events
        if events is None or event in events
    }


def _written(world: World) -> set[Fact]:
    return {(order_id, event_id) for order_id, facts in world.read_ledger().items() for event_id in facts}


def _answered(world: World, operation: str) -> set[str]:
    """Return the orders for which such a call went well, as far as Button is concerned."""
    requests = world.sandbox.control.requests()
    return {each["order_id"] for each in requests if each["operation"] == operation and each["status"] == 200}


def _open_calls(world: World) -> int:
    return int(world.sandbox.control.stats()["requests"]["open"])


def _report_elsewhere(world: World, order_ids: Collection[str]) -> int:
    """Let somebody else report purchases to Button; return how many calls that took."""
    lines = [
        {"identifier": name, "sku": name, "total": total, "quantity": quantity}
        for name, (total, quantity) in KEPT.left.items()
    ]
    order = {"total": 7500, "currency": "USD", "purchase_date": "2026-01-01T00:00:00Z", "line_items": lines}
    with httpx2.Client(base_url=world.sandbox.url, auth=(API_KEY, ""), trust_env=False) as client:
        for order_id in order_ids:
            client.post("/v1/order", json={"order_id": order_id, **order}).raise_for_status()
    return len(order_ids)


def _judge(world: World, orders: Mapping[str, Kind], since: int = 0, times: int = 2) -> dict[str, list[str]]:
    """Hold what is left to what the merchant has, and return what Button was told behind a call of its log.

    Every event's fact is in the ledger, and no event was told more than so many times. Only some socks that come after
    their whole order was taken back may be a dead letter in place of a fact: there is nothing to take them off.
    """
    assert list(complaints(orders, world.sandbox.control.orders())) == []
    over = {((letter.key or b"").decode(), letter.headers[REASON]) for letter in world.read_dead_letters()}
    assert over <= {(order_id, "over_refund") for order_id, kind in orders.items() if kind is RETURNED_LATER}
    assert _facts(orders) - _written(world) == {(order_id, identity(order_id, "socks")) for order_id, _ in over}
    calls = told(world.sandbox.control.requests(since))
    assert {order_id for order_id in calls if len(calls[order_id]) > times * len(orders[order_id].events)} == set()
    assert {order_id for order_id in calls if calls[order_id].count("create") > times} == set()
    return calls


def _but_not_in_the_last(world: World, some: Sequence[Produced]) -> list[Produced]:
    """Return the records in all partitions but the last, those of an order in one."""
    return [each._replace(partition=crc32(each.key or b"") % (world.partitions - 1)) for each in some]


def test_a_kill_between_an_answer_and_its_fact(kafka: Broker, tmp_path: Path) -> None:
    """[1] Button has answered calls and lookups, no fact of it is written: the heir tells each event once more."""
    settled = _orders({"update": SOME_SOCKS, "cancel": RETURNED})
    fresh, seen = _orders({"create": KEPT}), _orders({"get": SEEN})
    orders = settled | fresh | seen
    with World(kafka, tmp_path) as world:
        before_us = _report_elsewhere(world, seen)
        world.produce(_but_not_in_the_last(world, records(settled, {"purchase"})))
        first = world.connector()
        world.wait_until_at_rest(30, first)
        first.child.terminate()
        assert first.child.wait(20) == 0
        committed = world.offsets.committed()
        doomed = world.connector({"kafka": {"properties": HOLDS_FACTS_BACK}})
        waiting = [*records(settled, {"socks", "all"}), *records(fresh), *records(seen)]
        world.produce(_but_not_in_the_last(world, waiting))
        for operation in ("create", "update", "cancel", "get"):
            wanted = {order_id for order_id in orders if order_id.startswith(operation)}
            wait_until(lambda op=operation, ids=wanted: ids <= _answered(world, op), 20, awaiting="all answers")  # type: ignore[misc]  # lambdas with defaults
        # A tombstone, which needs no fact, is alone in the last partition: whatever could be committed is, with it.
        last = world.partitions - 1
        world.produce([Produced(b"gone", None, partition=last)])
        wait_until(lambda: world.offsets.committed()[last] == 1, 20, awaiting="a commit")
        doomed.child.kill()
        assert world.offsets.committed() == {**committed, last: 1}
        assert _written(world) == _facts(settled, {"purchase"})
        heir = world.connector(MANY_AT_ONCE)
        world.wait_until_at_rest(30, heir)
        calls = _judge(world, orders, before_us)
    # What was acknowledged before the kill was told again, and a lookup alone had told nothing.
    again = {"update": ["create", "update", "update"], "cancel": ["create", "cancel", "cancel"]}
    again |= {"create": ["create", "create"], "get": ["update"]}
    assert calls == {order_id: again[order_id.partition("-")[0]] for order_id in orders}


def test_a_kill_between_a_fact_and_its_commit_and_between_a_lookup_and_its_update(
    kafka: Broker,
    tmp_path: Path,
) -> None:
    """[1, 66] All facts are written, nothing is committed, and updates that follow from lookups are not taken yet."""
    orders = _orders({"lone": KEPT, "refunded": SOME_SOCKS, "returned": RETURNED})
    seen = _orders({"seen": SEEN})
    with World(kafka, tmp_path) as world:
        before_us = _report_elsewhere(world, seen)
        world.produce([*records(orders), *records(seen)])
        with no_update_taken(tmp_path, "seen-*"):
            doomed = world.connector({"delivery": {**MANY_AT_ONCE["delivery"], "commit_interval_seconds": 600}})
            held = _facts(orders) | {(order_id, OBSERVED) for order_id in seen}
            wait_until(lambda: _written(world) == held, 30, awaiting="all facts", interval_seconds=0.1)
            wait_until(
                lambda: _open_calls(world) == len(seen),
                10,
                awaiting="an update of each order that was looked up",
            )
            doomed.child.kill()
            assert _written(world) == held
            assert set(world.offsets.committed().values()) == {0}
            assert not seen.keys() & told(world.sandbox.control.requests(before_us)).keys()
        heir = world.connector(MANY_AT_ONCE)
        world.wait_until_at_rest(30, heir)
        calls = _judge(world, orders | seen, before_us)
    # The heir reads all events again: one that is alone needs no call, the others tell everything once more.
    expected = {
        "lone": ["create"],
        "refunded": ["create", "update", "update", "update"],
        "returned": ["create", "cancel", "cancel", "cancel"],
        "seen": ["update"],
    }
    assert calls == {order_id: expected[order_id.partition("-")[0]] for order_id in orders | seen}


CROSSING = {"delay_share": 1.0, "delay_ms": 60, "delay_mode": "jitter", "delay_when": "before"}
"""Calls that take long enough to cross, and orders that are there only when they end."""


def _two_members(world: World) -> tuple[Connector, Connector, Sequence[int], Sequence[int]]:
    """Start two members; return them and the partitions of each."""
    one, other = world.connector(MANY_AT_ONCE), world.connector(MANY_AT_ONCE)

    def shared() -> bool:
        owned = [world.owned_partitions(member) for member in (one, other)]
        return all(owned) and sorted(number for each in owned for number in each) == list(range(world.partitions))

    wait_until(shared, 30, awaiting="both members to have partitions", interval_seconds=0.1)
    return one, other, sorted(world.owned_partitions(one)), sorted(world.owned_partitions(other))


def _crossed(requests: Sequence[Mapping[str, Any]]) -> int:
    """Count the orders of which two calls were under way at once: no process makes two calls of one order."""
    by_order: dict[str, list[Mapping[str, Any]]] = {}
    for request in sorted(requests, key=lambda each: float(each["started_ms"])):
        by_order.setdefault(request["order_id"], []).append(request)
    return sum(
        any(later["started_ms"] < earlier["finished_ms"] for earlier, later in pairwise(calls))
        for calls in by_order.values()
    )


def test_two_processes_and_one_order_on_two_partitions(kafka: Broker, tmp_path: Path) -> None:
    """Purchase and refunds of an order are at two processes at once: it ends as the merchant has it, created once.

    A refund that came first, on the other process, is folded into the one call of its purchase.
    """
    random = Random(1)  # noqa: S311  an order of events
    early = _orders({"early": SOME_SOCKS})
    kinds = {"part": SOME_SOCKS, "parts": ONE_SOCK, "off": RETURNED, "later": RETURNED_LATER}
    crossing = _orders(kinds, 60)
    with World(kafka, tmp_path, CROSSING) as world:
        one, other, ours, theirs = _two_members(world)
        world.produce(record(order_id, "socks", random.choice(theirs)) for order_id in early)
        world.wait_until_at_rest(20, one, other)
        assert _written(world) == _facts(early, {"socks"})
        world.produce(record(order_id, "purchase", random.choice(ours)) for order_id in early)
        world.produce(
            record(order_id, event, random.choice(ours if event == "purchase" else theirs))
            for order_id, kind in crossing.items()
            for event in random.sample(kind.events, len(kind.events))
        )
        world.wait_until_at_rest(40, one, other)
        calls = _judge(world, early | crossing, times=9)
        requests = world.sandbox.control.requests()
    assert all(calls[order_id] == ["create"] for order_id in early)
    assert {order_id for order_id in calls if calls[order_id].count("create") > 1} == set()
    assert _crossed(requests) >= EACH


def test_partitions_that_are_added_in_the_middle_change_nothing(kafka: Broker, tmp_path: Path) -> None:
    """Keys move to other partitions while orders are under way: none is lost, none is told without need."""
    orders = _orders({"kept": KEPT, "part": SOME_SOCKS, "parts": ONE_SOCK, "off": RETURNED}, 40)
    kept = [order_id for order_id, kind in orders.items() if kind is KEPT]
    with World(kafka, tmp_path, {"delay_share": 1.0, "delay_ms": 500}) as world:
        world.produce([*records(orders, {"purchase"}), *records(orders, {"socks"})])
        connector = world.connector({"kafka": {"metadata_refresh_interval_ms": 500}})
        wait_until(lambda: _open_calls(world) >= EACH, 20, awaiting="calls under way")
        world.add_partitions(2 * world.partitions)
        assert world.offsets.committed() != world.offsets.ends()
        world.produce([*records(orders, {"shoes", "all"}), *(record(order_id, "purchase") for order_id in kept)])
        moved = [order_id for order_id, places in world.placed.items() if len({place for place, _ in places}) > 1]
        assert len(moved) >= EACH
        world.wait_until_at_rest(40, connector)
        calls = _judge(world, orders, times=1)
    # A copy of a purchase, wherever it lies, is known again.
    assert all(calls[order_id] == ["create"] for order_id in kept)


def test_a_table_that_is_lost_or_spoilt_is_built_again(kafka: Broker, tmp_path: Path) -> None:
    """[60, 61] Without its copy of the ledger, or with a damaged one, it is said and every order is known again."""
    lone, growing = _orders({"lone": KEPT}, 200), _orders({"growing": ONE_SOCK})
    kept = {"tables": {"directory": str(tmp_path / "tables")}}
    copy = tmp_path / "tables" / "ledger"
    with World(kafka, tmp_path) as world:
        world.produce([*records(lone), *records(growing, {"purchase"})])
        facts = _at_work(world, kept)[0]
        assert facts == 0

        shutil.rmtree(copy)
        world.rewind()
        world.produce(records(growing, {"socks"}))
        facts, log = _at_work(world, kept)
        assert facts > len(lone) + len(growing)
        assert "copy of a table is deleted" not in log

        world.rewind()
        assert _at_work(world, kept)[0] == 0  # What is kept is gone on with.

        assert spoil(copy) > 0
        world.rewind()
        world.produce(records(growing, {"shoes"}))
        # Where the damage lies is RocksDB's affair: what it reads to open is found then, the rest when it is needed.
        reader = world.connector(kept, is_ready=False)
        said = reader.child.read_log
        wait_until(
            lambda: _REBUILT in said() or reader.child.exit_status is not None,
            30,
            awaiting="word of the damage",
        )
        if _REBUILT not in said():
            assert reader.child.wait(10) == 1
            assert "StoreDamagedError" in said()
            reader = world.connector(kept)
            assert "it was found damaged when it was read" in reader.child.read_log()
        facts, log = _at_rest(world, reader)
        assert facts > len(lone) + 2 * len(growing)
        assert log.count(_REBUILT) == 1
        calls = _judge(world, lone | growing, times=3)
    # All of it was read four times.
    assert all(calls[order_id] == ["create"] for order_id in lone)


_REBUILT = "copy of a table is deleted, it is read again from its topic"


def _at_work(world: World, settings: Mapping[str, Mapping[str, Any]]) -> tuple[int, str]:
    """Let a connector do what there is to do; return how much of the ledger it read at its start, and its log."""
    return _at_rest(world, world.connector(settings))


def _at_rest(world: World, connector: Connector) -> tuple[int, str]:
    world.wait_until_at_rest(30, connector)
    connector.child.terminate()
    assert connector.child.wait(20) == 0, connector.child.read_log()
    log = connector.child.read_log()
    (caught_up,) = (line for line in map(json.loads, log.splitlines()) if _is_of_ledger(line))
    return caught_up["records"], log


def _is_of_ledger(line: Mapping[str, Any]) -> bool:
    return bool(line["event"] == "table caught up" and line["table"] == "ledger")


def test_a_refund_waits_only_so_long_and_not_at_all_behind_a_dead_purchase(kafka: Broker, tmp_path: Path) -> None:
    """A refund without its purchase becomes a dead letter once, and is marked; one of a dead letter's order at once."""
    never, later = record("never", "socks"), record("later", "socks")
    unpayable = purchase("poor", currency_code="JPY")
    unpayable["product_action"]["total_amount"] = "0.5"
    dead, parked = Produced(b"poor", encode_event(unpayable), "poor"), record("poor", "socks")
    with World(kafka, tmp_path) as world:

        def letters() -> dict[tuple[bytes | None, str], int]:
            found = Counter((each.key, each.headers[REASON]) for each in world.read_dead_letters())
            return dict(found)

        connector = world.connector({"ledger": {"waiting_refund_days": 1e-5}}, program=(sweep_often.__file__,))
        world.produce([never, dead, parked])
        expected = {(b"never", "refund_without_purchase"): 1}
        expected |= {(b"poor", "amount_too_precise"): 1, (b"poor", "order_parked"): 1}
        wait_until(lambda: letters() == expected, 20, awaiting="three dead letters", interval_seconds=0.2)
        # The same refund again, and one whose letter comes from a later sweep.
        world.produce([never, later])
        expected[b"later", "refund_without_purchase"] = 1
        wait_until(lambda: letters().keys() == expected.keys(), 20, awaiting="one more", interval_seconds=0.2)
        wait_until(lambda: "m" in world.read_ledger()["later"][identity("later", "socks")], 10, awaiting="its mark")
        world.wait_until_at_rest(20, connector)
        assert letters() == expected
        (letter,) = (each for each in world.read_dead_letters() if each.key == never.key)
        assert letter.value == never.value
        ledger = world.read_ledger()
        assert told(world.sandbox.control.requests()) == {}
    assert ledger["never"][identity("never", "socks")]["m"][0] == "given_up"
    marks = [fact["m"] for fact in ledger["poor"].values()]
    assert sorted(marks) == [["parked", "amount_too_precise"], ["parked", "order_parked"]]
