# SPDX-License-Identifier: Apache-2.0
"""The limit that halts, the word that lets go on, and letters that hold references only: a real Kafka and a sandbox."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from confluent_kafka import Producer

from tests.support.avro_records import encode_event, purchase
from tests.support.command_line import call, settings_file
from tests.support.polling import wait_until
from tests.support.processes import World

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka_broker import Broker

pytestmark = pytest.mark.timeout(180)

NOW_MS = time.time_ns() // 1_000_000
E_MAIL = "jane@example.com"
CAREFUL: dict[str, dict[str, Any]] = {
    "dead_letters": {"content": "reference", "limit_in_a_row": 3, "limit_probe_seconds": 600},
}
ORDERS = [f"shop-{number}" for number in range(8)]


def _bought(order_id: str) -> bytes:
    who = [{"identity_type": "email", "identity": E_MAIL}]
    return encode_event(purchase(order_id, occurred_at=NOW_MS, currency_code=None, user_identities=who))


def test_too_many_dead_letters_halt_until_somebody_says_so(
    kafka: Broker,
    tmp_path: Path,
) -> None:
    """No letter is written beyond the limit, none holds a word of a customer, and nothing is lost."""
    with World(kafka, tmp_path) as world:

        def dlq(*arguments: str, changes: dict[str, dict[str, Any]] = CAREFUL) -> str:
            done = call("dlq", *arguments, "-c", settings_file(tmp_path, world.settings(changes)))
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout

        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        for order_id in ORDERS:
            producer.produce(world.events, _bought(order_id), order_id.encode(), 0, headers=[("who", E_MAIL.encode())])
        assert producer.flush(20) == 0
        connector = world.connector(CAREFUL, is_ready=False)

        def reason() -> str:
            try:
                answer = httpx2.get(f"{connector.ops_url}/readyz")
            except httpx2.TransportError:
                return ""  # it does not listen yet
            return answer.text if answer.status_code == 503 else ""

        wait_until(lambda: "3 different orders in a row became dead letters" in reason(), 30)
        assert len(world.read_dead_letters()) == 3
        assert world.offsets.committed()[0] <= 3
        assert "button_connector_dead_letters_halted 1.0" in httpx2.get(f"{connector.ops_url}/metrics").text

        dlq("resume")
        wait_until(lambda: len(world.read_dead_letters()) == 6, 30)
        wait_until(lambda: bool(reason()), 10)
        assert "too many dead letters" in connector.child.read_log()
        connector.child.terminate()
        assert connector.child.wait(20) == 0

        letters = world.read_dead_letters()
        assert all((letter.key, letter.value) == (None, None) for letter in letters)
        assert E_MAIL not in str([letter.headers for letter in letters])

        mended = {**CAREFUL, "policy": {"default_currency": "USD"}}
        connector = world.connector(mended)
        world.wait_until_at_rest(30, connector)
        # What was held pins the commit, so letters behind it are read again: told now, they are not told twice.
        dead = {letter.headers["button-connector.order-id"] for letter in letters}
        assert len(dead) == 6
        assert {*ORDERS} - {*world.sandbox.control.orders()} <= dead
