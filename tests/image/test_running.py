# SPDX-License-Identifier: Apache-2.0
"""The image at work as a cluster runs it: no rights, a read-only file system, little memory; on real Kafka."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.generator import generate
from tests.support.oracle import Case, Disturbance
from tests.support.podman_container import TABLES, ConnectorContainer
from tests.support.polling import wait_until
from tests.support.processes import World, now_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.kafka_broker import Broker
    from tests.support.podman_machine import Podman

SLOW = {"delay_share": 1.0, "delay_ms": 400}
UNCOMMITTED = 200
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "delivery": {
        "max_concurrency": 32,
        "max_uncommitted_records": UNCOMMITTED,
        "drain_seconds": 11,
        "shutdown_seconds": 15,
    },
    "tables": {"directory": TABLES},
}
GRACE_SECONDS = 20
AT_ONCE_SECONDS = 3.0
EVENT = {
    "occurred_at": "2026-01-31T12:00:00Z",
    "currency_code": "USD",
    "product_action": {"action": "purchase", "transaction_id": "order-1", "total_amount": "12.34"},
}


@pytest.fixture
def world(kafka: Broker, tmp_path: Path) -> Iterator[World]:
    """Give Kafka's topics and a sandbox that takes its time, so that calls are under way at any moment."""
    with World(kafka, tmp_path, SLOW) as running:
        yield running


@pytest.fixture
def container(podman: Podman, image: str, tmp_path: Path, world: World) -> Iterator[ConnectorContainer]:
    """Give a container of this world that is not started yet."""
    with ConnectorContainer(podman, image, tmp_path, world.settings(SETTINGS)) as made:
        yield made


def test_the_image_brings_orders_to_button_and_drains_when_it_is_stopped(
    world: World,
    container: ConnectorContainer,
) -> None:
    """[9] Calls under way are finished and committed within the grace period, and the next start loses nothing."""
    plan = generate(71, 700)
    world.produce(plan.sessions, world.sessions)
    world.produce(plan.records)
    container.start()
    world.wait_for_commits(100)
    wait_until(lambda: world.sandbox.control.stats()["requests"]["open"] >= 16, awaiting="calls under way")
    committed, began_ms = world.offsets.committed(), now_ms()
    status, seconds = container.stop(GRACE_SECONDS)
    stop = Disturbance(began_ms, now_ms(), committed, UNCOMMITTED)
    first = Case(plan, world.evidence((stop,)))

    assert (status, seconds < GRACE_SECONDS) == (0, True), container.log()
    assert world.offsets.committed() != world.offsets.ends()
    assert first.open_calls(began_ms) >= 16
    assert {request["outcome"] for request in first.evidence.requests} == {"answered"}
    assert _acknowledged(first).isdisjoint(world.offsets.committed().items())

    container.start()
    wait_until(lambda: world.offsets.committed() == world.offsets.ends(), 60, awaiting="everything to be committed")
    assert container.stop(GRACE_SECONDS)[0] == 0, container.log()
    assert Case(plan, world.evidence((stop,))).complaints() == []


def _acknowledged(case: Case) -> set[tuple[int, int]]:
    """Return partition and offset of the records that are known to be done; a commit never stops at one of them."""
    done = {order_id: sum(call.is_acknowledged for call in calls) for order_id, calls in case.calls.items()}
    events = (event for order_id, all_of_it in case.events.items() for event in all_of_it[: done.get(order_id, 0)])
    return {(event.partition, event.offset) for event in events}


def test_the_connector_is_the_first_process_without_any_right(container: ConnectorContainer) -> None:
    """Nothing stands between it and the platform's signals; nobody in the image has a privilege or can get one."""
    container.start()
    command = container.execute("cat", "/proc/1/cmdline").split("\0")
    status = dict(line.split(":\t", 1) for line in container.execute("cat", "/proc/1/status").splitlines())
    assert [part.rpartition("/")[2] for part in command[:3]] == ["python", "button-connector", "run"]
    assert (status["Uid"].split(), status["Gid"].split()) == (["10001"] * 4, ["10001"] * 4)
    assert {int(status[each], 16) for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"


def test_only_the_volume_and_tmp_can_be_written_to(container: ConnectorContainer) -> None:
    """Whatever the connector needs to write has a place, and nothing else of the image ever changes."""
    container.start()
    code = (
        "import os, sys\n"
        "def takes(folder):\n"
        "    try:\n"
        "        open(os.path.join(folder, 'probe'), 'w').close()\n"
        "    except OSError:\n"
        "        return False\n"
        "    return True\n"
        "print([folder for folder in sys.argv[1:] if takes(folder)])"
    )
    folders = ("/", "/tmp", TABLES, "/opt/button-connector", "/etc", "/usr/local", "/var", "/run", "/home")  # noqa: S108  the container's
    assert container.execute("python", "-c", code, *folders).strip() == str(["/tmp", TABLES])  # noqa: S108  see above


def test_the_health_check_says_whether_it_lives(podman: Podman, container: ConnectorContainer) -> None:
    """It asks the port that the environment names, and a connector that is not there is not healthy."""
    container.start()
    assert container.is_healthy()
    (connector,) = json.loads(podman("inspect", container.name))
    assert connector["Config"]["Healthcheck"]["Test"][:4] == ["CMD", "python", "-I", "-c"]
    elsewhere = ("--env", "BUTTON_CONNECTOR__OPS__PORT=1")
    probe = connector["Config"]["Healthcheck"]["Test"][1:]
    assert podman.attempt("exec", container.name, *probe).returncode == 0
    assert podman.attempt("exec", *elsewhere, container.name, *probe).returncode == 1


def test_check_and_explain_work_in_the_image(world: World, container: ConnectorContainer) -> None:
    """A person finds out with the image alone whether all is as it must be, and what becomes of an event."""
    config = ("--config", "/etc/button-connector/connector.yaml")
    status, said, complaints = container.call("check", *config, "--json")
    assert status == 0, said + complaints
    assert json.loads(said)["ok"] is True
    status, said, complaints = container.call("explain", "--json", "-", given=json.dumps(EVENT))
    assert status == 0, said + complaints
    assert '"total": 1234' in json.dumps(json.loads(said))
    assert world.sandbox.control.orders() == {}
    status, said, _ = container.call("--help")
    assert (status, "button-connector run --config" in said) == (0, True)


def test_wrong_settings_end_the_container_with_a_sentence(podman: Podman, image: str) -> None:
    """What is missing is said in the log at once; the exit status is that of wrong settings."""
    began = time.monotonic()
    done = podman.attempt("run", "--rm", "--network", "none", "--no-healthcheck", image)
    assert done.returncode == 2
    assert "error: kafka.bootstrap_servers: is required" in done.stderr
    assert time.monotonic() - began < AT_ONCE_SECONDS * 5
