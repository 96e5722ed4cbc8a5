# SPDX-License-Identifier: Apache-2.0
"""Wires that carry what nobody expected, or nothing at all: each ends by name, and nothing else stops."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.avro_records import body, encode_event, purchase, schema, with_decimals
from tests.support.generator import ExpectedLetter, ExpectedOrder, Produced, generate
from tests.support.oracle import Case
from tests.support.polling import wait_until
from tests.support.processes import World
from tests.support.registry import Registry
from tests.support.wires import MixedWires, with_text_amounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from connector.demo.parts import Connector
    from tests.support.generator import Plan
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ORDERS = 200
PREFIX = "button-connector."
MESSAGE = PREFIX + "message"
FIVE_MEGABYTES = 5_000_000
LARGE = {"max.message.bytes": "6000000"}
SMALL = {"max.message.bytes": "1048588"}


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Give a registry that a test may stop and start."""
    with Registry() as registry:
        yield registry


def _plan(registry: Registry) -> Plan:
    return generate(11, ORDERS, encode=MixedWires(registry.url, "events", 11))


def _judged(world: World, plan: Plan) -> Case:
    case = Case(plan, world.evidence())
    assert case.complaints() == []
    return case


def _has_said(connector: Connector, words: str) -> bool:
    connector.child.check()
    return words in connector.child.read_log()


def _spoilt_id(registry: Registry, key: str) -> Produced:
    """Return a good event under the id of a schema that the registry does not have."""
    with_id = MixedWires(registry.url, "events", 0).serializer(schema("commerce_event"))(with_decimals(purchase(key)))
    return Produced(key.encode(), b"\x00" + (4711).to_bytes(4, "big") + with_id[5:])


def test_an_unknown_schema_id_is_a_dead_letter_after_its_bound(
    kafka: Broker,
    tmp_path: Path,
    registry: Registry,
) -> None:
    """[40] Its records wait for replication that may be late, then end by name; all others arrive."""
    plan = _plan(registry)
    unknown = [_spoilt_id(registry, f"unknown-{number}") for number in range(20)]
    plan.records = _among(plan.records, unknown)
    plan.dead_letters += [ExpectedLetter(each.key, each.value, "unknown_schema_id") for each in unknown]
    with World(kafka, tmp_path) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        connector = world.connector({"schema_registry": {"url": registry.url, "unknown_id_seconds": 2}})
        world.wait_until_at_rest(40, connector)
        case = _judged(world, plan)
        log = connector.child.read_log()
    message = next(each for each in case.evidence.dead_letters if each.key == b"unknown-0").headers[MESSAGE]
    assert message.startswith("schema id 4711: ")
    assert registry.url in message
    assert "check that schema_registry.url is the registry that the producer uses" in message
    assert log.count("orders of a writer's schema cannot be delivered") >= 1
    # Waited for once, and not once for each record.
    assert 2 <= registry.asked_for(4711) <= 20


@pytest.mark.parametrize("bound", [None, 1_000_000], ids=["within the bounds", "beyond the bound on memory"])
def test_a_valid_record_of_five_megabytes_is_delivered(
    kafka: Broker,
    tmp_path: Path,
    registry: Registry,
    bound: int | None,
) -> None:
    """[41, 42] Fetched whole and delivered like any other; one that exceeds the bound on memory is let in alone."""
    plan = _plan(registry)
    confluent = MixedWires(registry.url, "events", 0).serializer(schema("commerce_event"))
    encodings: Mapping[str, Callable[[Mapping[str, Any]], bytes]] = {
        "large-single-object": encode_event,
        "large-confluent": lambda event: confluent(with_decimals(event)),
    }
    large = []
    for order_id, encode in encodings.items():
        attributes = {"1022": {"btn_ref": f"t-{order_id}"}, "77": {"notes": "x" * FIVE_MEGABYTES}}
        value = encode(purchase(order_id, integration_attributes=attributes))
        large.append(Produced(order_id.encode(), value, order_id, "create"))
        plan.orders[order_id] = ExpectedOrder(plain_order(order_id, btn_ref=f"t-{order_id}"), is_cancelled=False)
    plan.records = _among(plan.records, large)
    with World(kafka, tmp_path, events_config=LARGE) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        delivery = {} if bound is None else {"max_uncommitted_bytes": bound}
        connector = world.connector({"schema_registry": {"url": registry.url}, "delivery": delivery})
        world.wait_until_at_rest(40, connector)
        _judged(world, plan)


def test_a_poison_record_of_five_megabytes_becomes_a_dead_letter_by_reference(kafka: Broker, tmp_path: Path) -> None:
    """[26, 40] Where the dead-letter topic does not take it: its place, size and SHA-256 are written in its stead."""
    plan = generate(12, ORDERS)
    poison = Produced(b"poison", b"\xc3\x01" + b"x" * FIVE_MEGABYTES, headers=(("trace", b"kept"),))
    good = plan.records
    plan.records = _among(good, [poison])
    with World(kafka, tmp_path, events_config=LARGE, dead_letters_config=SMALL) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        connector = world.connector()
        world.wait_until_at_rest(40, connector)
        evidence = world.evidence()
    (letter,) = (each for each in evidence.dead_letters if each.key == b"poison")
    others = [each for each in evidence.dead_letters if each is not letter]
    assert Case(plan, replace(evidence, dead_letters=others)).complaints() == []
    (place,) = ((each.partition, each.offset) for each in evidence.input if each.key == b"poison")
    assert letter.value is None
    assert letter.headers["button-connector.value-size"] == str(len(poison.value or b""))
    assert letter.headers["button-connector.value-sha256"] == hashlib.sha256(poison.value or b"").hexdigest()
    assert (int(letter.headers[PREFIX + "partition"]), int(letter.headers[PREFIX + "offset"])) == place
    assert letter.headers[PREFIX + "reason"] == "unknown_schema_fingerprint"
    assert letter.headers["trace"] == "kept"


def test_a_registry_that_is_down_at_the_start_stops_nothing_for_good(
    kafka: Broker,
    tmp_path: Path,
    registry: Registry,
) -> None:
    """[31] Nothing is lost and no record is blamed: the connector says what it waits for, and goes on by itself."""
    plan = _plan(registry)
    registry.stop()
    with World(kafka, tmp_path) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        connector = world.connector({"schema_registry": {"url": registry.url}}, is_ready=False)
        wait_until(lambda: _has_said(connector, '"name":"schema registry"'), 30, awaiting="its complaint")
        assert connector.is_live()
        assert world.read_dead_letters() == []
        assert world.offsets.committed() != world.offsets.ends()
        registry.start()
        world.wait_until_at_rest(40, connector)
        assert connector.is_ready()
        _judged(world, plan)


def test_a_registry_that_goes_down_later_stops_only_who_needs_it(
    kafka: Broker,
    tmp_path: Path,
    registry: Registry,
) -> None:
    """[31] Known schemas go on without it; a new one waits, and what lies behind it waits with it, in order."""
    plan = _plan(registry)
    new_schema = with_text_amounts({**schema("commerce_event"), "doc": "a new version"})
    new_id = registry.register("events-value", new_schema)
    event = purchase("new", integration_attributes={"1022": {"btn_ref": "t-new"}})
    event["product_action"]["products"][0]["quantity"] = "1"
    value = b"\x00" + new_id.to_bytes(4, "big") + body(event, new_schema)
    plan.orders["new"] = ExpectedOrder(plain_order("new", btn_ref="t-new"), is_cancelled=False)
    before, behind = plan.records[: ORDERS // 2], plan.records[ORDERS // 2 :]
    new = Produced(b"new", value, "new", "create")
    plan.records = [*before, new, *behind]
    with World(kafka, tmp_path) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(before)
        connector = world.connector({"schema_registry": {"url": registry.url}})
        world.wait_until_at_rest(40, connector)
        registry.stop()
        world.produce([new, *behind])
        ((waiting, offset),) = world.placed["new"]
        expected = {**world.offsets.ends(), waiting: offset}
        wait_until(lambda: world.offsets.committed() == expected, 30, awaiting="the other partitions' ends")
        assert _has_said(connector, '"name":"schema registry"')
        assert "new" not in world.sandbox.control.orders()
        registry.start()
        world.wait_until_at_rest(40, connector)
        _judged(world, plan)


def _among(records: list[Produced], others: list[Produced]) -> list[Produced]:
    """Return the records with the others spread over them."""
    apart = len(records) // (len(others) + 1)
    spread = list(records)
    for number, other in reversed(list(enumerate(others, 1))):
        spread.insert(number * apart, other)
    return spread


def plain_order(order_id: str, **more: str) -> dict[str, Any]:
    """Return the order that a plain purchase must become."""
    line = {"identifier": "sku-1", "sku": "sku-1", "description": "A thing", "total": 1000, "quantity": 1}
    return {
        "order_id": order_id,
        "total": 1000,
        "currency": "USD",
        "purchase_date": "2026-01-01T00:00:00Z",
        "line_items": [line],
        **more,
    }
