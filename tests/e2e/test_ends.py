# SPDX-License-Identifier: Apache-2.0
"""What cannot go on ends: the process's status is not 0, and the last line of its log says why."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer

from tests.support.polling import wait_until
from tests.support.processes import World
from tests.support.small_orders import KEPT, complaints, records

if TYPE_CHECKING:
    from connector.demo.children import Child
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

STALL = str(Path(__file__).parents[1] / "support" / "stall.py")
BOUND_SECONDS = 7
LOSES_PATIENCE_SOON: dict[str, dict[str, Any]] = {
    "ops": {"liveness_timeout_seconds": BOUND_SECONDS},
    "button": {"request_timeout_seconds": 1, "connect_timeout_seconds": 0.5},
    "delivery": {"drain_seconds": 7.1, "shutdown_seconds": 10.5},
}


def _last_line(child: Child) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(child.read_log().splitlines()[-1])
    return line


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("spinning-loop", ("the event loop has not moved", "_spin")),
        ("waiting-poll-thread", ("the thread that polls Kafka has not moved", "_wait")),
        ("ended-poll-thread", ("the Kafka poll thread ended",)),
        ("dead-workers", ("the engine failed", "RuntimeError", "_die")),
    ],
)
def test_a_part_that_stalls_or_dies_ends_the_process(
    kafka: Broker,
    tmp_path: Path,
    part: str,
    says: tuple[str, ...],
) -> None:
    """[3, 55, 56] Nobody else would notice: it would look like a connector without orders."""
    with World(kafka, tmp_path) as world:
        world.produce(records({"order": KEPT}))
        child = world.connector(LOSES_PATIENCE_SOON, program=(STALL, part), is_ready=False).child
        assert child.wait(60) == 1
        last = _last_line(child)
        assert last["event"] == "gave up"
        assert all(each in last["message"] for each in says), last
        assert set(world.offsets.committed().values()) <= {0}


def test_a_process_that_was_frozen_for_longer_is_not_stuck(kafka: Broker, tmp_path: Path) -> None:
    """[64] A machine that slept, or a container that was paused, is awake again: that is no reason to end."""
    orders = {f"order-{number}": KEPT for number in range(10)}
    with World(kafka, tmp_path) as world:
        connector = world.connector(LOSES_PATIENCE_SOON)
        os.kill(connector.child.pid, signal.SIGSTOP)
        until = time.monotonic() + BOUND_SECONDS + 1
        wait_until(lambda: time.monotonic() > until)
        os.kill(connector.child.pid, signal.SIGCONT)
        world.produce(records(orders))
        world.wait_until_at_rest(30, connector)
        assert list(complaints(orders, world.sandbox.control.orders())) == []


def test_who_was_fenced_by_a_process_with_the_same_id_ends(kafka: Broker, tmp_path: Path) -> None:
    """[17, 56] The client's fatal error comes once; whoever missed it would be ready, and dead."""
    same = {"kafka": {"group_instance_id": "one"}}
    orders = {f"order-{number}": KEPT for number in range(20)}
    with World(kafka, tmp_path) as world:
        older = world.connector(same)
        wait_until(lambda: world.members_with_partitions() == 1, 30, awaiting="the older one's partitions")
        newer = world.connector(same)
        assert older.child.wait(60) == 1
        last = _last_line(older.child)
        assert last["event"] == "gave up"
        assert "fenced" in last["message"]
        assert "kafka.group_instance_id" in last["message"]
        world.produce(records(orders))
        world.wait_until_at_rest(30, newer)
        assert list(complaints(orders, world.sandbox.control.orders())) == []


def test_who_waits_for_its_id_is_not_ready_and_then_takes_over(kafka: Broker, tmp_path: Path) -> None:
    """[56] Ready, and dead, is the worst. Once the id is released the connector goes on by itself."""
    orders = {f"order-{number}": KEPT for number in range(20)}
    with World(kafka, tmp_path) as world:
        world.produce(records(orders))
        same = {"group.id": world.group, "group.protocol": "consumer", "group.instance.id": "one"}
        other = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "enable.auto.commit": False, **same})
        try:
            assigned: list[object] = []
            other.subscribe([world.events], on_assign=lambda _, partitions: assigned.extend(partitions))
            wait_until(lambda: other.poll(0) is None and assigned, 30, awaiting="the id's first owner")
            waiting = world.connector(
                {"kafka": {"group_instance_id": "one", "group_protocol": "consumer"}},
                is_ready=False,
            )
            waiting.child.wait_for("the wait", lambda: "kafka.group_instance_id" in waiting.child.read_log(), 30)
            assert not waiting.is_ready()
        finally:
            other.close()
        world.wait_until_at_rest(40, waiting)
        waiting.wait_until_ready()
        assert list(complaints(orders, world.sandbox.control.orders())) == []
