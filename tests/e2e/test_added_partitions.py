# SPDX-License-Identifier: Apache-2.0
"""Partitions are added under load, as SREs do: nothing is lost, nothing is told twice, and orders come out right.

Keys move when partitions are added: the purchase of an order lies in one partition, its refunds in another, at another
process perhaps, and may be read before it. Where the ledger knows all of an order's facts, that does not matter.
"""

from __future__ import annotations

import re
import time
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from tests.support.polling import wait_until
from tests.support.processes import World
from tests.support.small_orders import (
    KEPT,
    ONE_SOCK,
    RETURNED,
    SOME_SOCKS,
    Kind,
    complaints,
    identity,
    record,
    records,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from connector.demo.parts import Connector
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]

_KINDS = {"kept": KEPT, "some": SOME_SOCKS, "one": ONE_SOCK, "returned": RETURNED}
_REFUNDS = ("socks", "shoes", "all")
SLOW_CALLS = {"delay_share": 1.0, "delay_ms": 50}
FEW_CALLS = {"delivery": {"max_concurrency": 2}, "kafka": {"metadata_refresh_interval_ms": 1_000}}
"""So that purchases still wait in the old partitions while refunds are read from the new ones."""
_LAG_RECOVERS_SECONDS = 60.0


def _orders(name: str, each: int) -> dict[str, Kind]:
    return {f"{name}-{kind}-{number}": of for number in range(each) for kind, of in _KINDS.items()}


def _metric(connectors: Sequence[Connector], sample: str) -> float:
    """Return a sample of the connectors' metrics, added up."""
    total = 0.0
    for connector in connectors:
        with urllib.request.urlopen(f"{connector.ops_url}/metrics", timeout=10) as answer:  # noqa: S310  our own child
            found = re.search(rf"^{re.escape(sample)} ([\d.e+]+)$", answer.read().decode(), re.MULTILINE)
        total += float(found[1]) if found else 0.0
    return total


def _waiting(connectors: Sequence[Connector]) -> float:
    return _metric(connectors, 'button_connector_facts_noted_total{reason="waits"}')


def test_from_four_to_twelve_partitions_under_load(kafka: Broker, tmp_path: Path) -> None:
    """[4, 36, 37, 38] Old and new partitions are read whole, each order is created once and ends as it should."""
    before, after, late = _orders("before", 80), _orders("after", 15), _orders("late", 10)
    orders = before | after | late
    with World(kafka, tmp_path, SLOW_CALLS) as world:
        both = [world.connector(FEW_CALLS), world.connector(FEW_CALLS)]
        wait_until(lambda: world.members_with_partitions() == 2, 30, awaiting="both to have partitions")
        world.produce(records(before, {"purchase"}))
        world.wait_for_commits(20, *both)
        old_ends = world.offsets.ends()
        world.add_partitions(12)
        began = time.monotonic()
        for event in _REFUNDS:
            world.produce(records(before, {event}))
        world.produce(records(after))
        # A producer that has not noticed yet: purchases come into old partitions, after refunds that lie in new ones.
        world.produce(records(late, _REFUNDS))
        wait_until(lambda: _waiting(both) > 0, 60, awaiting="refunds that wait for their purchase")
        world.produce(record(order_id, "purchase", crc32(order_id.encode()) % 4) for order_id in late)
        world.wait_until_at_rest(_LAG_RECOVERS_SECONDS, *both)
        recovered_in_seconds = time.monotonic() - began
        moved = {
            order_id for order_id in before | late if len({partition for partition, _ in world.placed[order_id]}) > 1
        }
        new_ends = world.offsets.ends()
        held = world.sandbox.control.orders()
        calls = told(world.sandbox.control.requests())
        facts = {(order_id, event) for order_id, of in world.read_ledger().items() for event in of}
        letters = world.read_dead_letters()
    # The test is worth something: a backlog was there, keys moved, every new partition has records, events crossed.
    assert sum(old_ends.values()) == len(before)
    assert len(moved) > 50
    assert all(new_ends[partition] > 0 for partition in range(4, 12))
    # Nothing is lost: every event of every order is in the ledger, and Button holds what the merchant does.
    assert letters == []
    assert {(each, identity(each, event)) for each, kind in orders.items() for event in kind.events} - facts == set()
    assert list(complaints(orders, held)) == []
    # Nothing is told twice: an order is created once at most, and once at least where anything is left of it.
    creates = {order_id: Counter(of)["create"] for order_id, of in calls.items()}
    assert {order_id: times for order_id, times in creates.items() if times > 1} == {}
    assert {order_id for order_id, kind in orders.items() if kind.left and creates.get(order_id) != 1} == set()
    # An order that stayed in its partition hears of each event once. One whose key moved may hear of its whole state
    # once more for an event, because two processes tell of it, and each makes sure that the last word is of all.
    for order_id, kind in orders.items():
        most = len(kind.events) * (2 if order_id in moved else 1)
        assert len(calls.get(order_id, ())) <= most, (order_id, calls[order_id])
    assert recovered_in_seconds < _LAG_RECOVERS_SECONDS
