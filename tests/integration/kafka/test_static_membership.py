# SPDX-License-Identifier: Apache-2.0
"""Static members: who is back in time finds its partitions, who is not leaves them to the others, nobody has two."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from connector.engine.observations import DependencyUnavailable
from connector.engine.ports import TopicPartition
from tests.integration.kafka.parts import committed, member, options, produce, topic_of
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.kafka.options import SourceOptions
    from tests.integration.kafka.parts import Member
    from tests.support.kafka_broker import Broker

BOTH_PROTOCOLS = pytest.mark.parametrize("group_protocol", ["classic", "consumer"])


def _settings(broker: Broker, group_protocol: str, **changes: object) -> SourceOptions:
    """Return options of a group whose sessions end soon, for a topic of two partitions with five records each."""
    topic = topic_of(broker, 2)
    for partition in range(2):
        produce(broker, topic, 5, partition)
    if group_protocol == "consumer":
        broker.end_sessions_after(f"group-{topic}", broker.shortest_session_ms)
    session = {"session_timeout_ms": broker.shortest_session_ms, "group_protocol": group_protocol}
    return options(broker, topic, **session, **changes)


@contextmanager
def _child(broker: Broker, settings: SourceOptions) -> Iterator[subprocess.Popen[str]]:
    """Run a member as a process of its own."""
    names = ("group_id", "topics", "group_protocol", "group_instance_id", "session_timeout_ms")
    given: dict[str, Any] = {name: getattr(settings, name) for name in names}
    command = [
        "-m",
        "tests.integration.kafka.silent_member",
        json.dumps(given | {"bootstrap_servers": broker.bootstrap_servers}),
    ]
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as child:  # noqa: S603  our own interpreter and our own file
        try:
            yield child
        finally:
            child.kill()


async def _assigned(child: subprocess.Popen[str]) -> list[int]:
    assert child.stdout is not None
    partitions: list[int] = json.loads(await asyncio.to_thread(child.stdout.readline))
    return partitions


def _has(one: Member, partitions: int) -> bool:
    return len(one.intake.starts) == partitions


@BOTH_PROTOCOLS
async def test_a_static_member_that_is_back_in_time_has_its_partitions_again(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """What it committed when it left is where it goes on, and the other member notices nothing [10, 63]."""
    settings = _settings(kafka, group_protocol, group_instance_id="one")
    async with member(replace(settings, group_instance_id="two")) as staying:
        await eventually(partial(_has, staying, 2), 30)
        async with member(settings) as leaving:
            await eventually(lambda: _has(leaving, 1) and len(leaving.intake.records) == 5, 30)
            (mine,) = leaving.intake.starts
            leaving.intake.to_commit = {mine: 4}
        seen = staying.intake.names()
        async with member(settings) as back:
            await eventually(lambda: back.intake.records, 30)
            assert back.intake.starts == {mine: 4}
            assert staying.intake.names() == seen


@BOTH_PROTOCOLS
async def test_a_static_member_that_stays_away_leaves_its_partitions_to_the_others(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """They wait for the session's end, also after a stop in good order: that is the price [10, 63]."""
    settings = _settings(kafka, group_protocol, group_instance_id="one")
    async with member(replace(settings, group_instance_id="two")) as staying:
        await eventually(partial(_has, staying, 2), 30)
        async with member(settings) as leaving:
            await eventually(partial(_has, leaving, 1), 30)
        assert _has(staying, 1)
        await eventually(partial(_has, staying, 2), 30)


@BOTH_PROTOCOLS
async def test_a_static_member_that_was_killed_is_followed_by_itself(kafka: Broker, group_protocol: str) -> None:
    """[56] Where the group has not released the id yet, that is waited out and said; then records flow."""
    settings = _settings(kafka, group_protocol, group_instance_id="one")
    with _child(kafka, settings) as killed:
        assert await _assigned(killed) == [0, 1]
        killed.kill()
    async with member(settings) as heir:
        if group_protocol == "consumer":
            said = await eventually(lambda: heir.source.waits_for) or ""
            assert "kafka.group_instance_id" in said
            assert "'one'" in said
            assert any(isinstance(each, DependencyUnavailable) for each in heir.observations)
            assert not heir.intake.starts
        await eventually(lambda: len(heir.intake.records) == 10, 30)
        await eventually(lambda: heir.source.waits_for is None)
        topic_partition = TopicPartition(settings.topics[0], 0)
        assert (await heir.source.commit({topic_partition: 5})).committed == {topic_partition: 5}
    assert committed(kafka, settings.group_id)[topic_partition][0] == 5


async def test_a_source_that_waits_for_its_id_can_be_stopped(kafka: Broker) -> None:
    """Waiting for somebody else to go must not hold up a stop."""
    settings = _settings(kafka, "consumer", group_instance_id="one")
    async with member(settings) as first:
        await eventually(partial(_has, first, 2), 30)
        async with member(settings) as second:
            await eventually(lambda: second.source.waits_for, 30)
            await asyncio.wait_for(second.source.stop(10.0), 3)
        assert _has(first, 2)


async def test_two_living_processes_with_one_id_end_the_older_one(kafka: Broker) -> None:
    """[17, 56] Under the classic protocol the newer takes the id over; who lost it ends, and commits nothing."""
    settings = _settings(kafka, "classic", group_instance_id="one")
    async with member(settings) as first:
        await eventually(partial(_has, first, 2), 30)
        first.intake.to_commit = dict.fromkeys(first.intake.starts, 5)
        async with member(settings) as second:
            failure = await asyncio.wait_for(first.source.failed(), 30)
            assert "fenced" in failure.reason
            assert "kafka.group_instance_id" in failure.reason
            await first.source.stop(10.0)
            await eventually(partial(_has, second, 2), 30)
            assert set(second.intake.starts.values()) == {0}
    assert {offset for offset, _ in committed(kafka, settings.group_id).values()} == {0}
