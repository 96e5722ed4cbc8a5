# SPDX-License-Identifier: Apache-2.0
"""What ends the source, and what does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from connector.engine.observations import DependencyUnavailable
from connector.engine.ports import TopicPartition
from connector.kafka.options import KafkaConnection
from connector.kafka.topics import check_topics
from tests.integration.kafka.parts import committed, member, options, produce, topic_of
from tests.support.brokers_or_skips import or_skip
from tests.support.kafka_broker import free_port, start_broker, unique_topic
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.support.kafka_broker import Broker


async def test_a_missing_topic_ends_the_source_with_the_setting_and_the_remedy(kafka: Broker) -> None:
    """Reading on without it would look like an idle connector."""
    async with member(options(kafka, unique_topic("missing"))) as one:
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert "kafka.topics" in failure.reason
        assert "create the topic" in failure.reason


async def test_a_session_timeout_that_the_broker_refuses_ends_the_source(kafka: Broker) -> None:
    """The reason names the setting."""
    topic = topic_of(kafka)
    async with member(options(kafka, topic, session_timeout_ms=10)) as one:
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert "kafka.session_timeout_ms" in failure.reason


async def test_a_configuration_that_the_client_refuses_ends_the_source(kafka: Broker) -> None:
    """The reason names the property; stopping afterwards is harmless."""
    connection = KafkaConnection(kafka.bootstrap_servers, {"no.such.property": "1"})
    async with member(options(kafka, "any", connection=connection)) as one:
        failure = await asyncio.wait_for(one.source.failed(), 30)
        assert "no.such.property" in failure.reason
        assert "kafka.properties" in failure.reason


async def test_a_broker_that_dies_and_comes_back_costs_nothing(own_kafka: Broker) -> None:
    """While it is gone commits are answered as failed and nothing ends; then everything goes on by itself [31]."""
    topic = topic_of(own_kafka)
    first = TopicPartition(topic, 0)
    produce(own_kafka, topic, 10)
    async with member(options(own_kafka, topic, commit_timeout_seconds=1.0)) as one:
        await eventually(lambda: len(one.intake.records) == 10)
        own_kafka.kill()
        await eventually(
            lambda: any(isinstance(each, DependencyUnavailable) for each in one.observations),
            20,
        )
        result = await one.source.commit({first: 5})
        assert set(result.failed) == {first}
        await asyncio.to_thread(own_kafka.restart)
        produce(own_kafka, topic, 10, first=10)
        await eventually(lambda: {*one.intake.offsets(first)} >= set(range(20)), 60)

        async def commit() -> bool:
            return first in (await one.source.commit({first: 20})).committed

        await eventually(commit, 30)
        assert committed(own_kafka, f"group-{topic}")[first][0] == 20
        assert len([each for each in one.observations if isinstance(each, DependencyUnavailable)]) < 12


@pytest.mark.kafka
def test_missing_topics_are_found_beforehand_and_not_created() -> None:
    """Each problem names its setting; looking for a topic must not bring it about where brokers create topics."""
    with or_skip(start_broker({"auto.create.topics.enable": "true"})) as broker:
        present, missing = topic_of(broker), unique_topic("missing")
        connection = KafkaConnection(broker.bootstrap_servers)
        for _ in range(2):
            problems = check_topics(connection, {"kafka.topics": (present, missing), "sessions.topic": (present,)})
            assert [(problem.setting, problem.may_pass) for problem in problems] == [("kafka.topics", False)]
            assert missing in problems[0].message
        assert missing not in broker.admin().list_topics(timeout=15).topics


def test_a_cluster_that_does_not_answer_is_a_problem_that_may_pass() -> None:
    """The message names the addresses."""
    address = f"127.0.0.1:{free_port()}"
    (problem,) = check_topics(KafkaConnection(address), {"kafka.topics": ("any",)}, timeout_seconds=1.0)
    assert problem.setting == "kafka.bootstrap_servers"
    assert problem.may_pass
    assert address in problem.message
