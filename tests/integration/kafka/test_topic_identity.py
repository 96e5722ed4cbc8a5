# SPDX-License-Identifier: Apache-2.0
"""Topics that are deleted, made anew or emptied under a reader: it stops with a reason and skips nothing."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicCollection
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.ports import TopicPartition
from tests.integration.kafka.parts import committed, member, options, produce, set_committed, topic_of
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.kafka_broker import Broker

BOTH_PROTOCOLS = pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
REQUEST_SECONDS = 15.0


def _delete(broker: Broker, topic: str) -> None:
    admin = broker.admin()
    admin.delete_topics([topic])[topic].result(REQUEST_SECONDS)


def _id_of(broker: Broker, topic: str) -> str:
    admin = broker.admin()
    return str(admin.describe_topics(TopicCollection([topic]))[topic].result(REQUEST_SECONDS).topic_id)


def _retain_from(broker: Broker, where: TopicPartition, offset: int) -> None:
    """Remove the records before an offset, as retention does."""
    element, admin = KafkaTopicPartition(*where, offset), broker.admin()
    admin.delete_records([element])[element].result(REQUEST_SECONDS)


@BOTH_PROTOCOLS
async def test_a_topic_made_anew_while_it_is_read_ends_the_source(kafka: Broker, group_protocol: str) -> None:
    """[4, 36] Offsets of the former topic mean nothing in the new one, even where it has records at them."""
    topic = topic_of(kafka)
    produce(kafka, topic, 5)
    former = _id_of(kafka, topic)
    async with member(options(kafka, topic, group_protocol=group_protocol)) as one:
        await eventually(lambda: len(one.intake.records) == 5)
        await one.source.commit({TopicPartition(topic, 0): 5})
        _delete(kafka, topic)
        kafka.create_topic(topic)
        produce(kafka, topic, 20)
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert topic in failure.reason
        assert former in failure.reason
        assert _id_of(kafka, topic) in failure.reason
        assert "--reset-offsets" in failure.reason


@BOTH_PROTOCOLS
async def test_a_topic_deleted_while_it_is_read_ends_the_source(kafka: Broker, group_protocol: str) -> None:
    """An idle connector and one whose topic is gone look alike; a second topic's work is still committed."""
    topic, other = topic_of(kafka), topic_of(kafka)
    stays = TopicPartition(other, 0)
    produce(kafka, other, 3)
    settings = options(kafka, topic, other, group_protocol=group_protocol, metadata_refresh_interval_ms=250)
    async with member(settings) as one:
        await eventually(lambda: len(one.intake.starts) == 2 and len(one.intake.records) == 3)
        _delete(kafka, topic)
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert topic in failure.reason
        assert "deleted" in failure.reason
        assert "kafka.topics" in failure.reason
        one.intake.to_commit = {stays: 3}
    assert committed(kafka, f"group-{topic}")[stays][0] == 3


@BOTH_PROTOCOLS
async def test_offsets_of_a_former_topic_are_not_read_on_from(kafka: Broker, group_protocol: str) -> None:
    """[4, 36] Between two runs, too: a commit says of which topic it is, and the group stays where it was."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 20)
    metadata = json.dumps({"partitions_at_birth": 1, "topic_id": "theFormerTopicsIdIsThis"})
    set_committed(kafka, f"group-{topic}", {first: 7}, metadata)
    async with member(options(kafka, topic, group_protocol=group_protocol)) as one:
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert "theFormerTopicsIdIsThis" in failure.reason
        assert _id_of(kafka, topic) in failure.reason
        assert "--reset-offsets" in failure.reason
        assert not one.intake.records
    assert committed(kafka, f"group-{topic}")[first] == (7, metadata)


async def test_a_commit_says_of_which_topic_it_is(kafka: Broker) -> None:
    """Also where the group's offset is of an earlier version, or of a tool that knows no metadata."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 3)
    set_committed(kafka, f"group-{topic}", {first: 1})
    async with member(options(kafka, topic)) as one:
        await eventually(lambda: len(one.intake.records) == 2)
        await one.source.commit({first: 3})
    assert json.loads(committed(kafka, f"group-{topic}")[first][1])["topic_id"] == _id_of(kafka, topic)


@BOTH_PROTOCOLS
async def test_retention_that_passed_the_committed_offset_ends_the_source(kafka: Broker, group_protocol: str) -> None:
    """[4, 36, 37] Records were removed before they were delivered: nobody may learn of that by chance."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 10)
    set_committed(kafka, f"group-{topic}", {first: 3})
    _retain_from(kafka, first, 6)
    async with member(options(kafka, topic, group_protocol=group_protocol)) as one:
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert f"{topic}/0" in failure.reason
        assert "retention" in failure.reason
        assert "--reset-offsets" in failure.reason
        assert not one.intake.records
    assert committed(kafka, f"group-{topic}")[first][0] == 3


async def test_retention_that_overtakes_a_reader_ends_the_source(kafka: Broker) -> None:
    """[36, 37] A reader that may take no more for long is overtaken; it stops where the gap is, and not behind it."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 100)
    async with member(options(kafka, topic, max_uncommitted_records=10)) as one:
        await eventually(lambda: len(one.intake.records) == 10)
        began = one.source.last_poll_at
        await eventually(lambda: one.source.last_poll_at > began + 0.3)  # by then it is paused, its buffer empty
        _retain_from(kafka, first, 80)
        await one.source.commit({first: 10})
        failure = await asyncio.wait_for(one.source.failed(), 30)
        found = re.search(rf"{topic}/0 at offset (\d+)", failure.reason)
        assert found is not None, failure.reason
        # Where that is depends on what the client had fetched; all before it was delivered, and nothing behind it.
        assert one.intake.offsets(first) == [*range(int(found[1]))]
        assert 10 <= int(found[1]) < 80
    assert committed(kafka, f"group-{topic}")[first][0] == 10
