# SPDX-License-Identifier: Apache-2.0
"""How fast tables are restored from their topics and answer, and how much room they take.

Owns the three figures: entries restored per second from a real broker, bytes of disk for each, and the time of one
look-up with many entries on disk. The process that is measured has one core to itself; the broker has the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any
from uuid import UUID

import uvloop
from confluent_kafka import Producer

from benchmarks.facts import another_fact
from connector.avro.session_decoding import SessionDecoder
from connector.kafka.follower import TopicFollower
from connector.kafka.options import FollowerOptions, KafkaConnection
from connector.scheduling import prefer_throughput
from connector.tables.fact_codec import encode_fact, key_of
from connector.tables.global_table import GlobalTable, TableOptions
from connector.tables.ledger_clean import Watched
from connector.tables.ledger_pending import Pending
from connector.tables.ledger_rows import LedgerRows
from connector.tables.session_history import Entry, encode
from connector.tables.session_records import session_row
from connector.tables.sessions import Sessions
from connector.tables.store import Store, StoreOptions
from tests.support.avro_records import encode_session, session
from tests.support.kafka_broker import start_broker, unique_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from connector.engine.observations import Observation
    from tests.support.kafka_broker import Broker

PARTITIONS = 8
MEBIBYTE = 1024 * 1024
T = 1_767_225_600_000
BATCH = 1000
HORIZON_MS = 400 * 86_400_000


class _Clock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def _unobserved(observation: Observation) -> None:
    """Let it be."""


def fact_record(random: Random) -> tuple[bytes, bytes]:
    """Return the only fact of an order: its purchase, as the connector writes it."""
    fact = another_fact(random)
    order_id = f"M-2026-{random.getrandbits(40):013d}"
    return key_of(order_id, fact), encode_fact(fact)


def session_like(random: Random) -> tuple[bytes, bytes]:
    """Return a session of a user, as the sessions topic has them."""
    key = str(UUID(int=random.getrandbits(128)))
    mpid = random.getrandbits(62)
    record = session(key, "srctok-" + random.randbytes(8).hex(), T + random.randrange(10**9), mpid=mpid)
    return key.encode(), encode_session(record)


def _fill(broker: Broker, topic: str, count: int, make: Callable[[Random], tuple[bytes, bytes]]) -> float:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 50, "batch.size": 1_000_000})
    random, size = Random(7), 0  # noqa: S311  made-up work, the same every time
    for number in range(count):
        key, value = make(random)
        size += len(value)
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        if number % BATCH == 0:
            producer.poll(0)
    producer.flush()
    return size / count


async def _restore(table: GlobalTable) -> float:
    began = time.perf_counter()
    table.start(asyncio.get_running_loop())
    await table.caught_up()
    return time.perf_counter() - began


def _measured_restore(broker: Broker, topic: str, kind: str, directory: Path, count: int) -> dict[str, float]:
    options = TableOptions(kind, StoreOptions(directory / kind, cache_bytes=256 * MEBIBYTE), is_kept=True)
    connection = KafkaConnection(broker.bootstrap_servers)
    seconds: list[float] = []
    cpu: list[float] = []

    async def run() -> None:
        follower = TopicFollower(FollowerOptions(connection, topic, kind, "topic", is_identified=True), _unobserved)
        if kind == "sessions":
            decoder = SessionDecoder()
            table = Sessions(options, decoder, follower, _Clock(), _unobserved, clock_skew_ms=0).table
        else:
            rows = LedgerRows(Pending(), Watched(), HORIZON_MS, _unobserved, lambda _: None)
            table = GlobalTable(options, rows, follower, _Clock(), _unobserved)
        before = time.process_time()
        seconds.append(await _restore(table))
        cpu.append(time.process_time() - before)
        await table.stop(60)

    uvloop.run(run())
    store = Store(options.store)
    try:
        disk = store.property("total-sst-files-size")
    finally:
        store.close()
    return {
        "entries": count,
        "seconds": round(seconds[0], 2),
        "cpu_seconds": round(cpu[0], 2),
        "entries_per_second": round(count / seconds[0]),
        "disk_bytes_per_entry": round(disk / count, 1),
    }


def _random_keys(count: int) -> Iterator[str]:
    random = Random(11)  # noqa: S311  as above
    for _ in range(count):
        yield str(UUID(int=random.getrandbits(128)))


class _Loaded:
    """A feed for a table whose store was filled without one."""

    def start(self, sink: object, loop: object) -> None:
        """Nothing flows."""

    async def barrier(self) -> None:
        """Nothing flows."""

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Nothing flows."""


def _load_sessions(options: StoreOptions, count: int) -> None:
    store, random, writes = Store(options), Random(13), {}  # noqa: S311  as above
    for number, key in enumerate(_random_keys(count)):
        entry = Entry(T + number, "srctok-" + random.randbytes(8).hex(), str(number))
        writes[session_row(key)] = encode((entry,))
        if len(writes) == BATCH:
            store.write(writes, b"")
            writes = {}
    store.write(writes, b"")
    store.flush(wait=True)
    store.close()


def _measured_lookups(directory: Path, count: int, asked: int) -> dict[str, float]:
    options = StoreOptions(directory / "lookups", cache_bytes=256 * MEBIBYTE)
    began = time.perf_counter()
    _load_sessions(options, count)
    loaded = time.perf_counter() - began
    store = Store(options)
    disk = store.property("total-sst-files-size")
    every = count // asked
    keys = [key for number, key in enumerate(_random_keys(count)) if number % every == 0]
    Random(17).shuffle(keys)  # noqa: S311  as above
    missing = [f"{key[:-1]}x" for key in keys]
    found = _timed(lambda key: store.get(session_row(key)), keys, expected=True)
    missed = _timed(lambda key: store.get(session_row(key)), missing, expected=False)
    store.close()
    return {
        "entries": count,
        "load_entries_per_second": round(count / loaded),
        "disk_bytes_per_entry": round(disk / count, 1),
        "found_median_microseconds": round(median(found) * 1e6, 2),
        "found_p99_microseconds": round(quantiles(found, n=100)[98] * 1e6, 2),
        "missed_median_microseconds": round(median(missed) * 1e6, 2),
    }


def _timed(ask: Callable[[str], Any], keys: Sequence[str], *, expected: bool) -> list[float]:
    for key in keys[: len(keys) // 2]:
        ask(key)
    times = []
    for key in keys[len(keys) // 2 :]:
        began = time.perf_counter()
        answer = ask(key)
        times.append(time.perf_counter() - began)
        if (answer is not None) is not expected:
            msg = "a wrong answer"
            raise AssertionError(msg)
    return times


def main() -> int:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restore", type=int, default=500_000, help="entries to restore from a topic (0: none)")
    parser.add_argument("--lookups", type=int, default=10_000_000, help="entries on disk to look up among (0: none)")
    parser.add_argument("--kind", choices=["ledger", "sessions", "both"], default="both")
    parser.add_argument("--output", type=Path, help="where to write the figures as JSON")
    asked = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    makers = {"ledger": fact_record, "sessions": session_like}
    kinds = [kind for kind in makers if asked.kind in {kind, "both"}] if asked.restore else []
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as directory:
        if kinds:
            os.sched_setaffinity(0, {cores[-1]})
            with start_broker() as broker:
                os.sched_setaffinity(0, {cores[0]})
                prefer_throughput()  # as the connector does
                for kind in kinds:
                    topic = unique_topic(kind)
                    broker.create_topic(topic, PARTITIONS, {"cleanup.policy": "compact"})
                    size = _fill(broker, topic, asked.restore, makers[kind])
                    results[kind] = _measured_restore(broker, topic, kind, Path(directory), asked.restore)
                    results[kind]["value_bytes"] = round(size, 1)
        if asked.lookups:
            os.sched_setaffinity(0, {cores[0]})
            results["lookups"] = _measured_lookups(Path(directory), asked.lookups, 100_000)
    for name, figures in results.items():
        sys.stdout.write(
            "\n".join([name, *(f"  {figure:28} {value:>14,}" for figure, value in figures.items())]) + "\n",
        )
    if asked.output:
        asked.output.write_text(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
