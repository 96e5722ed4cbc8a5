# SPDX-License-Identifier: Apache-2.0
"""A whole topic as a table, on a real Kafka: restarts, compaction, barriers, copies that are lost."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from connector.engine.observations import TableCaughtUp, TableRebuilt
from connector.kafka.follower import TopicFollower
from connector.kafka.options import FollowerOptions, KafkaConnection
from connector.tables.global_table import Batch, GlobalTable
from tests.integration.kafka.parts import produce, produce_aborted, topic_of
from tests.support.fakes import Recorder
from tests.support.polling import eventually
from tests.support.tables import SetClock, table_options
from tests.unit.tables.test_store import damage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from connector.engine.ports import RawRecord
    from tests.support.kafka_broker import Broker


class Latest:
    """Keeps the newest value of each key."""

    layout = "latest-1"

    def apply(self, rows: Sequence[RawRecord], batch: Batch) -> None:
        """Put or delete."""
        for row in rows:
            if row.value is None:
                batch.delete(row.key or b"")
            else:
                batch.put(row.key or b"", row.value)


class Life:
    """One life of a process with a table."""

    def __init__(self, broker: Broker, topic: str, directory: Path) -> None:
        """Put it together."""
        self.seen = Recorder()
        clock = SetClock(time.time_ns() // 1_000_000)
        options = FollowerOptions(
            KafkaConnection(broker.bootstrap_servers),
            topic,
            "latest",
            "latest.topic",
            is_identified=True,
        )
        self.follower = TopicFollower(options, self.seen)
        self.table = GlobalTable(
            table_options(directory, is_kept=True),
            Latest(),
            self.follower,
            clock,
            self.seen,
        )

    @property
    def records_read(self) -> int:
        """How many records it read before it answered."""
        (caught_up,) = self.seen.of(TableCaughtUp)
        return caught_up.records


@asynccontextmanager
async def _living(broker: Broker, topic: str, directory: Path) -> AsyncIterator[Life]:
    life = Life(broker, topic, directory)
    life.table.start(asyncio.get_running_loop())
    try:
        async with asyncio.timeout(30):
            await life.table.caught_up()
        yield life
    finally:
        await life.table.stop(10.0)


def _delete(broker: Broker, topic: str, key: bytes) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(topic, None, key, partition=0)
    assert producer.flush(15) == 0


async def test_a_restart_reads_only_what_is_new(kafka: Broker, tmp_path: Path) -> None:
    """What a checkpoint covers is not read again, behind a transaction's marker either [33]."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 2000, partition=0)
    produce_aborted(kafka, topic, 3, partition=0)
    async with _living(kafka, topic, tmp_path) as first:
        assert first.records_read == 2000
        assert first.table.topic is not None
        assert None not in first.table.topic
    produce(kafka, topic, 7, partition=1, first=5000)
    _delete(kafka, topic, b"k3")
    async with _living(kafka, topic, tmp_path) as second:
        assert second.records_read == 8
        assert [second.table.get(key) for key in (b"k2", b"k3", b"k5006")] == [b"v2", None, b"v5006"]
        assert not second.seen.of(TableRebuilt)


async def test_a_barrier_passes_only_behind_what_the_topic_held(kafka: Broker, tmp_path: Path) -> None:
    """Whoever takes over a partition knows all that its former owner wrote, however it ended."""
    topic = topic_of(kafka, 2)
    async with _living(kafka, topic, tmp_path) as life:
        for number in range(5):
            produce(kafka, topic, 100, partition=number % 2, first=number * 100)
            produce_aborted(kafka, topic, 1, partition=number % 2)
            async with asyncio.timeout(10):
                await life.table.barrier()
            assert life.table.get(b"k%d" % (number * 100 + 99)) == b"v%d" % (number * 100 + 99)


async def test_a_copy_that_is_lost_or_damaged_is_rebuilt(kafka: Broker, tmp_path: Path) -> None:
    """The topic is the truth: the table answers the same, and reads all of it again."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 500)
    async with _living(kafka, topic, tmp_path):
        pass
    shutil.rmtree(tmp_path)
    async with _living(kafka, topic, tmp_path) as life:
        assert (life.records_read, life.table.get(b"k499")) == (500, b"v499")
        assert not life.seen.of(TableRebuilt)
    damage(tmp_path)
    async with _living(kafka, topic, tmp_path) as life:
        assert (life.records_read, life.table.get(b"k499")) == (500, b"v499")
        await eventually(lambda: life.seen.of(TableRebuilt))


async def test_a_topic_that_was_deleted_and_made_again_is_read_anew(kafka: Broker, tmp_path: Path) -> None:
    """Its name is the same, its id is not; nothing of the former one is answered [56]."""
    topic = topic_of(kafka)
    produce(kafka, topic, 10)
    async with _living(kafka, topic, tmp_path):
        pass
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    await asyncio.to_thread(admin.delete_topics([topic])[topic].result, 15)
    await eventually(lambda: topic not in admin.list_topics(timeout=5).topics)
    await asyncio.to_thread(kafka.create_topic, topic)
    produce(kafka, topic, 20, first=100)
    async with _living(kafka, topic, tmp_path) as life:
        assert life.table.get(b"k0") is None
        assert life.table.get(b"k119") == b"v119"
        await eventually(lambda: life.seen.of(TableRebuilt))


async def test_a_compacted_topic_is_read_to_its_end(kafka: Broker, tmp_path: Path) -> None:
    """Offsets that compaction took out are gaps; nothing waits for them [39]."""
    config = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "86400000",
    }
    topic = topic_of(kafka, 1, config)
    for number in range(5):
        produce(kafka, topic, 50)
        await asyncio.to_thread(_delete, kafka, topic, b"k%d" % number)
    async with _living(kafka, topic, tmp_path) as life:
        assert (life.table.get(b"k4"), life.table.get(b"k49")) == (None, b"v49")
        assert life.table.topic is not None
        assert life.table.topic.delete_retention_ms == 86_400_000
