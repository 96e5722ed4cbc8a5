# SPDX-License-Identifier: Apache-2.0
"""``orders`` against what a running connector wrote: a real Kafka, the sandbox, and what each of them says."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from tests.support.avro_records import encode_event, purchase, refund
from tests.support.command_line import call, settings_file
from tests.support.kafka_broker import unique_topic
from tests.support.processes import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.command_line import Done
    from tests.support.kafka_broker import Broker

LIVING, REFUNDED, WAITING, GONE = "shop/1", "shop-2", "shop-3", "shop-4"
NOW_MS = time.time_ns() // 1_000_000
TWO_SHOES = {
    "action": "purchase",
    "transaction_id": REFUNDED,
    "total_amount": "20.00",
    "products": [{"id": "shoe", "name": "Shoe", "price": "10.00", "quantity": 2}],
}


def _refund_of(order_id: str, quantity: int, message: str, at_ms: int) -> dict[str, Any]:
    products = [{"id": "shoe", "name": "Shoe", "price": "10.00", "quantity": quantity}]
    action = {"action": "refund", "transaction_id": order_id, "products": products}
    return refund(order_id, source_message_id=message, product_action=action, occurred_at=NOW_MS + at_ms)


EVENTS = [
    purchase(LIVING, occurred_at=NOW_MS, btn_ref="srctok-1"),
    purchase(REFUNDED, occurred_at=NOW_MS, product_action=TWO_SHOES),
    _refund_of(REFUNDED, 1, "one-back", 1_000),
    _refund_of(REFUNDED, 5, "too-many-back", 2_000),
    _refund_of(WAITING, 1, "early", 0),
    purchase(GONE, occurred_at=NOW_MS),
    refund(GONE, occurred_at=NOW_MS + 1_000),
    purchase("shop-5", occurred_at=NOW_MS, currency_code="US$"),
]


class Told:
    """Settings under which a connector has brought the events to their ends."""

    def __init__(self, world: World, folder: Path) -> None:
        """Bring them there."""
        self.world, self.folder = world, folder
        producer = Producer({"bootstrap.servers": world.broker.bootstrap_servers, "log_level": 0})
        for event in EVENTS:
            order_id = event["product_action"]["transaction_id"].encode()
            producer.produce(world.events, encode_event(event), order_id, 0)
        producer.produce(world.events, b"junk", LIVING.encode(), 0)
        assert producer.flush(20) == 0
        connector = world.connector()
        world.wait_until_at_rest(40, connector)
        connector.child.terminate()
        assert connector.child.wait(20) == 0, connector.child.read_log()

    def call(self, *arguments: str, changes: dict[str, dict[str, Any]] | None = None) -> Done:
        """Call ``orders`` with these settings."""
        areas = self.world.settings(changes or {})
        return call("orders", *arguments, "-c", settings_file(self.folder, areas))

    def show(self, order_id: str, *options: str) -> dict[str, Any]:
        """Return what is known of an order."""
        done = self.call("show", order_id, "--format", "json", *options)
        assert (done.returncode, done.stderr) == (0, "")
        view: dict[str, Any] = json.loads(done.stdout)
        return view

    def list(self, *options: str) -> list[dict[str, Any]]:
        """Return the orders that are listed."""
        done = self.call("list", "--format", "json", *options)
        assert (done.returncode, done.stderr) == (0, "")
        listed: list[dict[str, Any]] = json.loads(done.stdout)
        return listed


@pytest.fixture(scope="module")
def told(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Give what the connector left behind."""
    folder = tmp_path_factory.mktemp("orders")
    with World(kafka, folder) as world:
        yield Told(world, folder)


def test_a_refunded_order_is_shown_with_what_was_told_and_what_could_not_be(told: Told) -> None:
    """Its lines as they stand, each fact with where it came from, the dead letter, and Button's agreement."""
    view = told.show(REFUNDED)
    assert (view["status"], view["total"], view["currency"]) == ("open", 1000, "USD")
    assert view["lines"] == [{"identifier": "shoe", "sku": "shoe", "quantity": 1, "total": 1000}]
    bought, back = view["facts"]
    assert (bought["said"], bought["call"], bought["state"]) == ("purchase of 20.00 USD, 1 line", "create", "clean")
    assert bought["button_order_id"].startswith("btnorder-")
    assert (back["event_id"], back["said"], back["call"]) == ("m:one-back", "refund of 1 x shoe", "update")
    assert set(back["told"]) == {f"m:message-{REFUNDED}", "m:one-back"}
    assert back["source"] == f"{told.world.events}/0 at offset 2, event 0"
    (letter,) = view["letters"]
    assert (letter["reason"], letter["stage"]) == ("over_refund", "map")
    assert letter["source"] == f"{told.world.events}/0 at offset 3, event 0"
    assert letter["position"].startswith(f"{told.world.dead_letters}/0 at offset ")
    assert (view["button"]["status"], view["button"]["total"], view["button"]["agrees"]) == ("open", 1000, True)


def test_people_read_the_same_as_text(told: Told) -> None:
    """With the attribution token and what is to be done; nothing of the customer."""
    done = told.call("show", LIVING)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Order {LIVING}: open, 10.00 USD" in done.stdout
    assert "srctok-1: it was on the event itself" in done.stdout
    assert "1 x sku-1: 10.00 USD" in done.stdout
    assert "open, 10.00 USD: as the ledger says, total and lines" in done.stdout
    assert "not_avro (decode)" in done.stdout  # a record that nobody can read, found by its key


def test_a_refund_that_waits_says_for_what(told: Told) -> None:
    """Button is right to have no such order, and the waiting record is not shown."""
    view = told.show(WAITING)
    (fact,) = view["facts"]
    assert (view["status"], fact["state"], fact["call"]) == ("waiting", "waits for its purchase", "")
    assert view["button"]["status"] == "absent"
    assert view["button"]["agrees"] is True


def test_an_order_whose_purchase_is_a_dead_letter_is_parked(told: Told) -> None:
    """The mark is shown with its reason, beside the letter."""
    view = told.show("shop-5")
    assert (view["is_parked"], view["status"]) == (True, "unknown")
    assert [each["reason"] for each in view["letters"]] == ["unknown_currency"]
    assert view["facts"][0]["said"] == "parks its order: it is a dead letter (unknown_currency)"


def test_button_is_asked_by_one_lookup_and_only_if_it_may_be(told: Told) -> None:
    """Nothing is told of the order, and without Button there is no view of its."""
    before = len(told.world.sandbox.control.requests())
    view = told.show(GONE)
    assert (view["status"], view["total"], view["button"]["agrees"]) == ("cancelled", 0, True)
    assert told.show(GONE, "--without-button")["button"] is None
    requests = told.world.sandbox.control.requests()[before:]
    assert [each["operation"] for each in requests] == ["get"]


def test_orders_are_listed_by_how_they_stand_the_newest_first(told: Told) -> None:
    """Each status has its own, and all of them come without one."""
    assert {each["order_id"] for each in told.list("--status", "open")} == {LIVING, REFUNDED}
    assert [each["order_id"] for each in told.list("--status", "cancelled")] == [GONE]
    (waiting,) = told.list("--status", "waiting")
    assert (waiting["order_id"], waiting["total"]) == (WAITING, None)
    assert waiting["waits"].startswith("refund of 1 x shoe waits for its purchase since ")
    (parked,) = told.list("--status", "parked")
    assert (parked["order_id"], parked["status"]) == ("shop-5", "parked")
    everything = told.list()
    assert len(everything) == 5
    written = [each["last_fact_at"] for each in everything]
    assert written == sorted(written, reverse=True)
    assert told.list("--limit", "2") == everything[:2]
    assert told.list("--since", "1h") == everything
    assert told.list("--since", "0s") == []


def test_people_read_the_list_as_a_table(told: Told) -> None:
    """With the order in which it is."""
    done = told.call("list", "--status", "open")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{REFUNDED}" in done.stdout
    assert "2 orders, by their last fact, the newest first." in done.stdout


def test_no_group_is_joined_and_nothing_is_written(told: Told) -> None:
    """The ledger ends where it ended, and the group has no member."""
    before = told.world.read_ledger()
    told.show(REFUNDED)
    told.list()
    assert told.world.read_ledger() == before
    assert told.world.members_with_partitions() == 0


@pytest.mark.parametrize(
    ("arguments", "changes", "said"),
    [
        (("show", "nobody's"), {}, "error: ORDER_ID: neither "),
        (
            ("show", LIVING),
            {"ledger": {"topic": "nothing-there"}},
            "error: ledger.topic: topic 'nothing-there' does not",
        ),
        (("list",), {"ledger": {"topic": "nothing-there"}}, "error: ledger.topic: topic 'nothing-there' does not"),
        (("show", LIVING), {"button": {"api_key": "sk-of-somebody-else"}}, "error: button.api_key: "),
        (("show", LIVING), {"dead_letters": {"topic": "nothing-there"}}, "error: dead_letters.topic: topic 'nothing"),
    ],
)
def test_what_cannot_be_had_is_one_line_with_key_and_remedy(
    told: Told,
    arguments: tuple[str, ...],
    changes: dict[str, dict[str, Any]],
    said: str,
) -> None:
    """Exit code 1; what the others say is shown all the same."""
    done = told.call(*arguments, changes=changes)
    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert ". " in done.stderr
    assert "somebody-else" not in done.stderr
    is_of_one_part = "button" in changes or "dead_letters" in changes
    assert (f"Order {LIVING}: open, 10.00 USD" in done.stdout) is is_of_one_part


def test_a_ledger_that_nobody_keeps_is_misuse(told: Told) -> None:
    """Nothing is asked then; so is a duration that is none."""
    done = told.call("show", LIVING, changes={"ledger": {"enabled": False}})
    assert done.returncode == 2
    assert done.stderr.startswith("error: ledger.enabled is false")
    assert told.call("list", "--since", "soon").returncode == 2


def test_a_broker_that_is_not_there_is_named(told: Told, tmp_path: Path) -> None:
    """With its address, within the time that was given."""
    areas = told.world.settings({"kafka": {"bootstrap_servers": "127.0.0.1:1", "group_id": unique_topic("group")}})
    done = call("orders", "show", LIVING, "--timeout", "1", "-c", settings_file(tmp_path, areas))
    assert done.returncode == 1
    assert done.stderr.startswith("error: kafka.bootstrap_servers: no broker answers at 127.0.0.1:1")
