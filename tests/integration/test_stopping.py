# SPDX-License-Identifier: Apache-2.0
"""SIGTERM at any moment: the real command stops within a bound, and a second one makes it leave at once."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from connector.demo.parts import API_KEY, start_connector
from tests.support.avro_records import encode_session
from tests.support.generator import Produced, generate
from tests.support.kafka_broker import free_port
from tests.support.polling import wait_until
from tests.support.processes import World

if TYPE_CHECKING:
    from pathlib import Path

    from connector.demo.children import Child
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

AT_ONCE_SECONDS = 3.0
SHUTDOWN_SECONDS = 15.0
"""What :data:`tests.support.processes.SETTINGS` allow for a stop."""
SLOW = {"delay_share": 1.0, "delay_ms": 60_000}
SESSIONS, AT_ONCE = 150_000, 50_000


def _stop(child: Child) -> float:
    """Ask the process to stop and return how long that took; it must end with 0."""
    began = time.monotonic()
    child.terminate()
    assert child.wait(60) == 0, child.read_log()
    return time.monotonic() - began


def _events(child: Child) -> list[str]:
    return [json.loads(line)["event"] for line in child.read_log().splitlines()]


def _wait_for(child: Child, event: str) -> None:
    child.wait_for(f"the line {event!r}", lambda: f'"event":"{event}"' in child.read_log(), 30)


def test_a_second_sigterm_leaves_at_once(kafka: Broker, tmp_path: Path) -> None:
    """The first one waits for the calls under way; nothing is lost by not waiting, and nothing is committed."""
    with World(kafka, tmp_path, SLOW) as world:
        world.produce(generate(41, 20).records)
        child = world.connector().child
        wait_until(lambda: world.sandbox.control.stats()["requests"]["open"] > 0, 30, awaiting="calls under way")
        child.terminate()
        _wait_for(child, "stopping")
        began = time.monotonic()
        child.terminate()
        assert child.wait(20) == 1
        assert time.monotonic() - began < AT_ONCE_SECONDS
        assert "stopped" not in _events(child)
        assert set(world.offsets.committed().values()) == {0}


def test_sigterm_stops_a_start_that_waits_for_brokers(tmp_path: Path) -> None:
    """Nothing is there yet that would have to be finished."""
    settings = {
        "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}"},
        "button": {"api_key": API_KEY},
        "log": {"format": "json"},
    }
    with ExitStack() as stack:
        connector = start_connector(stack, tmp_path, settings)
        _wait_for(connector.child, "waiting")
        assert not connector.is_ready()
        assert _stop(connector.child) < AT_ONCE_SECONDS
        assert _events(connector.child)[-1] == "stopped"


def test_a_start_that_waited_for_brokers_goes_on_when_they_come(own_kafka: Broker, tmp_path: Path) -> None:
    """The questions that had no answer are asked again, so a start that waited is as safe as one that did not."""
    with World(own_kafka, tmp_path) as world:
        world.produce(generate(42, 20).records)
        own_kafka.kill()
        connector = world.connector(is_ready=False)
        _wait_for(connector.child, "waiting")
        own_kafka.restart()
        connector.wait_until_ready()
        world.wait_until_at_rest(30, connector)


def test_sigterm_stops_a_start_whose_table_has_not_caught_up(kafka: Broker, tmp_path: Path) -> None:
    """How large the sessions topic is must not matter."""
    with World(kafka, tmp_path) as world:
        value = encode_session({"session_uuid": "s", "btn_ref": "t", "observed_at": 1})
        for first in range(0, SESSIONS, AT_ONCE):
            many = (Produced(b"session-%d" % number, value) for number in range(first, first + AT_ONCE))
            world.produce(many, world.sessions)
        child = world.connector(is_ready=False).child
        _wait_for(child, "started")
        assert _stop(child) < SHUTDOWN_SECONDS
        assert not any('"table caught up"' in line and '"sessions"' in line for line in child.read_log().splitlines())


def test_sigterm_stops_within_its_bound_when_the_brokers_are_gone(own_kafka: Broker, tmp_path: Path) -> None:
    """What was acknowledged cannot be committed any more; it is told again at the next start."""
    with World(own_kafka, tmp_path, {"delay_share": 1.0, "delay_ms": 1_000}) as world:
        world.produce(generate(43, 200).records)
        child = world.connector().child
        wait_until(lambda: world.sandbox.control.stats()["requests"]["open"] > 0, 30, awaiting="calls under way")
        own_kafka.kill()
        took_seconds = _stop(child)
    assert took_seconds < SHUTDOWN_SECONDS + 1
