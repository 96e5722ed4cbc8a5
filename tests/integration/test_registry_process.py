# SPDX-License-Identifier: Apache-2.0
"""The connector as a process with a schema registry, and what it needs of the sessions topic; on a real Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.avro_records import body, encode_event, purchase, schema, session, small_event, small_event_schema
from tests.support.generator import Produced
from tests.support.kafka_broker import unique_topic
from tests.support.polling import wait_until
from tests.support.processes import World
from tests.support.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SCHEMA = small_event_schema("string")
PASSWORD = "hunter2-hunter2"  # noqa: S105  a marked value that must never come out


def order(schema_id: int, order_id: str) -> Produced:
    """Return a purchase in Confluent's wire format."""
    event: dict[str, Any] = small_event("1.50")
    event["product_action"]["transaction_id"] = order_id
    value = b"\x00" + schema_id.to_bytes(4, "big") + body(event, SCHEMA)
    return Produced(order_id.encode(), value)


def test_registry_down_at_the_start_with_a_wrong_password_and_an_unknown_id(kafka: Broker, tmp_path: Path) -> None:
    """[31] Each is waited out or ends by name; every order arrives once all is well; the password is never shown."""
    password_file = tmp_path / "registry-password"
    password_file.write_text("outdated-password\n")
    with World(kafka, tmp_path) as world, Registry(credentials=("connector", PASSWORD)) as registry:
        schema_id = registry.register("orders-value", SCHEMA)
        registry.stop()
        orders = [order(schema_id, f"order-{number}") for number in range(20)]
        world.produce([*orders[:10], order(999, "unknown"), *orders[10:]])
        asking = {
            "url": registry.url,
            "username": "connector",
            "password_file": str(password_file),
            "unknown_id_seconds": 1,
        }
        connector = world.connector({"schema_registry": asking})

        def says(words: str) -> bool:
            connector.child.check()
            return words in connector.child.read_log()

        wait_until(lambda: says("Connection refused"), 20, awaiting="the outage in the log")
        registry.start()
        wait_until(lambda: says("refuses the credentials (401); check schema_registry.username"), 40)
        assert world.sandbox.control.orders() == {}
        password_file.write_text(PASSWORD)
        world.wait_until_at_rest(40, connector)
        assert set(world.sandbox.control.orders()) == {f"order-{number}" for number in range(20)}
        (letter,) = world.read_dead_letters()
        assert letter.key == b"unknown"
        assert letter.headers["button-connector.reason"] == "unknown_schema_id"
        assert "schema id 999" in letter.headers["button-connector.message"]
        log = connector.child.read_log()
        assert "they become dead letters" in log
        for secret in (PASSWORD, "outdated-password"):
            assert secret not in log


def test_no_order_is_sent_before_the_sessions_that_wait_for_a_registry(kafka: Broker, tmp_path: Path) -> None:
    """[31] Down at the start: it says what it waits for, and every order is sent with its token once it is back."""
    with World(kafka, tmp_path) as world, Registry() as registry:
        schema_id = registry.register("sessions-value", schema("session_attribution"))
        registry.stop()
        names = [f"order-{number}" for number in range(20)]
        sessions = [session(f"SESSION-{name}", f"srctok-{name}", purchase()["occurred_at"] - 1000) for name in names]
        framed = [
            (one["session_uuid"], b"\x00" + schema_id.to_bytes(4, "big") + body(one, schema("session_attribution")))
            for one in sessions
        ]
        world.produce([Produced(key.encode(), value) for key, value in framed], world.sessions)
        world.produce([Produced(name.encode(), encode_event(purchase(name))) for name in names])
        settings = {"schema_registry": {"url": registry.url}}
        connector = world.connector(settings, is_ready=False)

        def is_waiting() -> bool:
            connector.child.check()
            return "Connection refused" in connector.child.read_log()

        wait_until(is_waiting, 20, awaiting="the outage in the log")
        assert not connector.is_ready()
        assert world.sandbox.control.orders() == {}
        registry.start()
        world.wait_until_at_rest(40, connector)
        tokens = {name: order["fields"]["btn_ref"] for name, order in world.sandbox.control.orders().items()}
        assert tokens == {name: f"srctok-{name}" for name in names}
        assert registry.asked_for(schema_id) == 1


def test_a_sessions_topic_that_is_not_compacted_stops_the_start(kafka: Broker, tmp_path: Path) -> None:
    """The log names the setting and the remedy, and the process ends with 1."""
    with World(kafka, tmp_path) as world:
        topic = kafka.create_topic(unique_topic("sessions"))
        connector = world.connector({"sessions": {"topic": topic}}, is_ready=False)
        assert connector.child.wait(30) == 1
        log = connector.child.read_log()
    assert "cannot start" in log
    assert "sessions.topic" in log
    assert f"topic '{topic}' is not compacted (cleanup.policy is delete)" in log
