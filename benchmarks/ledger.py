# SPDX-License-Identifier: Apache-2.0
"""What the order ledger costs: a fact written to Kafka and read back clean, per event.

Owns the rig: a broker on one core, the ledger alone on the other, events at a steady rate as the engine would bring
them (read, append, wait for the answer). The CPU time is that of the whole process, the client's threads included.

    python -m benchmarks.ledger --rate 5000
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import uvloop

from benchmarks.facts import purchase_fact
from connector.kafka.follower import TopicFollower
from connector.kafka.ledger_log import LedgerLog, LedgerLogOptions
from connector.kafka.options import FollowerOptions, KafkaConnection
from connector.scheduling import prefer_throughput
from connector.tables.global_table import TableOptions
from connector.tables.ledger_identity import Takeover
from connector.tables.orders import LedgerOptions, Orders
from connector.tables.store import StoreOptions
from tests.support.kafka_broker import shared_broker, unique_topic

if TYPE_CHECKING:
    from connector.engine.observations import Observation

PARTITIONS = 4
UNDER_TEST_CORE, SURROUNDINGS_CORE = 0, 1
_TICKS_PER_SECOND = 200


class _Now:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def _ignore(observation: Observation) -> None:
    pass


def _open(connection: KafkaConnection, topic: str, directory: Path, linger_ms: int) -> tuple[Orders, LedgerLog]:
    log = LedgerLog(LedgerLogOptions(connection, topic, linger_ms), _ignore)
    reading = FollowerOptions(
        connection,
        topic,
        "ledger",
        "ledger.topic",
        fetch_wait_max_ms=linger_ms,
        fetch_min_bytes=100_000,
    )
    follower = TopicFollower(reading, _ignore)
    options = LedgerOptions(topic, PARTITIONS, Takeover("benchmark"), 100.0)
    table = TableOptions("ledger", StoreOptions(directory / "ledger"))
    return Orders(options, (table, follower), log, _Now(), _ignore), log


class Load:
    """Events at a steady rate."""

    def __init__(self, orders: Orders) -> None:
        """Use this ledger."""
        self._orders = orders
        self.number = 0
        self.took: list[float] = []
        self.unclean = 0
        self.others: set[asyncio.Future[bool]] = set()

    async def run(self, rate: int, seconds: float) -> None:
        """Read and append, and wait for the answers at the end."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = 0
        while (elapsed := loop.time() - began) < seconds:
            due = round(elapsed * rate)
            for _ in range(due - done):
                self._one(loop)
            done = due
            await asyncio.sleep(1 / _TICKS_PER_SECOND)
        await asyncio.gather(*self.others)

    def _one(self, loop: asyncio.AbstractEventLoop) -> None:
        self.number += 1
        order_id, began = f"M-2026-{self.number:09}", loop.time()
        self._orders.read(order_id)
        answer = asyncio.ensure_future(
            self._orders.append(order_id, purchase_fact(order_id, f"5ad2b6d1-6d0c-4f59-8c0f-{self.number:012}")),
        )
        self.others.add(answer)

        def note(answer: asyncio.Future[bool]) -> None:
            self.others.discard(answer)
            self.took.append(loop.time() - began)
            self.unclean += not answer.result()

        answer.add_done_callback(note)


async def _measure(
    bootstrap_servers: str,
    topic: str,
    arguments: argparse.Namespace,
    directory: Path,
) -> dict[str, float]:
    connection = KafkaConnection(bootstrap_servers)
    orders, log = _open(connection, topic, directory, arguments.linger_ms)
    orders.start(asyncio.get_running_loop())
    await orders.caught_up()
    load = Load(orders)
    await load.run(arguments.rate, 2.0)
    load.took.clear()
    before, began, cpu, loop_cpu = load.number, time.perf_counter(), time.process_time(), time.thread_time()
    profile = cProfile.Profile() if arguments.profile else None
    if profile:
        profile.enable()
    await load.run(arguments.rate, arguments.seconds)
    if profile:
        profile.disable()
        profile.print_stats("tottime")
    events = load.number - before
    result = {
        "events_per_second": events / (time.perf_counter() - began),
        "cpu_us_per_event": (time.process_time() - cpu) / events * 1e6,
        "loop_cpu_us_per_event": (time.thread_time() - loop_cpu) / events * 1e6,
        "back_after_ms_median": statistics.median(load.took) * 1e3,
        "back_after_ms_99": statistics.quantiles(load.took, n=100)[98] * 1e3,
        "unclean": load.unclean,
    }
    await orders.stop()
    await log.close(1.0)
    return result


def _idle_us(rate: int, seconds: float) -> float:
    """Return what the load itself costs, an event: making the fact, the future, the callback."""

    async def run() -> float:
        class Nothing:
            def read(self, order_id: str) -> None:
                pass

            def append(self, _order_id: str, _fact: object) -> asyncio.Future[bool]:
                answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                answer.set_result(True)
                return answer

        load = Load(Nothing())  # type: ignore[arg-type]  # it costs nothing, and that is what is measured
        cpu = time.process_time()
        await load.run(rate, seconds)
        return (time.process_time() - cpu) / load.number * 1e6

    return uvloop.run(run())


def main() -> None:
    """Run the broker and the ledger, and print what it costs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--linger-ms", type=int, default=20)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    process = psutil.Process()
    process.cpu_affinity([SURROUNDINGS_CORE])
    prefer_throughput()
    with shared_broker() as broker, tempfile.TemporaryDirectory() as directory:
        topic = broker.create_topic(unique_topic("ledger"), PARTITIONS, {"cleanup.policy": "compact"})
        process.cpu_affinity([UNDER_TEST_CORE])
        load_us = _idle_us(arguments.rate, 2.0)
        result = uvloop.run(_measure(broker.bootstrap_servers, topic, arguments, Path(directory)))
    result["cpu_us_per_event_without_the_load"] = result["cpu_us_per_event"] - load_us
    print(json.dumps({name: round(value, 2) for name, value in result.items()}))  # noqa: T201  it is what it is for


if __name__ == "__main__":
    main()
