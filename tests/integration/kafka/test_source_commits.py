# SPDX-License-Identifier: Apache-2.0
"""What the source commits, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.engine.ports import TopicPartition
from tests.integration.kafka.parts import committed, member, options, produce, topic_of
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.kafka_broker import Broker


async def test_only_what_was_asked_for_is_committed(kafka: Broker) -> None:
    """Delivered but unacknowledged records never move the group, not even when the member leaves [1, 65, 66, 68]."""
    topic = topic_of(kafka)
    produce(kafka, topic, 100)
    first = TopicPartition(topic, 0)
    async with member(options(kafka, topic)) as one:
        await eventually(lambda: len(one.intake.records) == 100)
        result = await one.source.commit({first: 40})
        assert result == ({first: 40}, {})
        assert committed(kafka, f"group-{topic}")[first][0] == 40
        produce(kafka, topic, 10, first=100)
        await eventually(lambda: len(one.intake.records) == 110)
    assert committed(kafka, f"group-{topic}")[first][0] == 40
    async with member(options(kafka, topic)) as two:
        await eventually(lambda: len(two.intake.records) == 70)
        assert two.intake.offsets(first) == list(range(40, 110))


async def test_a_commit_says_each_partition_s_answer(kafka: Broker) -> None:
    """A partition that is not owned is not sent and is answered as failed; the others are committed [16, 67]."""
    topic = topic_of(kafka, 2)
    foreign = TopicPartition(topic, 7)
    async with member(options(kafka, topic)) as one:
        await eventually(lambda: len(one.intake.starts) == 2)
        result = await one.source.commit({TopicPartition(topic, 0): 0, foreign: 5})
        assert dict(result.committed) == {TopicPartition(topic, 0): 0}
        assert set(result.failed) == {foreign}
    assert foreign not in committed(kafka, f"group-{topic}")


async def test_what_a_drain_answers_is_committed_at_the_end(kafka: Broker) -> None:
    """Stopping drains, commits what the engine answers, fences and leaves, so that an heir begins at once [14, 23]."""
    topic = topic_of(kafka)
    produce(kafka, topic, 10)
    first = TopicPartition(topic, 0)
    async with member(options(kafka, topic)) as one:
        await eventually(lambda: len(one.intake.records) == 10)
        one.intake.to_commit = {first: 8}
        await one.source.stop(15.0)
        assert one.intake.names() == ["assign", "drain", "drained", "fence"]
        assert committed(kafka, f"group-{topic}")[first][0] == 8
        late = await one.source.commit({first: 10})
        assert set(late.failed) == {first}
    assert committed(kafka, f"group-{topic}")[first][0] == 8


async def test_stopping_is_bounded_when_the_engine_does_not_answer(kafka: Broker) -> None:
    """A drain that never ends is left behind with the engine fenced and nothing committed [13, 14]."""
    topic = topic_of(kafka)
    first = TopicPartition(topic, 0)
    async with member(options(kafka, topic)) as one:
        await eventually(lambda: one.intake.starts)
        one.intake.let_drain.clear()
        one.intake.to_commit = {first: 8}
        await one.source.stop(1.0)
        assert not one.intake.starts
    assert committed(kafka, f"group-{topic}")[first][0] == 0
