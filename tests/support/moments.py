# SPDX-License-Identifier: Apache-2.0
"""How a running world is held at a moment that passes too quickly to be met by chance.

Owns three ways: facts that no broker takes, calls that Button never answers, and the files of a table that is spoilt.
Each leaves the connector itself as it is.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the stubs do not say what is exported
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.support.polling import wait_until
from tests.support.processes import LEDGER_PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from confluent_kafka import KafkaError

    from tests.support.processes import World

_REQUEST_SECONDS = 15.0
_ROUNDS_BEHIND_A_KILL = 5
_ANY_AGE_MS = str(2**63 - 1)


@contextmanager
def no_fact_written(world: World) -> Iterator[None]:
    """Let no broker take a fact in the body: any that is older than nothing at all is refused for its time."""
    _set_greatest_age(world, "0")
    try:
        # The brokers say yes a moment before they do it.
        wait_until(lambda: _is_refused(world), _REQUEST_SECONDS, awaiting="facts to be refused")
        yield
        # What a process that was killed in the body had written to its socket is yet to be refused.
        for _ in range(_ROUNDS_BEHIND_A_KILL):
            assert _is_refused(world)
    finally:
        _set_greatest_age(world, _ANY_AGE_MS)


def _set_greatest_age(world: World, milliseconds: str) -> None:
    # The number of replicas that have to be in sync would be no way: no more are asked for than there are.
    name = "message.timestamp.before.max.ms"
    entry = ConfigEntry(name, milliseconds, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, world.ledger, incremental_configs=[entry])
    admin = world.broker.admin()  # gone before its answer, it would give none
    admin.incremental_alter_configs([resource])[resource].result(_REQUEST_SECONDS)


def _is_refused(world: World) -> bool:
    """Try the tombstone of an order that is not there, in every partition."""
    errors: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": world.broker.bootstrap_servers, "log_level": 2})
    for partition in range(LEDGER_PARTITIONS):
        producer.produce(
            world.ledger,
            None,
            b'["nobody","nothing"]',
            partition,
            timestamp=1,
            on_delivery=lambda error, _: errors.append(error),
        )
    return producer.flush(_REQUEST_SECONDS) == 0 and all(errors)


@contextmanager
def no_update_taken(folder: Path, order_ids: str) -> Iterator[None]:
    """Let the sandbox of this folder neither take nor answer updates of the orders of this pattern in the body."""
    control = json.loads((folder / "sandbox.json").read_text(encoding="utf-8"))["control_url"]
    rule = {"order_id": order_ids, "operation": "update", "fault": "no_answer_before"}
    with httpx2.Client(base_url=control, trust_env=False) as client:
        client.post("/_sandbox/faults", json=rule).raise_for_status()
        try:
            yield
        finally:
            client.delete("/_sandbox/faults").raise_for_status()


def spoil(directory: Path) -> int:
    """Overwrite the middle half of every file in which a table's entries are; return how many there were."""
    files = sorted(directory.glob("*.sst"))
    for file in files:
        size = file.stat().st_size
        with file.open("r+b") as opened:
            opened.seek(size // 4)
            opened.write(b"\xff" * (size // 2))
    return len(files)
