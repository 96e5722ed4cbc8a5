# SPDX-License-Identifier: Apache-2.0
"""What cannot be delivered, and what is not there: each ends by name, and nothing else stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from connector.demo.parts import API_KEY
from tests.support.avro_records import encode_event, purchase
from tests.support.generator import ExpectedLetter, ExpectedOrder, Produced, generate
from tests.support.kafka_broker import unique_topic
from tests.support.oracle import Case
from tests.support.polling import wait_until
from tests.support.processes import World

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

HEADERS = (("trace", b"kept as it is"),)
FRUGAL = {"delivery": {"max_uncommitted_records": 64}}


class Bad(NamedTuple):
    """A record that can never be an order, and how it must end."""

    value: bytes
    reason: str
    stage: str
    event_index: str
    order_id: str = ""


def _spoilt(**changes: Any) -> bytes:  # noqa: ANN401  any field of an event
    """Return a purchase with other fields; those of its product action are named by ``action_`` before them."""
    event = purchase()
    own = {name: value for name, value in changes.items() if not name.startswith("action_")}
    action = {name.removeprefix("action_"): value for name, value in changes.items() if name.startswith("action_")}
    return encode_event({**event, **own, "product_action": {**event["product_action"], **action}})


BAD = {
    "truncated Avro": Bad(encode_event(purchase())[:-9], "truncated_avro", "decode", ""),
    "not Avro": Bad(b'{"transaction_id": "order-1"}', "not_avro", "decode", ""),
    "empty": Bad(b"", "not_avro", "decode", ""),
    "no transaction id": Bad(_spoilt(action_transaction_id=None), "missing_transaction_id", "map", "0"),
    "blank transaction id": Bad(_spoilt(action_transaction_id=" "), "missing_transaction_id", "map", "0"),
    "negative total": Bad(_spoilt(action_total_amount="-10.00"), "negative_total", "map", "0", "order-1"),
    "total below its tax": Bad(_spoilt(action_tax_amount="10.01"), "negative_total", "map", "0", "order-1"),
    "unknown currency": Bad(_spoilt(currency_code="ABC"), "unknown_currency", "map", "0", "order-1"),
    "finer than a cent": Bad(_spoilt(action_total_amount="10.001"), "amount_too_precise", "map", "0", "order-1"),
}


def test_what_cannot_be_an_order_ends_by_name_and_stops_nothing(kafka: Broker, tmp_path: Path) -> None:
    """[40, 43, 47] Bad records become dead letters, a tombstone is skipped, a null key is delivered, all else arrives.

    There are more bad records than may be uncommitted at once, so that one that was never finished would be noticed.
    """
    plan = generate(7, 60)
    good = plan.records
    purchased = purchase("without-key", integration_attributes={"1022": {"btn_ref": "t-1"}})
    without_key = Produced(None, encode_event(purchased), "without-key", "create")
    tombstones = [Produced(b"order-00000", None), Produced(b"gone", None), Produced(None, None)]
    bad = [
        Produced(f"{name} {number}".encode(), each.value, headers=HEADERS)
        for number in range(10)
        for name, each in BAD.items()
    ]
    plan.records = [*bad[:30], *tombstones, *good[:30], *bad[30:60], without_key, *good[30:], *bad[60:], *tombstones]
    plan.dead_letters += [
        ExpectedLetter(each.key, each.value, BAD[(each.key or b"").decode().rpartition(" ")[0]].reason) for each in bad
    ]
    plan.orders["without-key"] = ExpectedOrder(_plain_order("without-key", btn_ref="t-1"), is_cancelled=False)

    with World(kafka, tmp_path) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        connector = world.connector(FRUGAL)
        world.wait_until_at_rest(30, connector)
        case = Case(plan, world.evidence())

    assert case.complaints() == []
    letters = {letter.key: letter for letter in case.evidence.dead_letters}
    for record in bad:
        expected = BAD[(record.key or b"").decode().rpartition(" ")[0]]
        headers = dict(letters[record.key].headers)
        assert headers.pop("trace") == "kept as it is"
        assert headers.pop("button-connector.message")
        assert int(headers.pop("button-connector.time")) > 0
        assert headers.pop("button-connector.partition")
        assert headers.pop("button-connector.offset")
        assert headers.pop("button-connector.cluster")
        assert headers.pop("button-connector.topic-id")
        assert int(headers.pop("button-connector.record-time")) > 0
        assert headers == {
            "button-connector.topic": world.events,
            "button-connector.event-index": expected.event_index,
            "button-connector.stage": expected.stage,
            "button-connector.reason": expected.reason,
            "button-connector.attempts": "0",
            "button-connector.order-id": expected.order_id,
        }


def _plain_order(order_id: str, **more: str) -> dict[str, Any]:
    line = {"identifier": "sku-1", "sku": "sku-1", "description": "A thing", "total": 1000, "quantity": 1}
    return {
        "order_id": order_id,
        "total": 1000,
        "currency": "USD",
        "purchase_date": "2026-01-01T00:00:00Z",
        "line_items": [line],
        **more,
    }


def test_an_order_that_button_refuses_is_a_dead_letter_and_the_others_arrive(kafka: Broker, tmp_path: Path) -> None:
    """[40] What Button answers with 400 becomes a dead letter with that answer, after one attempt."""
    plan = generate(8, 30)
    with World(kafka, tmp_path, {"zero_line_total": "400"}) as world:
        gift = [{"id": "sku-1", "name": "A gift", "price": "0.00", "quantity": 1}]
        free = Produced(b"free", _spoilt(action_transaction_id="free", action_products=gift))
        plan.records.insert(10, free)
        plan.dead_letters.append(ExpectedLetter(free.key, free.value, "http_400"))
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        connector = world.connector()
        world.wait_until_at_rest(30, connector)
        case = Case(plan, world.evidence())
    assert case.complaints() == []
    (letter,) = (letter for letter in case.evidence.dead_letters if letter.key == b"free")
    assert letter.headers["button-connector.stage"] == "deliver"
    assert letter.headers["button-connector.attempts"] == "1"


@pytest.mark.parametrize("remedy", ["at Button", "in the key's file"])
def test_a_refused_key_halts_and_blames_no_order(kafka: Broker, tmp_path: Path, remedy: str) -> None:
    """[25, 27] A 401 stops sending, not the process: when the key is right again, every order arrives by itself."""
    key_file = tmp_path / "key"
    key_file.write_text("sk-other")
    plan = generate(9, 90)
    with World(kafka, tmp_path) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        connector = world.connector({"button": {"api_key": None, "api_key_file": str(key_file)}}, is_ready=False)
        wait_until(lambda: _refusals(world) >= 3, 30, awaiting="calls that are answered 401")
        # The sandbox counts an answer before the connector has read it.
        wait_until(lambda: not connector.is_ready(), 10, awaiting="the connector to have taken note of the refusal")
        assert connector.is_live()
        assert world.sandbox.control.orders() == {}

        if remedy == "at Button":
            world.sandbox.control.set({"api_key": "sk-other"})
        else:
            key_file.write_text(API_KEY)
        world.wait_until_at_rest(30, connector)
        assert connector.is_ready()
        case = Case(plan, world.evidence())
        log = connector.child.read_log()
    assert case.complaints() == []
    assert "sk-other" not in log
    assert API_KEY not in log


def _refusals(world: World) -> int:
    return int(world.sandbox.control.stats()["requests"]["by_status"].get("401", 0))


@pytest.mark.parametrize(
    ("area", "name"),
    [("kafka", "topics"), ("sessions", "topic"), ("dead_letters", "topic")],
)
def test_a_missing_topic_stops_the_start_by_name(kafka: Broker, tmp_path: Path, area: str, name: str) -> None:
    """A topic that does not exist ends the start with its setting, its name and the remedy, and is not created."""
    missing = unique_topic("missing")
    with World(kafka, tmp_path) as world:
        value = [missing] if name == "topics" else missing
        connector = world.connector({area: {name: value}}, is_ready=False)
        assert connector.child.wait(30) == 1
        log = connector.child.read_log()
        assert f"{area}.{name}" in log
        assert missing in log
        assert "Create it" in log
        assert missing not in kafka.admin().list_topics(timeout=10).topics
        assert world.offsets.committed() == dict.fromkeys(range(4), 0)
