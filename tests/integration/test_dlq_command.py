# SPDX-License-Identifier: Apache-2.0
"""``dlq`` against what a running connector wrote: a real Kafka, the sandbox, and what becomes of what is replayed."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from tests.support.avro_records import encode_event, purchase, refund, schema, single_object, with_decimals
from tests.support.command_line import call, settings_file
from tests.support.kafka_broker import unique_topic
from tests.support.processes import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from connector.demo.parts import Connector
    from tests.support.command_line import Done
    from tests.support.kafka_broker import Broker

pytestmark = pytest.mark.timeout(180)

BROKEN, GIVEN_UP, GOOD, UNREADABLE, REFERRED = "shop/1", "shop-2", "shop-3", "shop-4", "shop-5"
NOW_MS = time.time_ns() // 1_000_000
SHOES = [{"id": "shoe", "name": "Shoe", "price": "10.00", "quantity": 5}]
MENDED = {"policy": {"default_currency": "USD"}}
E_MAIL, CUSTOMER = "jane@example.com", "customer-77"


def _bought(order_id: str, **changes: object) -> dict[str, Any]:
    action = {"action": "purchase", "transaction_id": order_id, "total_amount": "50.00", "products": SHOES}
    who = [{"identity_type": "email", "identity": E_MAIL}, {"identity_type": "customer_id", "identity": CUSTOMER}]
    fields = {"product_action": action, "occurred_at": NOW_MS, "user_identities": who, "currency_code": None}
    return purchase(order_id, **{**fields, **changes})


def _returned(order_id: str, message: str, at_ms: int) -> dict[str, Any]:
    action = {"action": "refund", "transaction_id": order_id, "products": [{**SHOES[0], "quantity": 1}]}
    return refund(order_id, source_message_id=message, product_action=action, occurred_at=NOW_MS + at_ms)


def _batch(*events: dict[str, Any]) -> bytes:
    return single_object({"events": [with_decimals(each) for each in events]}, schema("commerce_event_batch"))


class Shop:
    """A connector and what it could not bring to Button; settings are changed by starting it anew."""

    def __init__(self, world: World, folder: Path) -> None:
        """Produce, and let the connector run into it."""
        self.world, self.folder = world, folder
        self._producer = Producer({"bootstrap.servers": world.broker.bootstrap_servers, "log_level": 0})
        self.say(
            (BROKEN, encode_event(_bought(BROKEN))),
            (BROKEN, encode_event(_returned(BROKEN, "one", 1_000))),
            (GOOD, encode_event(_bought(GOOD, currency_code="USD"))),
            (BROKEN, encode_event(_returned(BROKEN, "two", 2_000))),
            (
                "user-1",
                _batch(
                    _bought("batch-1", currency_code="USD", source_message_id=None),
                    _bought("batch-2", source_message_id=None),
                    _bought("batch-3", currency_code="USD", source_message_id=None),
                ),
            ),
            (UNREADABLE, b"junk"),
            (GIVEN_UP, encode_event(_bought(GIVEN_UP, currency_code="US$"))),
            (GIVEN_UP, encode_event(_returned(GIVEN_UP, "gone", 1_000))),
        )
        self.connector: Connector | None = None
        self.start({})

    def say(self, *records: tuple[str, bytes]) -> None:
        """Produce records, all to one partition."""
        for key, value in records:
            self._producer.produce(self.world.events, value, key.encode(), 0, headers=[("trace", b"t")])
        assert self._producer.flush(20) == 0

    def start(self, changes: dict[str, dict[str, Any]]) -> None:
        """Let a connector with these settings take the former one's place, and wait until all is done."""
        if self.connector is not None:
            self.connector.child.terminate()
            assert self.connector.child.wait(20) == 0
        self.connector = self.world.connector(changes)
        self.rest()

    def rest(self) -> None:
        """Wait until the connector is done with everything."""
        assert self.connector is not None
        self.world.wait_until_at_rest(40, self.connector)

    def call(self, *arguments: str, changes: dict[str, dict[str, Any]] | None = None) -> Done:
        """Call ``dlq``."""
        return call("dlq", *arguments, "-c", settings_file(self.folder, self.world.settings(changes or {})))

    def json(self, *arguments: str, returncode: int = 0) -> Any:  # noqa: ANN401  any JSON
        """Return what a command prints for machines."""
        done = self.call(*arguments, "--json")
        assert (done.returncode, done.stderr) == (returncode, "")
        return json.loads(done.stdout)

    def reasons(self, *arguments: str) -> list[tuple[str | None, str, int]]:
        """Return order, reason and replays of the letters that are listed, the oldest first."""
        listed = self.json("list", *arguments)
        return [(each["order_id"], each["reason"], each["replays"]) for each in reversed(listed)]

    def told(self, order_id: str) -> list[str]:
        """Return the operations that Button was told of an order."""
        requests = self.world.sandbox.control.requests()
        return [each["operation"] for each in requests if each["order_id"] == order_id and each["operation"] != "get"]

    def at_button(self, order_id: str) -> int | None:
        """Return what an order comes to at Button."""
        order = self.world.sandbox.control.orders().get(order_id)
        return None if order is None else order["fields"]["total"]


@pytest.fixture(scope="module")
def shop(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give a connector with dead letters."""
    folder = tmp_path_factory.mktemp("dlq")
    with World(kafka, folder) as world:
        yield Shop(world, folder)


FIRST = [
    (BROKEN, "missing_currency", 0),
    (BROKEN, "order_parked", 0),
    (BROKEN, "order_parked", 0),
    ("batch-2", "missing_currency", 0),
    (UNREADABLE, "not_avro", 0),
    (GIVEN_UP, "unknown_currency", 0),
    (GIVEN_UP, "order_parked", 0),
]


def test_letters_are_listed_and_chosen_by_what_they_are(shop: Shop) -> None:
    """By reason, order, time and source; the unreadable one by its key."""
    assert sorted(shop.reasons()) == sorted(FIRST)
    assert shop.reasons("--reason", "not_avro") == [(UNREADABLE, "not_avro", 0)]
    assert [reason for _, reason, _ in shop.reasons("--order", BROKEN)] == [
        "missing_currency",
        "order_parked",
        "order_parked",
    ]
    assert shop.reasons("--since", "1h") == shop.reasons()
    assert shop.reasons("--until", "1h") == []
    assert shop.reasons("--source", f"{shop.world.events}/0/4") == [("batch-2", "missing_currency", 0)]
    assert shop.reasons("--source", f"{shop.world.events}/1") == []
    assert len(shop.json("list", "--limit", "2")) == 2


def test_a_letter_is_shown_with_its_event_and_nothing_of_the_customer(shop: Shop) -> None:
    """Why it is one, the event as it is read, and what would become of it today."""
    (listed,) = shop.json("list", "--order", "batch-2")
    shown = shop.json("show", listed["letter"])
    assert (shown["reason"], shown["stage"], shown["events_of_the_record"]) == ("missing_currency", "map", 3)
    assert shown["today"]["event"]["product_action"]["transaction_id"] == "batch-2"
    assert shown["today"]["refusal"]["reason"] == "missing_currency"
    people = shop.call("show", listed["letter"])
    assert people.returncode == 0
    assert "missing_currency (map): " in people.stdout
    assert "Would become a dead letter" in people.stdout
    for text in (people.stdout, json.dumps(shown)):
        assert E_MAIL not in text
        assert CUSTOMER not in text


def test_people_read_the_list_as_a_table_and_learn_what_there_is_to_choose_from(shop: Shop) -> None:
    """Also when they misspell a reason."""
    done = shop.call("list", "--order", BROKEN)
    assert "3 dead letters of" in done.stdout
    assert f"{shop.world.events}/0 at offset 0, event 0" in done.stdout
    typo = shop.call("list", "--reason", "mising_currency")
    assert typo.returncode == 0
    assert "Open are 7, by reason: order_parked (3), missing_currency (2)" in typo.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "12"), "error: LETTER: '12' is no letter: write partition/offset"),
        (("list", "--since", "soon"), "error: --since: 'soon' is no time: write how long ago"),
        (("list", "--source", "orders/x"), "error: --source: 'orders/x' is no source"),
        (("replay",), "error: Say which letters: "),
        (("drop",), "error: Say which letters: "),
        (("drop", "--all"), "error: Drop 7 dead letter(s) for good?"),
    ],
)
def test_a_misspelt_command_line_says_how_it_is_written(shop: Shop, arguments: tuple[str, ...], said: str) -> None:
    """In one line, with exit code 2; nothing is changed."""
    done = shop.call(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_had_is_one_line_with_key_and_remedy(shop: Shop, tmp_path: Path) -> None:
    """A letter that is not there, a topic that is not there, brokers that are not there."""
    absent = shop.call("show", "0/9999")
    assert (absent.returncode, absent.stderr.count("\n")) == (1, 1)
    assert absent.stderr.startswith(f"error: LETTER: '{shop.world.dead_letters}' has no dead letter at 0/9999")
    nowhere = shop.call("list", changes={"dead_letters": {"topic": "nothing-there"}})
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)
    assert nowhere.stderr.startswith("error: dead_letters.topic: topic 'nothing-there' does not exist")
    areas = shop.world.settings({"kafka": {"bootstrap_servers": "127.0.0.1:1", "group_id": unique_topic("group")}})
    for command in (("list",), ("replay", "--all"), ("drop", "--all", "--yes")):
        done = call("dlq", *command, "--timeout", "1", "-c", settings_file(tmp_path, areas))
        assert done.returncode == 1
        assert done.stderr.startswith("error: kafka.bootstrap_servers: no broker answers at 127.0.0.1:1")


def test_an_empty_topic_is_no_failure(shop: Shop) -> None:
    """There is nothing to do then."""
    empty = {"dead_letters": {"topic": shop.world.broker.create_topic(unique_topic("empty"), 2)}}
    for command in (("list",), ("replay", "--all"), ("drop", "--all")):
        done = shop.call(*command, changes=empty)
        assert (done.returncode, done.stderr) == (0, "")
        assert "open" in done.stdout


def test_a_dry_run_says_what_would_happen_and_does_nothing(shop: Shop) -> None:
    """Whatever letter of an order is chosen, all of it is meant, in its original order."""
    ends = shop.world.offsets.ends()
    would = shop.json("replay", "--reason", "order_parked", "--dry-run")
    assert [each["source"]["offset"] for each in would["meant"]] == [0, 1, 3, 6, 7]
    assert would["replayed"] == []
    assert shop.call("drop", "--order", BROKEN, "--dry-run").returncode == 0
    assert shop.world.offsets.ends() == ends
    assert sorted(shop.reasons()) == sorted(FIRST)


def test_an_order_is_broken_mended_and_replayed_in_its_order(shop: Shop) -> None:
    """From the first dead letter to the right order at Button; nothing else is told anew."""
    assert shop.told(BROKEN) == []

    # Nothing was mended: it comes back, and says how often it was replayed.
    again = shop.call("replay", "--order", BROKEN)
    assert again.returncode == 1
    assert "Became dead letters again" in again.stdout
    assert sorted(shop.reasons("--order", BROKEN)) == [
        (BROKEN, "missing_currency", 1),
        (BROKEN, "order_parked", 1),
        (BROKEN, "order_parked", 1),
    ]
    (first,) = shop.json("list", "--order", BROKEN, "--reason", "missing_currency")
    assert (first["source"]["offset"], first["source"]["event_index"]) == (0, 0)

    # New events of the order go on parking, also with a connector that could tell its purchase.
    shop.start(MENDED)
    shop.say((BROKEN, encode_event(_returned(BROKEN, "three", 3_000))))
    shop.rest()
    assert shop.told(BROKEN) == []
    assert (BROKEN, "order_parked", 0) in shop.reasons("--order", BROKEN)

    done = shop.json("replay", "--order", BROKEN)
    assert [each["source"]["offset"] for each in done["meant"]] == [0, 1, 3, 11]
    assert (done["is_done"], done["came_back"], done["left_alone"]) == (True, [], [])
    assert shop.told(BROKEN) == ["create", "update", "update", "update"]
    assert shop.at_button(BROKEN) == 2000
    assert shop.reasons("--order", BROKEN) == []
    states = [each["state"] for each in shop.json("list", "--order", BROKEN, "--all")]
    assert states == ["replayed"] * 7

    # The last one released the order.
    shop.say((BROKEN, encode_event(_returned(BROKEN, "four", 4_000))))
    shop.rest()
    assert shop.told(BROKEN)[4:] == ["update"]
    assert shop.at_button(BROKEN) == 1000

    # Only the failed event of a record with several is taken, and keeps its identity: its place.
    assert shop.call("replay", "--order", "batch-2", "--rate", "100").returncode == 0
    assert [shop.told(f"batch-{number}") for number in (1, 2, 3)] == [["create"]] * 3
    assert {each.partition(" ")[0][-6:] for each in shop.world.read_ledger()["batch-2"]} == {":0:4:1"}
    assert shop.told(GOOD) == ["create"]


def test_what_always_comes_back_is_refused_after_three_replays(shop: Shop) -> None:
    """Until somebody insists."""
    for times in (1, 2, 3):
        assert shop.json("replay", "--order", UNREADABLE, returncode=1)["is_done"]
        assert shop.reasons("--order", UNREADABLE) == [(UNREADABLE, "not_avro", times)]
    refused = shop.json("replay", "--order", UNREADABLE, returncode=1)
    assert refused["replayed"] == []
    assert "was replayed 3 times and came back" in refused["left_alone"][0]["why"]
    assert shop.json("replay", "--order", UNREADABLE, "--force", returncode=1)["replayed"] != []
    assert shop.reasons("--order", UNREADABLE) == [(UNREADABLE, "not_avro", 4)]


def test_an_order_whose_letters_are_dropped_is_free(shop: Shop) -> None:
    """Its next refund is no dead letter; the letters stay to be looked at."""
    assert shop.call("drop", "--order", GIVEN_UP, "--yes").returncode == 0
    assert shop.reasons("--order", GIVEN_UP) == []
    assert [each["state"] for each in shop.json("list", "--order", GIVEN_UP, "--all")] == ["dropped", "dropped"]
    shop.say((GIVEN_UP, encode_event(_returned(GIVEN_UP, "later", 9_000))))
    shop.rest()
    assert shop.reasons("--order", GIVEN_UP) == []
    shown = call("orders", "show", GIVEN_UP, "-c", settings_file(shop.folder, shop.world.settings({})))
    assert "dropped: unknown_currency (map)" in shown.stdout
    assert "parked: " not in shown.stdout


def test_a_reference_is_replayed_from_the_events_topic(shop: Shop) -> None:
    """The letter holds nothing of the record; what Button is told comes from where the record lies."""
    shop.start({"dead_letters": {"content": "reference"}})
    value = encode_event(_bought(REFERRED))
    shop.say((REFERRED, value))
    shop.rest()
    (listed,) = shop.json("list", "--order", REFERRED)
    digest = hashlib.sha256(value).hexdigest()
    assert listed["reference"] == {"size": len(value), "sha256": digest}
    assert "the letter holds a reference only" in shop.call("show", listed["letter"]).stdout
    assert shop.told(REFERRED) == []

    shop.start(MENDED)
    done = shop.json("replay", "--order", REFERRED)
    assert (done["is_done"], done["came_back"], done["left_alone"]) == (True, [], [])
    assert (shop.told(REFERRED), shop.at_button(REFERRED)) == (["create"], 5000)
    assert shop.reasons("--order", REFERRED) == []
