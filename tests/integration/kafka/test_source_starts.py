# SPDX-License-Identifier: Apache-2.0
"""Where partitions start."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from connector.engine.ports import TopicPartition
from tests.integration.kafka.parts import (
    add_partitions,
    committed,
    member,
    options,
    produce,
    set_committed,
    topic_of,
)
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.kafka_broker import Broker

BOTH_PROTOCOLS = pytest.mark.parametrize("group_protocol", ["classic", "consumer"])


@BOTH_PROTOCOLS
async def test_a_new_group_s_start_is_committed_before_anything_is_delivered(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """The resolved start is durable at once, with the partition count at the group's birth [4, 37, 62]."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 5)
    async with member(options(kafka, topic, start="latest", group_protocol=group_protocol)) as one:
        await eventually(lambda: len(one.intake.starts) == 2)
        assert one.intake.starts == {TopicPartition(topic, 0): 5, TopicPartition(topic, 1): 0}
        held = committed(kafka, f"group-{topic}")
        assert {each: offset for each, (offset, _) in held.items()} == one.intake.starts
        assert [json.loads(metadata)["partitions_at_birth"] for _, metadata in held.values()] == [2, 2]
        assert not one.intake.records


@BOTH_PROTOCOLS
async def test_an_added_partition_is_read_from_its_beginning(kafka: Broker, group_protocol: str) -> None:
    """Also when new groups start at the end: its records were written while the group lived [4, 36, 38]."""
    topic = topic_of(kafka, 1)
    produce(kafka, topic, 3)
    added = TopicPartition(topic, 1)
    async with member(options(kafka, topic, start="latest", group_protocol=group_protocol)) as one:
        await eventually(lambda: one.intake.starts)
        add_partitions(kafka, topic, 2)
        produce(kafka, topic, 4, partition=1)
        await eventually(lambda: len(one.intake.offsets(added)) == 4, 30)
        assert one.intake.offsets(added) == [0, 1, 2, 3]
        assert not one.intake.offsets(TopicPartition(topic, 0))
        await one.source.commit({added: 2})
    assert json.loads(committed(kafka, f"group-{topic}")[added][1])["partitions_at_birth"] == 1


async def test_a_partition_as_old_as_the_group_starts_as_configured(kafka: Broker) -> None:
    """A partition without a commit that was there at the group's birth is not taken for an added one."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 3, partition=1)
    metadata = json.dumps({"partitions_at_birth": 2})
    set_committed(kafka, f"group-{topic}", {TopicPartition(topic, 0): 0}, metadata)
    produce(kafka, topic, 2, partition=1)
    async with member(options(kafka, topic, start="latest")) as one:
        await eventually(lambda: len(one.intake.starts) == 2)
        assert one.intake.starts[TopicPartition(topic, 1)] == 5


async def test_a_group_whose_birth_is_unknown_skips_nothing(kafka: Broker) -> None:
    """Offsets that another tool set say nothing of the group's birth: what has none is read from its beginning."""
    topic = topic_of(kafka, 2)
    produce(kafka, topic, 3, partition=0)
    produce(kafka, topic, 3, partition=1)
    set_committed(kafka, f"group-{topic}", {TopicPartition(topic, 0): 2})
    async with member(options(kafka, topic, start="latest")) as one:
        await eventually(lambda: len(one.intake.starts) == 2)
        assert one.intake.starts == {TopicPartition(topic, 0): 2, TopicPartition(topic, 1): 0}


@BOTH_PROTOCOLS
async def test_a_committed_offset_out_of_range_ends_the_source_and_moves_nothing(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """Nothing jumps silently: the failure names the place and the remedy, the group stays where it was [4, 36, 37]."""
    topic = topic_of(kafka)
    produce(kafka, topic, 3)
    set_committed(kafka, f"group-{topic}", {TopicPartition(topic, 0): 500})
    async with member(options(kafka, topic, group_protocol=group_protocol)) as one:
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert f"{topic}/0" in failure.reason
        assert "500" in failure.reason
        assert "--reset-offsets" in failure.reason
        assert not one.intake.records
    assert committed(kafka, f"group-{topic}")[TopicPartition(topic, 0)][0] == 500
