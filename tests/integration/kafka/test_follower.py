# SPDX-License-Identifier: Apache-2.0
"""Following a topic for a table."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from connector.engine.observations import DependencyUnavailable
from connector.engine.ports import FollowedTopic, RawRecord, TopicPartition, Waits
from connector.kafka.follower import TopicFollower
from connector.kafka.options import FollowerOptions, KafkaConnection
from tests.integration.kafka.parts import Observations, add_partitions, committed, produce, produce_aborted, topic_of
from tests.support.kafka_broker import unique_topic
from tests.support.polling import eventually, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from tests.support.kafka_broker import Broker


class Table:
    """Keeps what it is fed, and how much that was when it was told that it had caught up."""

    def __init__(self) -> None:
        """Begin empty."""
        self.rows: list[tuple[TopicPartition, int, bytes | None, bytes | None]] = []
        self.timestamps: list[int] = []
        self.caught_up_with: int | None = None
        self.topic: FollowedTopic | None = None
        self.starts: dict[int, int] = {}
        self.marks: list[int] = []

    def begin(self, topic: FollowedTopic) -> dict[int, int]:
        """Go on at :attr:`starts`."""
        assert self.topic is None
        self.topic = topic
        return self.starts

    def apply(self, rows: Sequence[RawRecord]) -> Waits | None:
        """Take rows."""
        self.rows += [(row.topic_partition, row.offset, row.key, row.value) for row in rows]
        self.timestamps += [row.timestamp_ms for row in rows]
        return None

    def mark_current(self, as_of_ms: int) -> None:
        """Note it, and the first time that the table has caught up."""
        self.marks.append(as_of_ms)
        if self.caught_up_with is None:
            self.caught_up_with = len(self.rows)


class Gate:
    """Something that must be fetched, and comes when it is let; or breaks."""

    def __init__(self) -> None:
        """Come when :attr:`comes` is set."""
        self.comes = asyncio.Event()
        self.error: Exception | None = None

    async def ready(self) -> None:
        """Return, or break, when it has come."""
        await self.comes.wait()
        if self.error is not None:
            raise self.error


class GatedTable(Table):
    """Cannot take some records of partition 0, by offset, before their gate was opened."""

    def __init__(self, offsets: Collection[int]) -> None:
        """Give each of the offsets a gate."""
        super().__init__()
        self.gates = {offset: Gate() for offset in offsets}

    def apply(self, rows: Sequence[RawRecord]) -> Waits | None:
        """Take rows up to the first that waits, and say what it waits for."""
        for taken, row in enumerate(rows):
            gate = self.gates.get(row.offset) if row.topic_partition.partition == 0 else None
            if gate is not None and not gate.comes.is_set():
                super().apply(rows[:taken])
                return Waits(taken, gate)
        return super().apply(rows)

    def offsets(self, partition: int) -> list[int]:
        """Return a partition's offsets as they were taken."""
        return [offset for topic_partition, offset, *_ in self.rows if topic_partition.partition == partition]


class Following:
    """A follower with its table."""

    def __init__(self, broker: Broker, topic: str, table: Table | None = None) -> None:
        """Put both together; nothing runs."""
        self.table = table or Table()
        self.observations = Observations()
        connection = KafkaConnection(broker.bootstrap_servers)
        self.follower = TopicFollower(
            FollowerOptions(connection, topic, "sessions", "sessions.topic", is_identified=True, refresh_seconds=0.5),
            self.observations,
        )


@asynccontextmanager
async def _following(broker: Broker, topic: str, table: Table | None = None) -> AsyncIterator[Following]:
    following = Following(broker, topic, table)
    following.follower.start(following.table, asyncio.get_running_loop())
    try:
        yield following
    finally:
        await following.follower.stop(10.0)


async def test_a_table_is_caught_up_behind_everything_that_the_topic_held(kafka: Broker) -> None:
    """All partitions, an empty one too, are read from the beginning; nothing is committed anywhere."""
    topic = topic_of(kafka, 3)
    produce(kafka, topic, 3000, partition=0)
    produce(kafka, topic, 10, partition=2)
    async with _following(kafka, topic) as one:
        await eventually(lambda: one.table.caught_up_with is not None)
        assert one.table.caught_up_with == 3010
        assert one.follower.progress == (3010, 3, 0, True)
        assert [row[1] for row in one.table.rows if row[0].partition == 0] == list(range(3000))
        assert min(one.table.timestamps) > 1_600_000_000_000
        produce(kafka, topic, 1, partition=1)
        await eventually(lambda: len(one.table.rows) == 3011)
    assert not committed(kafka, "button-connector-follower-sessions")


async def test_an_aborted_transaction_at_the_end_does_not_hold_a_table_back(kafka: Broker) -> None:
    """The last offset of the topic is a marker that no reader ever gets [33]."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 5, partition=0)
    produce_aborted(kafka, topic, 3, partition=0)
    produce_aborted(kafka, topic, 3, partition=1)
    async with _following(kafka, topic) as one:
        await eventually(lambda: one.table.caught_up_with is not None)
        assert one.table.caught_up_with == 5


async def test_a_tombstone_arrives_as_none(kafka: Broker) -> None:
    """An empty value is not a tombstone, and a null key is not an empty one [47]."""
    topic = topic_of(kafka)
    await asyncio.to_thread(_produce_odd_ones, kafka, topic)
    first = TopicPartition(topic, 0)
    async with _following(kafka, topic) as one:
        await eventually(lambda: one.table.caught_up_with is not None)
        assert one.table.rows == [(first, 0, b"a", None), (first, 1, b"b", b""), (first, 2, None, b"c")]


async def test_a_partition_that_is_added_is_followed(kafka: Broker) -> None:
    """Keys move when partitions are added; a table that missed them would answer wrongly."""
    topic = topic_of(kafka, 1)
    async with _following(kafka, topic) as one:
        await eventually(lambda: one.table.caught_up_with is not None)
        add_partitions(kafka, topic, 2)
        produce(kafka, topic, 2, partition=1)
        await eventually(lambda: len(one.table.rows) == 2, 20)


async def test_a_follower_waits_for_a_broker_and_outlasts_one(own_kafka: Broker) -> None:
    """Down at the start, down later: it says so and carries on by itself [31]."""
    topic = topic_of(own_kafka)
    produce(own_kafka, topic, 5)
    own_kafka.kill()
    async with _following(own_kafka, topic) as one:
        await eventually(lambda: any(isinstance(each, DependencyUnavailable) for each in one.observations), 20)
        assert one.table.caught_up_with is None
        await asyncio.to_thread(own_kafka.restart)
        await eventually(lambda: one.table.caught_up_with == 5, 60)
        own_kafka.kill()
        await asyncio.to_thread(own_kafka.restart)
        produce(own_kafka, topic, 5)
        await eventually(lambda: len(one.table.rows) == 10, 60)


async def test_a_missing_topic_ends_a_follower_with_its_setting(kafka: Broker) -> None:
    """The reason names the key of the table's own topic."""
    async with _following(kafka, unique_topic("missing")) as one:
        failure = await asyncio.wait_for(one.follower.failed(), 20)
        assert "sessions.topic" in failure.reason


async def test_a_busy_loop_is_not_flooded(kafka: Broker) -> None:
    """Only a few batches are on their way to a table that cannot take them now, so that memory stays bounded."""
    topic = topic_of(kafka)
    produce(kafka, topic, 20_000)
    async with _following(kafka, topic) as one:
        await eventually(lambda: one.table.rows)
        applied = len(one.table.rows)
        before = one.follower.last_poll_at
        wait_until(lambda: one.follower.last_poll_at > before + 0.5)  # holds the loop up
        assert one.follower.progress.records <= applied + 5 * 1000
        await eventually(lambda: one.table.caught_up_with == 20_000)


async def test_a_record_that_waits_holds_its_partition_in_order_and_no_other(kafka: Broker) -> None:
    """Nothing has caught up while anything waits; a record behind another may wait for something of its own."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 2000, partition=0)
    produce(kafka, topic, 500, partition=1)
    table = GatedTable({3, 7})
    async with _following(kafka, topic, table) as one:
        await eventually(lambda: len(table.offsets(1)) == 500 and one.follower.progress.records == 2500)
        assert table.offsets(0) == [0, 1, 2]
        await eventually(lambda: one.follower.progress.remaining_at_start == 1997)
        assert not one.follower.progress.is_caught_up
        table.gates[3].comes.set()
        await eventually(lambda: table.offsets(0) == list(range(7)))
        assert table.caught_up_with is None
        produce(kafka, topic, 1, partition=1)
        await eventually(lambda: len(table.offsets(1)) == 501)
        assert table.caught_up_with is None
        table.gates[7].comes.set()
        await eventually(lambda: table.caught_up_with == 2501)
        assert table.offsets(0) == list(range(2000))
        assert one.follower.progress == (2501, 2, 0, True)


async def test_a_record_that_waits_later_does_not_take_back_that_the_table_has_caught_up(kafka: Broker) -> None:
    """A new schema holds its partition; the table goes on answering, and is told once that it has caught up."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 1, partition=0)
    table = GatedTable({1})
    async with _following(kafka, topic, table) as one:
        await eventually(lambda: table.caught_up_with == 1)
        produce(kafka, topic, 5, partition=0)
        produce(kafka, topic, 5, partition=1)
        await eventually(lambda: len(table.offsets(1)) == 5 and one.follower.progress.records == 11)
        assert table.offsets(0) == [0]
        assert one.follower.progress.is_caught_up
        table.gates[1].comes.set()
        await eventually(lambda: table.offsets(0) == list(range(6)))


async def test_what_waits_is_bounded_and_all_of_it_is_applied(kafka: Broker) -> None:
    """Reading stops when many records wait, for however long, and goes on where it stopped."""
    topic = topic_of(kafka)
    produce(kafka, topic, 30_000)
    table = GatedTable({0})
    async with _following(kafka, topic, table) as one:
        await eventually(lambda: one.follower.progress.records >= 10_000, awaiting="the bound to be reached")
        seen: list[int] = []

        def rests() -> bool:
            seen.append(one.follower.progress.records)
            return len(seen) > 50 and seen[-1] == seen[-50]

        await eventually(rests, 20, awaiting="reading to stop")
        assert 10_000 <= one.follower.progress.records <= 10_000 + 6 * 1000
        table.gates[0].comes.set()
        await eventually(lambda: table.caught_up_with == 30_000)
        assert table.offsets(0) == list(range(30_000))


async def test_a_follower_whose_records_wait_can_be_stopped(kafka: Broker) -> None:
    """Nothing that waited is applied any more, even if what it waited for comes."""
    topic = topic_of(kafka)
    produce(kafka, topic, 20_000)
    table = GatedTable({0})
    async with _following(kafka, topic, table) as one:
        await eventually(lambda: one.follower.progress.records >= 10_000)
    table.gates[0].comes.set()
    await asyncio.sleep(0)
    assert (table.rows, table.caught_up_with) == ([], None)


async def test_a_fault_while_records_wait_ends_the_follower_with_its_reason(kafka: Broker) -> None:
    """A table that would never catch up must not be waited for in silence."""
    topic = topic_of(kafka)
    produce(kafka, topic, 3)
    table = GatedTable({0})
    table.gates[0].error = ArithmeticError("a bug")
    async with _following(kafka, topic, table) as one:
        await eventually(lambda: one.follower.progress.records == 3)
        table.gates[0].comes.set()
        failure = await asyncio.wait_for(one.follower.failed(), 10)
        assert f"following {topic} ended by ArithmeticError: a bug" in failure.reason


def _produce_odd_ones(broker: Broker, topic: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(topic, None, b"a")
    producer.produce(topic, b"", b"b")
    producer.produce(topic, b"c", None)
    assert producer.flush(15) == 0
