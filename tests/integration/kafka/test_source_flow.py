# SPDX-License-Identifier: Apache-2.0
"""How much the source delivers, and how far it says it has read."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from connector.engine.ports import TopicPartition
from tests.integration.kafka.parts import member, options, produce, produce_aborted, topic_of
from tests.support.kafka_broker import unique_topic
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.integration.kafka.parts import Member
    from tests.support.kafka_broker import Broker


def _has(one: Member, records: int) -> bool:
    return len(one.intake.records) == records


def _has_polled_since(one: Member, moment: float) -> bool:
    return one.source.last_poll_at > moment


def _has_more(one: Member, where: TopicPartition, than: int) -> bool:
    return len(one.intake.offsets(where)) > than


def _has_asked(one: Member) -> bool:
    return ("commit_soon", None) in one.intake.calls


async def test_no_more_is_delivered_than_the_window_holds(kafka: Broker) -> None:
    """However long commits keep the source waiting: all records come, in order, once, and it asks for them [41, 51]."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 3000)
    async with member(options(kafka, topic, max_uncommitted_records=100)) as one:
        done = 0
        while done < 3000:
            await eventually(partial(_has, one, min(3000, done + 100)))
            if done % 1000 == 0:  # Long enough for a pause, so that both ways of waiting are taken.
                await eventually(partial(_has_polled_since, one, one.source.last_poll_at + 0.3))
            assert len(one.intake.records) == done + 100
            assert one.source.uncommitted_records == 100
            await eventually(partial(_has_asked, one))
            one.intake.calls.clear()
            done += 100
            assert (await one.source.commit({first: done})).committed
        assert one.intake.offsets(first) == list(range(3000))


async def test_a_commit_s_answer_comes_at_once_although_the_window_is_full(kafka: Broker) -> None:
    """Under load the window is full most of the time; an answer that needed a pause would cost a tenth of a second."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 2000)
    seconds = []
    async with member(options(kafka, topic, max_uncommitted_records=100)) as one:
        for done in range(100, 2000, 100):
            await eventually(partial(_has, one, done), interval_seconds=0.001)
            began = time.monotonic()
            assert (await one.source.commit({first: done})).committed
            seconds.append(time.monotonic() - began)
    assert statistics.median(seconds) < 0.05


async def test_a_window_that_stays_full_is_asked_about_again_and_again(kafka: Broker) -> None:
    """What holds it up may end at any moment: nothing more comes in before the commit, so that is asked for soon."""
    topic = topic_of(kafka)
    produce(kafka, topic, 200)
    async with member(options(kafka, topic, max_uncommitted_records=100)) as one:
        await eventually(partial(_has, one, 100))
        await eventually(partial(_has_polled_since, one, one.source.last_poll_at + 1.5))
        one.intake.calls.clear()
        await eventually(lambda: one.intake.calls.count(("commit_soon", None)) >= 4, 0.9)


async def test_a_pinned_partition_rests_while_the_others_flow(kafka: Broker) -> None:
    """Records that do not get done stop their own partition and nobody else's [5, 20, 40]."""
    topic = topic_of(kafka, 2)
    pinned, flows = TopicPartition(topic, 0), TopicPartition(topic, 1)
    produce(kafka, topic, 1000, partition=0)
    async with member(options(kafka, topic, max_uncommitted_records=100)) as one:
        await eventually(lambda: len(one.intake.offsets(pinned)) == 50)
        produce(kafka, topic, 1000, partition=1)
        while len(one.intake.offsets(flows)) < 1000:
            before = len(one.intake.offsets(flows))
            await one.source.commit({flows: before})
            await eventually(partial(_has_more, one, flows, before))
        assert len(one.intake.offsets(pinned)) == 50
        await one.source.commit({flows: 1000, pinned: 50})
        await eventually(lambda: len(one.intake.offsets(pinned)) == 100)
        assert one.intake.offsets(pinned) == list(range(100))
        assert one.intake.offsets(flows) == list(range(1000))


async def test_the_window_is_bounded_by_bytes_too(kafka: Broker) -> None:
    """A record that is larger than the bound comes alone [42]."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for size in (10, 20_000, 10):
        producer.produce(topic, b"x" * size)
    assert producer.flush(15) == 0
    async with member(options(kafka, topic, max_uncommitted_bytes=5000, max_batch_records=1)) as one:
        await eventually(partial(_has, one, 2))
        await eventually(partial(_has_polled_since, one, one.source.last_poll_at + 0.3))
        assert len(one.intake.records) == 2
        await one.source.commit({first: 2})
        await eventually(partial(_has, one, 3))


@pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
async def test_the_position_passes_an_aborted_transaction_at_the_end(kafka: Broker, group_protocol: str) -> None:
    """Nothing will ever come behind it, so only the position can close that gap [33, 39]."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 10)
    produce_aborted(kafka, topic, 5)
    async with member(options(kafka, topic, group_protocol=group_protocol)) as one:
        await eventually(lambda: one.intake.positions.get(first) == 16)
        assert one.intake.offsets(first) == list(range(10))
        names = [name for name, _ in one.intake.calls]
        assert names.index("assign") < names.index("deliver")
        result = await one.source.commit({first: 16})
        assert result.committed == {first: 16}
    async with member(options(kafka, topic, group_protocol=group_protocol)) as two:
        produce(kafka, topic, 1, first=10)
        await eventually(lambda: two.intake.records)
        assert two.intake.offsets(first) == [16]


async def test_a_position_never_passes_records_that_were_not_handed_over(kafka: Broker) -> None:
    """A position told too early would let the group be moved past records that nobody has seen."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 3000)
    async with member(options(kafka, topic, max_uncommitted_records=100)) as one:
        for done in range(100, 3000, 100):
            await eventually(partial(_has, one, done))
            if done % 500 == 0:  # Long enough for a position to be told.
                await eventually(partial(_has_polled_since, one, one.source.last_poll_at + 1.1))
            await one.source.commit({first: done})
        await eventually(lambda: one.intake.positions.get(first) == 3000)
    delivered = 0
    for name, argument in one.intake.calls:
        if name == "deliver":
            assert isinstance(argument, int)
            delivered += argument
        if name == "advance":
            assert isinstance(argument, dict)
            assert argument[first] <= delivered


async def test_gaps_of_compaction_are_normal(kafka: Broker) -> None:
    """Offsets that compaction removed are passed over; the rest comes in order [33]."""
    config = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.01",
        "segment.ms": "100",
        "max.compaction.lag.ms": "200",
        "delete.retention.ms": "0",
    }
    topic = topic_of(kafka, 1, config)
    first = TopicPartition(topic, 0)
    for _ in range(4):
        produce(kafka, topic, 20)

    async def offsets_once_compacted() -> list[int]:
        produce(kafka, topic, 1, first=1000)  # rolls the segment, so that it can be compacted
        async with member(options(kafka, topic, group_id=unique_topic("look"))) as one:
            await eventually(lambda: one.intake.positions)
            offsets = one.intake.offsets(first)
            assert one.intake.positions[first] > offsets[-1]
            return offsets if len(offsets) < offsets[-1] + 1 else []

    found = await eventually(offsets_once_compacted, 60, interval_seconds=1.0)
    assert found == sorted(set(found))
