# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Kafka adapters share: a scripted engine, members of a group, producers.

Owns the engine's stand-in: it records the calls in their order and answers a drain as it is told. Reads the group's
offsets through the admin client, never through what is under test.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from confluent_kafka import ConsumerGroupTopicPartitions, Producer
from confluent_kafka import TopicPartition as KafkaTopicPartition
from confluent_kafka.cimpl import NewPartitions

from connector.engine.ports import TopicPartition
from connector.kafka.options import KafkaConnection, SourceOptions
from connector.kafka.source import KafkaSource
from tests.support.kafka_broker import unique_topic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from connector.engine.observations import Observation
    from connector.engine.ports import RawRecord
    from tests.support.kafka_broker import Broker

_REQUEST_SECONDS = 15.0


class ScriptedIntake:
    """Records what the source does, in its order; ``to_commit`` answers drains; ``let_drain`` holds them back."""

    def __init__(self) -> None:
        """Begin with no assignment and drains that answer at once."""
        self.calls: list[tuple[str, object]] = []
        self.records: list[RawRecord] = []
        self.starts: dict[TopicPartition, int] = {}
        self.positions: dict[TopicPartition, int] = {}
        self.to_commit: dict[TopicPartition, int] = {}
        self.let_drain = asyncio.Event()
        self.let_drain.set()

    def assign(self, starts: Mapping[TopicPartition, int]) -> None:
        """Note the assignment."""
        self.calls.append(("assign", dict(starts)))
        self.starts |= starts

    def deliver(self, records: Sequence[RawRecord]) -> None:
        """Note the records; all must be of assigned partitions."""
        assert {record.topic_partition for record in records} <= set(self.starts)
        self.calls.append(("deliver", len(records)))
        self.records += records

    def advance(self, positions: Mapping[TopicPartition, int]) -> None:
        """Note the positions; all must be of assigned partitions."""
        assert set(positions) <= set(self.starts)
        self.calls.append(("advance", dict(positions)))
        self.positions |= positions

    def commit_soon(self) -> None:
        """Note that the source waits for a commit."""
        self.calls.append(("commit_soon", None))

    def suspend(self) -> None:
        """Note it."""
        self.calls.append(("suspend", None))

    def resume(self) -> None:
        """Note it."""
        self.calls.append(("resume", None))

    async def drain(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Note the beginning and the end; the end waits for ``let_drain``."""
        self.calls.append(("drain", tuple(partitions)))
        await self.let_drain.wait()
        self.calls.append(("drained", tuple(partitions)))
        return {each: offset for each, offset in self.to_commit.items() if each in partitions}

    def fence(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """Note the end of assignments that there must be."""
        self.calls.append(("lost" if lost else "fence", tuple(partitions)))
        for each in partitions:
            del self.starts[each]

    def names(self) -> list[str]:
        """Return the calls without deliveries and positions."""
        return [name for name, _ in self.calls if name not in {"deliver", "advance", "commit_soon"}]

    def offsets(self, topic_partition: TopicPartition) -> list[int]:
        """Return the offsets delivered of a partition."""
        return [record.offset for record in self.records if record.topic_partition == topic_partition]


class Observations(list["Observation"]):
    """An observer that keeps what it is told."""

    def __call__(self, observation: Observation) -> None:
        """Keep it."""
        self.append(observation)


class Member:
    """A source with its scripted engine."""

    def __init__(self, options: SourceOptions) -> None:
        """Put both together; nothing runs."""
        self.intake = ScriptedIntake()
        self.observations = Observations()
        self.source = KafkaSource(options, self.observations)


@asynccontextmanager
async def member(options: SourceOptions) -> AsyncIterator[Member]:
    """Run a member of the group; at exit it is stopped."""
    running = Member(options)
    running.source.start(running.intake, asyncio.get_running_loop())
    try:
        yield running
    finally:
        running.intake.let_drain.set()
        await running.source.stop(15.0)


def options(broker: Broker, *topics: str, **changes: object) -> SourceOptions:
    """Return options of a group of its own, named after the first topic, that notice things quickly."""
    defaults: dict[str, object] = {
        "connection": KafkaConnection(broker.bootstrap_servers),
        "group_id": f"group-{topics[0]}",
        "topics": topics,
        "session_timeout_ms": 6_000,
        "metadata_refresh_interval_ms": 1_000,
        "drain_seconds": 10.0,
    }
    return SourceOptions(**{**defaults, **changes})  # type: ignore[arg-type]  # tests name fields as the class does


def topic_of(broker: Broker, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
    """Create a topic that no other test uses."""
    return broker.create_topic(unique_topic("source"), partitions, config)


def produce(broker: Broker, topic: str, count: int, partition: int = 0, *, first: int = 0) -> None:
    """Write records ``v<n>`` with the keys ``k<n>``."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for number in range(first, first + count):
        producer.produce(topic, b"v%d" % number, b"k%d" % number, partition=partition)
    assert producer.flush(_REQUEST_SECONDS) == 0


def produce_aborted(broker: Broker, topic: str, count: int, partition: int = 0) -> None:
    """Write records in a transaction that is aborted: they and its marker take offsets that no reader gets."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": unique_topic("tx")})
    producer.init_transactions(_REQUEST_SECONDS)
    producer.begin_transaction()
    for _ in range(count):
        producer.produce(topic, b"aborted", b"aborted", partition=partition)
    producer.flush(_REQUEST_SECONDS)
    producer.abort_transaction(_REQUEST_SECONDS)


def add_partitions(broker: Broker, topic: str, total: int) -> None:
    """Give the topic more partitions."""
    admin = broker.admin()  # kept: its answers end with it
    admin.create_partitions([NewPartitions(topic, total)])[topic].result(_REQUEST_SECONDS)


def committed(broker: Broker, group: str) -> dict[TopicPartition, tuple[int, str]]:
    """Return what the group holds, offset and metadata, as an operator's tool sees it."""
    request = [ConsumerGroupTopicPartitions(group)]
    admin = broker.admin()  # kept: its answers end with it
    answer = admin.list_consumer_group_offsets(request)[group].result(_REQUEST_SECONDS)
    return {
        TopicPartition(each.topic, each.partition): (each.offset, each.metadata or "")
        for each in answer.topic_partitions
    }


def set_committed(
    broker: Broker,
    group: str,
    offsets: Mapping[TopicPartition, int],
    metadata: str = "",
) -> None:
    """Set a group's offsets as an operator's tool does, which knows no metadata; the group must be empty."""
    elements = [KafkaTopicPartition(*each, offset, metadata) for each, offset in offsets.items()]
    request = [ConsumerGroupTopicPartitions(group, elements)]
    admin = broker.admin()  # kept: its answers end with it
    admin.alter_consumer_group_offsets(request)[group].result(_REQUEST_SECONDS)
