# SPDX-License-Identifier: Apache-2.0
"""A connector at work at a steady pace: Kafka, an acknowledging server, one connector, a shop that never sleeps.

Owns the parts and their ends; measures nothing. Kafka and the server share one core and the connector has the other,
unless ``pinned`` is off.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
import yaml
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from benchmarks.workload import PARTITIONS, Encoder, events, load
from tests.support.kafka_broker import start_broker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from confluent_kafka import Message

UNDER_TEST_CORE, SURROUNDINGS_CORE = 0, 1
TOPIC, SESSIONS_TOPIC, DEAD_LETTERS_TOPIC, LEDGER_TOPIC = "events", "sessions", "dead-letters", "orders"
GROUP = "steady"
_MEBIBYTE = 2**20
_START_SECONDS = 60.0


@dataclass
class Rig:
    """What runs; ``feed`` writes on, ``ask`` asks the server."""

    bootstrap_servers: str
    url: str
    process: psutil.Process
    log: Path
    written: int = 0
    _committed: int = 0
    said: dict[str, float] = field(default_factory=dict)
    """When each purchase was handed to the producer, by order, on the monotonic clock."""
    there: dict[str, float] = field(default_factory=dict)
    """When the broker's acknowledgement of it was heard."""
    _events: Iterator[dict[str, Any]] = field(default_factory=lambda: events(10**12, only_purchases=False))
    _encode: Encoder = field(default_factory=lambda: Encoder("commerce_event"))

    def __post_init__(self) -> None:
        """Connect."""
        servers = {"bootstrap.servers": self.bootstrap_servers}
        self._producer = Producer({**servers, "linger.ms": 0, "enable.idempotence": True, "log_level": 0})
        self._offsets = Consumer({**servers, "group.id": GROUP, "log_level": 0})
        self._partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]

    def feed(self, seconds: float, per_second: float) -> None:
        """Write evenly for so long."""
        began, due = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while due < passed * per_second:
                event = next(self._events)
                self._write(event["product_action"]["transaction_id"], self._encode(event))
                due += 1
                self.written += 1
            self._producer.poll(0.001)
        self._producer.flush(10)

    def _write(self, order_id: str, value: bytes) -> None:
        self.said.setdefault(order_id, time.monotonic())
        self._producer.produce(TOPIC, value, order_id, on_delivery=self._heard)

    def _heard(self, _error: object, message: Message) -> None:
        self.there.setdefault((message.key() or b"").decode(), time.monotonic())

    def ask(self, path: str, manners: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401  JSON
        """Return what the server answers; ``manners`` are what it is to be like."""
        data = None if manners is None else json.dumps(manners).encode()
        with urllib.request.urlopen(f"{self.url}{path}", data=data, timeout=10) as answer:  # noqa: S310  our own server on loopback
            return json.loads(answer.read())

    def committed(self) -> int:
        """Return how many records are committed; what was known last where the group's coordinator does not say."""
        try:
            answers = self._offsets.committed(self._partitions, timeout=10)
        except KafkaException:
            return self._committed
        self._committed = sum(max(0, each.offset) for each in answers)
        return self._committed

    def memory_mb(self) -> tuple[float, float]:
        """Return the resident memory of the connector, and how much of that is its own (not a file's)."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        sizes = {
            line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(("VmRSS", "RssAnon"))
        }
        return sizes["VmRSS"], sizes["RssAnon"]

    def check(self) -> None:
        """Raise with the end of the connector's log if it has ended."""
        if not self.process.is_running() or self.process.status() == psutil.STATUS_ZOMBIE:
            message = f"the connector ended:\n{self.log.read_text(encoding='utf-8')[-4000:]}"
            raise RuntimeError(message)


@contextmanager
def rig(
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    latency_ms: float = 0.0,
    records: int = 0,
    pinned: bool = True,
) -> Iterator[Rig]:
    """Start everything, with so many records in the topic; ``settings`` by area go over the usual ones."""
    with ExitStack() as stack:
        broker = stack.enter_context(start_broker())
        folder = Path(stack.enter_context(TemporaryDirectory()))
        if pinned:
            for process in psutil.Process().children(recursive=True):
                process.cpu_affinity([SURROUNDINGS_CORE])
        load(broker.bootstrap_servers, TOPIC, SESSIONS_TOPIC, DEAD_LETTERS_TOPIC, records)
        server = _started(stack, ["-m", "benchmarks.ack_server", "--latency-ms", str(latency_ms)], subprocess.PIPE)
        assert server.stdout is not None  # noqa: S101  it was asked for
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        file, log = folder / "connector.yaml", folder / "connector.log"
        file.write_text(yaml.safe_dump(_settings(broker.bootstrap_servers, url, folder, settings or {})))
        connector = _started(
            stack,
            ["-m", "connector", "run", "--config", str(file)],
            stack.enter_context(log.open("wb")),
        )
        _let_it_go_first(server.pid)
        if pinned:
            psutil.Process(server.pid).cpu_affinity([SURROUNDINGS_CORE])
            psutil.Process(connector.pid).cpu_affinity([UNDER_TEST_CORE])
        it = Rig(broker.bootstrap_servers, url, psutil.Process(connector.pid), log)
        _wait_for_the_first_call(it)
        yield it


def _let_it_go_first(pid: int) -> None:
    """Have the server run as soon as it can: beside Kafka's threads it waits for up to 250 ms, which is not ours."""
    with suppress(OSError, AttributeError):  # where that is not allowed, or not known, what is measured is what it is
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


def _started(stack: ExitStack, arguments: list[str], output: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401  a file or PIPE
    process = subprocess.Popen([sys.executable, *arguments], stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  our own modules
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def _wait_for_the_first_call(it: Rig) -> None:
    deadline = time.monotonic() + _START_SECONDS
    it.feed(0.2, 10)
    while it.ask("/count") == 0:
        it.check()
        if time.monotonic() > deadline:
            message = f"no call within {_START_SECONDS:g} s:\n{it.log.read_text(encoding='utf-8')[-4000:]}"
            raise RuntimeError(message)
        time.sleep(0.1)


def _settings(
    bootstrap_servers: str,
    url: str,
    folder: Path,
    changes: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    usual: dict[str, dict[str, Any]] = {
        "kafka": {"bootstrap_servers": bootstrap_servers, "group_id": GROUP, "topics": [TOPIC]},
        "sessions": {"topic": SESSIONS_TOPIC},
        "ledger": {"topic": LEDGER_TOPIC, "horizon_days": 3_650},
        "dead_letters": {"topic": DEAD_LETTERS_TOPIC},
        "button": {"base_url": url, "api_key": "sk-benchmark"},
        "tables": {"directory": str(folder / "tables")},
        "ops": {"host": "127.0.0.1", "port": 0},
        "log": {"level": "warning"},
    }
    return {area: {**usual.get(area, {}), **changes.get(area, {})} for area in usual.keys() | changes.keys()}
