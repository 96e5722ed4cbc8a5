# SPDX-License-Identifier: Apache-2.0
"""Partitions that come and go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from connector.engine.ports import TopicPartition
from tests.integration.kafka.parts import committed, member, options, produce, topic_of
from tests.support.polling import eventually

if TYPE_CHECKING:
    from tests.integration.kafka.parts import Member
    from tests.support.kafka_broker import Broker


def _has_polled_since(one: Member, moment: float) -> bool:
    return one.source.last_poll_at > moment


BOTH_PROTOCOLS = pytest.mark.parametrize("group_protocol", ["classic", "consumer"])


@BOTH_PROTOCOLS
async def test_a_revoke_drains_commits_fences_and_only_then_lets_go(kafka: Broker, group_protocol: str) -> None:
    """The heir starts where the drain's answer was committed, and not before the fence [1, 2, 8, 9, 11, 15]."""
    topic = topic_of(kafka, 4)
    for partition in range(4):
        produce(kafka, topic, 10, partition=partition)
    settings = options(kafka, topic, group_protocol=group_protocol)
    async with member(settings) as one:
        await eventually(lambda: len(one.intake.records) == 40)
        one.intake.to_commit = {TopicPartition(topic, each): 5 + each for each in range(4)}
        one.intake.let_drain.clear()
        async with member(settings) as two:
            await eventually(lambda: "drain" in one.intake.names(), 30)
            assert one.intake.names() == ["assign", "drain"]
            assert not two.intake.starts
            assert all(offset == 0 for offset, _ in committed(kafka, f"group-{topic}").values())
            one.intake.let_drain.set()
            await eventually(lambda: len(two.intake.starts) == 2, 30)
            assert one.intake.names()[:4] == ["assign", "drain", "drained", "fence"]
            assert two.intake.starts == {each: 5 + each.partition for each in two.intake.starts}
            assert not set(one.intake.starts) & set(two.intake.starts)
            taken = sorted(two.intake.starts)
        await eventually(lambda: len(one.intake.starts) == 4, 30)
        came_back = [given for name, given in one.intake.calls if name == "assign"][1:]
        assert came_back == [{TopicPartition(topic, each.partition): 5 + each.partition for each in taken}]
    assert {each.partition: offset for each, (offset, _) in committed(kafka, f"group-{topic}").items()} == {
        0: 5,
        1: 6,
        2: 7,
        3: 8,
    }


async def test_the_heartbeat_goes_on_while_a_revoke_waits(kafka: Broker) -> None:
    """A drain may take its time, and must not look like a dead thread [13, 64]."""
    topic = topic_of(kafka, 2)
    settings = options(kafka, topic)
    async with member(settings) as one:
        await eventually(lambda: len(one.intake.starts) == 2)
        one.intake.let_drain.clear()
        async with member(settings):
            await eventually(lambda: "drain" in one.intake.names(), 30)
            began = one.source.last_poll_at
            await eventually(lambda: one.source.last_poll_at > began + 0.5, 2)
            assert one.intake.names()[-1] == "drain"
            one.intake.let_drain.set()


async def test_a_drain_that_does_not_answer_holds_up_the_group_only_for_its_budget(kafka: Broker) -> None:
    """Then the assignment is fenced without a commit, and the heir begins where the group is [13, 14]."""
    topic = topic_of(kafka, 2)
    settings = options(kafka, topic, drain_seconds=0.1)
    async with member(settings) as one:
        await eventually(lambda: len(one.intake.starts) == 2)
        one.intake.to_commit = {TopicPartition(topic, each): 7 for each in range(2)}
        one.intake.let_drain.clear()
        async with member(settings) as two:
            await eventually(lambda: two.intake.starts, 30)
            assert one.intake.names()[:3] == ["assign", "drain", "fence"]
            assert set(two.intake.starts.values()) == {0}


@BOTH_PROTOCOLS
async def test_what_comes_back_is_a_new_assignment_from_the_committed_offset(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """A partition that was paused when it was revoked flows again, from the group's offset [2, 3, 12, 21, 50]."""
    topic = topic_of(kafka, 2)
    both = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    for partition in range(2):
        produce(kafka, topic, 10, partition=partition)
    settings = options(kafka, topic, group_protocol=group_protocol, max_uncommitted_records=20)
    async with member(settings) as one:
        await eventually(lambda: len(one.intake.records) == 20)
        one.intake.to_commit = dict.fromkeys(both, 4)
        await eventually(lambda: ("commit_soon", None) in one.intake.calls)
        await eventually(partial(_has_polled_since, one, one.source.last_poll_at + 0.3))
        async with member(settings) as two:
            await eventually(lambda: two.intake.starts, 30)
            (moved,) = two.intake.starts
        await eventually(lambda: one.intake.offsets(moved)[10:] == list(range(4, 10)), 30)


async def test_lost_partitions_are_fenced_and_nothing_is_committed(kafka: Broker) -> None:
    """A member that was expelled may not commit: its partitions have a new owner [17, 53]."""
    topic = topic_of(kafka, 1)
    produce(kafka, topic, 5)
    first = TopicPartition(topic, 0)
    settings = options(kafka, topic)
    # The member is a process of its own, so that it can be frozen past its session.
    child = subprocess.Popen(  # noqa: ASYNC220, S603  blocks for a moment; our own interpreter and our own file
        [sys.executable, "-m", "tests.integration.kafka.expelled_member", kafka.bootstrap_servers, topic],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("assign")
        os.kill(child.pid, signal.SIGSTOP)
        async with member(settings) as heir:
            await eventually(lambda: len(heir.intake.records) == 5, 40)
            await heir.source.commit({first: 3})
            os.kill(child.pid, signal.SIGCONT)
            deadline = time.monotonic() + 30
            names = [child.stdout.readline().split()[0]]
            while "lost" not in names and time.monotonic() < deadline:
                names.append(child.stdout.readline().split()[0])
            assert "drain" not in names
            assert committed(kafka, settings.group_id)[first][0] == 3
    finally:
        child.kill()
        child.communicate()
