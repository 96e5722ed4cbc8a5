# SPDX-License-Identifier: Apache-2.0
"""How much the source delivers, and how far it says it has read."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

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


async def test_no_more_is_delivered_than_was_granted(kafka: Broker) -> None:
    """Whatever the grants are and however long they keep one waiting: all records come, in order, once [41, 51]."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 3000, partition=0)
    produce(kafka, topic, 3000, partition=1)
    granted = 0
    async with member(options(kafka, topic), granted=0) as one:
        for grant in (1, 700, 3, 1300, 40, 996):
            granted += grant
            one.source.grant(grant)
            await eventually(partial(_has, one, granted))
            # Long enough for the source to have paused, so that both ways of waiting are taken.
            await eventually(partial(_has_polled_since, one, one.source.last_poll_at + 0.3))
            assert len(one.intake.records) == granted
        one.source.grant(10_000)
        await eventually(lambda: len(one.intake.records) == 6000)
        assert one.intake.offsets(TopicPartition(topic, 0)) == list(range(3000))
        assert one.intake.offsets(TopicPartition(topic, 1)) == list(range(3000))


async def test_a_little_credit_is_used_although_the_rest_is_stuck(kafka: Broker) -> None:
    """Records that stay uncommitted must not keep what is left of the grant from others [5, 20]."""
    topic = topic_of(kafka)
    produce(kafka, topic, 2000)
    async with member(options(kafka, topic), granted=1000) as one:
        await eventually(lambda: len(one.intake.records) == 1000)
        await eventually(partial(_has_polled_since, one, one.source.last_poll_at + 0.3))
        one.source.grant(10)
        await eventually(lambda: len(one.intake.records) == 1010)


async def test_a_paused_partition_rests_while_the_others_flow(kafka: Broker) -> None:
    """And goes on with its next record when it is resumed [20, 51]."""
    topic = topic_of(kafka, 2)
    rests, flows = TopicPartition(topic, 0), TopicPartition(topic, 1)
    produce(kafka, topic, 10, partition=0)
    async with member(options(kafka, topic)) as one:
        await eventually(lambda: len(one.intake.offsets(rests)) == 10)
        one.source.pause([rests, TopicPartition(topic, 9)])
        await eventually(partial(_has_polled_since, one, one.source.last_poll_at))
        produce(kafka, topic, 10, partition=0, first=10)
        produce(kafka, topic, 10, partition=1)
        await eventually(lambda: len(one.intake.offsets(flows)) == 10)
        assert len(one.intake.offsets(rests)) == 10
        one.source.resume([rests])
        await eventually(lambda: len(one.intake.offsets(rests)) == 20)
        assert one.intake.offsets(rests) == list(range(20))


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
    produce(kafka, topic, 5000)
    async with member(options(kafka, topic), granted=0) as one:
        for _ in range(10):
            one.source.grant(500)
            await asyncio.sleep(0)
        await eventually(lambda: one.intake.positions.get(first) == 5000)
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
        async with member(options(kafka, topic, group_id=unique_topic("look")), granted=10_000) as one:
            await eventually(lambda: one.intake.positions)
            offsets = one.intake.offsets(first)
            assert one.intake.positions[first] > offsets[-1]
            return offsets if len(offsets) < offsets[-1] + 1 else []

    found = await eventually(offsets_once_compacted, 60, interval_seconds=1.0)
    assert found == sorted(set(found))
