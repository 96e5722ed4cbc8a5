# SPDX-License-Identifier: Apache-2.0
"""The examples of producers run as they are documented, and what they write is decided as the page says.

Both languages write the same, so one table of expectations serves: what Button holds in the end, and under which keys
the records lie.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector.demo.topics import read_all
from tests.support.processes import PARTITIONS, World
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.kafka_broker import Broker

    Run = Callable[[Broker, str, str, Path], None]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

_ROOT = Path(__file__).resolve().parents[2]
_EXAMPLES = _ROOT / "examples" / "producers"
_DOWNLOAD_SECONDS = 300
_PEN_SET = {"identifier": "PEN-SET", "sku": "PEN-SET", "description": "Set of pens", "total": 1000, "quantity": 1}
_PLAIN = {"total": 1000, "currency": "USD", "line_items": [_PEN_SET]}
EXPECTED: dict[str, dict[str, Any]] = {
    "order-1001": {
        "total": 5017,  # 59.97 less 4.80 of tax and 5.00 of shipping
        "currency": "USD",
        "btn_ref": "srctok-example-1",
        "customer": {"id": "customer-1", "email_sha256": hashlib.sha256(b"shopper@example.com").hexdigest()},
        "line_items": [
            {"identifier": "MUG-02", "sku": "MUG-02", "description": "Enamel mug", "total": 2468, "quantity": 2},
            {
                "identifier": "TEE-BLK-M",
                "sku": "TEE-BLK-M",
                "description": "Black tee",
                "category": ["Apparel"],
                "total": 2549,
                "quantity": 1,
            },
        ],
    },
    "order-1002": {
        "total": 1200,  # yen have no minor unit
        "currency": "JPY",
        "btn_ref": "srctok-example-2",
        "partner_order_channel": "app",
        "customer": {"device_id": "6D92078A-8246-4BA4-AE5B-76104861E7DC", "is_new": True},
        "line_items": [
            {"identifier": "CAP-RED", "sku": "CAP-RED", "description": "Red cap", "total": 1200, "quantity": 1},
        ],
    },
    "order-1003": _PLAIN,  # its session's token was cleared before
    "order-1006": {**_PLAIN, "customer": {"id": "customer-6"}, "btn_ref": "srctok-example-1"},  # by the batch's user
}
SKIPPED = {"consent_gdpr", "environment_development", "action_view_detail"}
KEYS = ["order-1001", "order-1001", "order-1002", "order-1003", "order-1004", "order-1005", "order-1006"]


def _python(broker: Broker, events: str, sessions: str, _folder: Path, *more: str) -> None:
    options = ["--bootstrap-servers", broker.bootstrap_servers, "--events", events, "--sessions", sessions, *more]
    _run([sys.executable, str(_EXAMPLES / "python" / "produce.py"), *options], _EXAMPLES)


def _java(broker: Broker, events: str, sessions: str, folder: Path) -> None:
    maven, compiler = shutil.which("mvn"), shutil.which("javac")
    if maven is None or compiler is None:
        pytest.skip("there is no Maven or no Java compiler (apt install maven openjdk-17-jdk-headless)")
    project = shutil.copytree(_EXAMPLES / "java", folder / "java")
    arguments = " ".join([broker.bootstrap_servers, events, sessions, str(_ROOT / "schemas" / "avro")])
    _run([maven, "-B", "-q", "compile", "exec:java", f"-Dexec.args={arguments}"], project)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(  # noqa: S603  our own examples
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("run", [_python, _java], ids=["python", "java"])
def test_an_example_runs_and_its_orders_arrive(kafka: Broker, tmp_path: Path, run: Run) -> None:
    """In Avro's single-object encoding, which needs no registry."""
    with World(kafka, tmp_path) as world:
        run(kafka, world.events, world.sessions, tmp_path)
        _assert_orders_arrive(world, {})


def test_the_example_runs_with_a_registry(kafka: Broker, tmp_path: Path) -> None:
    """In Confluent's wire format, beside the batch as a single object in the same topic."""
    with World(kafka, tmp_path) as world, Registry() as registry:
        _python(kafka, world.events, world.sessions, tmp_path, "--registry", registry.url)
        _assert_orders_arrive(world, {"schema_registry": {"url": registry.url}})
        values = [record.value or b"" for record in read_all(kafka.bootstrap_servers, {world.events: PARTITIONS})]
    assert {value[:2] for value in values} == {b"\x00\x00", b"\xc3\x01"}


def _assert_orders_arrive(world: World, settings: dict[str, Any]) -> None:
    records = read_all(world.broker.bootstrap_servers, {world.events: PARTITIONS})
    assert sorted((record.key or b"").decode() for record in records) == KEYS
    connector = world.connector({**settings, "log": {"level": "debug", "format": "json"}})
    world.wait_until_at_rest(30, connector)
    orders, log = world.sandbox.control.orders(), connector.child.read_log()
    assert world.read_dead_letters() == []
    assert {order_id: _fields(order, order_id) for order_id, order in orders.items()} == EXPECTED
    assert {order_id for order_id, order in orders.items() if order["cancelled"]} == {"order-1001"}
    assert [reason for reason in SKIPPED if f'"reason":"{reason}"' not in log] == []


def _fields(order: dict[str, Any], order_id: str) -> dict[str, Any]:
    """Return what was reported, without what differs from run to run."""
    fields = dict(order["fields"])
    assert fields.pop("order_id") == order_id
    assert fields.pop("purchase_date").endswith("Z")
    return fields
