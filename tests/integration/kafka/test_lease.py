# SPDX-License-Identifier: Apache-2.0
"""The lease on a real broker: no call without proof that we are a member of the group."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from connector.engine.observations import LeaseLapsed
from connector.engine.ports import TopicPartition
from connector.kafka.options import KafkaConnection
from tests.integration.kafka.leased_member import LeasedMember, leased, under_lease
from tests.integration.kafka.parts import committed, member, options, produce, topic_of
from tests.support.brokers_or_skips import or_skip
from tests.support.kafka_broker import free_port, start_broker
from tests.support.polling import eventually
from tests.support.tcp_proxy import Direction, TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.kafka.parts import Member
    from tests.support.kafka_broker import Broker
    from tests.support.tcp_proxy import _Connection

BOTH_PROTOCOLS = pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
_RECORDS = 400


class _Child:
    """A member in a process of its own, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said: list[str] = []
        self._process = process
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said.append(line.decode().strip())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    async def end(self) -> None:
        self._process.kill()
        await self._process.wait()
        await self._reading


async def _start(kafka: Broker, topic: str, protocol: str) -> _Child:
    program = [sys.executable, "-m", "tests.integration.kafka.leased_member"]
    child = await asyncio.create_subprocess_exec(
        *program,
        kafka.bootstrap_servers,
        topic,
        protocol,
        stdout=asyncio.subprocess.PIPE,
    )
    return _Child(child)


@BOTH_PROTOCOLS
async def test_a_process_that_was_frozen_past_its_session_makes_no_call_before_it_is_a_member_again(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """It has records, and work that was decided, and does not know yet that another one has its partitions [17]."""
    topic = topic_of(kafka, 2)
    for partition in range(2):
        produce(kafka, topic, _RECORDS, partition, first=partition * _RECORDS)
    child = await _start(kafka, topic, group_protocol)
    try:
        await eventually(lambda: sum(each.startswith("call ") for each in child.said) >= 20, 30)
        child.signal(signal.SIGSTOP)
        settings = under_lease(options(kafka, topic, group_protocol=group_protocol))
        async with member(settings) as heir:
            await eventually(lambda: len(heir.intake.starts) == 2, 40)
            before = len(child.said)
            child.signal(signal.SIGCONT)
            await eventually(lambda: "lost" in child.said[before:], 40)
            after = child.said[before:]
            told = after[: after.index("lost")]
            assert [each for each in told if each.startswith("call ")] == []
        # The heir has committed nothing, so all of it comes once more when the child has its partitions back.
        await eventually(lambda: [*child.said[before:]].count("assigned") >= 1, 40)
        await eventually(lambda: any(each.startswith("call ") for each in child.said[before:]), 40)
        after = child.said[before:]
        first_call = next(index for index, each in enumerate(after) if each.startswith("call "))
        assert after.index("assigned") < first_call
    finally:
        await child.end()


@BOTH_PROTOCOLS
async def test_a_member_with_nothing_to_commit_keeps_its_lease(kafka: Broker, group_protocol: str) -> None:
    """What was committed last is committed again: offsets and metadata stay as they are [17]."""
    topic = topic_of(kafka, 2)
    first = TopicPartition(topic, 0)
    produce(kafka, topic, 10)
    settings = under_lease(options(kafka, topic, group_protocol=group_protocol))
    async with member(settings) as one:
        await eventually(lambda: one.source.may_start(first), 20)
        await one.source.commit({first: 7})
        before = committed(kafka, settings.group_id)
        ends_at = time.monotonic() + settings.lease_seconds + 0.5
        while time.monotonic() < ends_at:
            assert one.source.may_start(first)
            assert one.source.lease_seconds > 0.0
            await asyncio.sleep(0.05)
        assert committed(kafka, settings.group_id) == before
        assert before[first][0] == 7
        assert "suspend" not in one.intake.names()


@BOTH_PROTOCOLS
async def test_other_partitions_keep_their_lease_while_one_is_drained_for_long(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """A revoke holds the thread up that renews it, for longer than a lease lasts [9, 13]."""
    topic = topic_of(kafka, 2)
    settings = under_lease(options(kafka, topic, group_protocol=group_protocol))
    async with member(settings) as one:
        await eventually(lambda: len(one.intake.starts) == 2 and one.source.lease_seconds > 0, 20)
        one.intake.let_drain.clear()
        async with member(settings) as two:
            await eventually(lambda: "drain" in one.intake.names(), 30)
            ends_at = time.monotonic() + settings.lease_seconds + 0.5
            while time.monotonic() < ends_at:
                assert one.source.lease_seconds > 0.0
                await asyncio.sleep(0.05)
            assert "suspend" not in one.intake.names()
            one.intake.let_drain.set()
            await eventually(lambda: len(two.intake.starts) == 1, 30)


@pytest.mark.kafka
async def test_while_the_coordinator_is_gone_calls_end_with_the_lease_and_records_come_all_the_same() -> None:
    """Nothing is lost or given up, and all goes on by itself when it is back [17, 31, 52]."""
    with _broker_with_a_group_proxy() as (broker, proxy):
        topic = topic_of(broker)
        first = TopicPartition(topic, 0)
        produce(broker, topic, 20)
        through = replace(options(broker, topic), connection=KafkaConnection(proxy.address), commit_timeout_seconds=1.0)
        # The client itself takes its partitions for lost when the session is over: long after the lease.
        one = LeasedMember(replace(under_lease(through), session_timeout_ms=12_000, call_seconds=6.0))
        async with leased(one):
            await eventually(lambda: len(one.calls()) == 20, 30)
            await eventually(lambda: committed(broker, f"group-{topic}")[first][0] == 20, 30)
            proxy.is_group_gone = True
            await eventually(lambda: "lapsed" in one.said, 20)
            assert one.source.lacks_lease
            produce(broker, topic, 20, first=20)
            await eventually(lambda: one.source.uncommitted_records == 20, 20)
            assert len(one.calls()) == 20
            proxy.is_group_gone = False
            await eventually(lambda: committed(broker, f"group-{topic}")[first][0] == 40, 60)
            assert set(one.calls()) == {f"o-{number}" for number in range(40)}


_GROUP_REQUESTS = {8, 11, 12, 14, 68}
"""Kafka's numbers of OffsetCommit, JoinGroup, Heartbeat, SyncGroup and ConsumerGroupHeartbeat."""


class _GroupProxy(TcpProxy):
    """A proxy that cuts whoever speaks of the group, while it is told to; the client uses a connection for that."""

    is_group_gone = False

    async def _pump(self, reader: asyncio.StreamReader, connection: _Connection, direction: Direction) -> None:
        read = reader.read

        async def watch(most: int = -1) -> bytes:
            chunk = await read(most)
            is_of_the_group = direction is Direction.REQUESTS and int.from_bytes(chunk[4:6], "big") in _GROUP_REQUESTS
            if self.is_group_gone and is_of_the_group:
                connection.reset()
            return chunk

        setattr(reader, "read", watch)  # noqa: B010  types would not allow it
        await super()._pump(reader, connection, direction)


@contextmanager
def _broker_with_a_group_proxy() -> Iterator[tuple[Broker, _GroupProxy]]:
    behind = free_port()
    with (
        _GroupProxy(("127.0.0.1", behind)) as proxy,
        or_skip(start_broker({}, {"PROXIED": behind}, {"PROXIED": proxy.port})) as broker,
    ):
        yield broker, proxy


async def test_members_that_come_and_go_leave_a_busy_one_its_lease(kafka: Broker) -> None:
    """Commits that cross a rebalance are refused, and say nothing of who stays a member [52, 53]."""
    topic = topic_of(kafka, 4)
    settings = under_lease(options(kafka, topic))
    async with member(settings) as one:
        await eventually(lambda: len(one.intake.starts) == 4 and one.source.lease_seconds > 0, 20)
        busy = asyncio.ensure_future(_commit_for_ever(one))
        for _ in range(2):
            async with member(settings) as two:
                await eventually(lambda: two.intake.starts, 30)
            await eventually(lambda: len(one.intake.starts) == 4 and one.source.lease_seconds > 0, 30)
        busy.cancel()
        assert "lost" not in one.intake.names()
        assert [each.reason for each in one.observations if isinstance(each, LeaseLapsed)] == []


async def _commit_for_ever(one: Member) -> None:
    while True:
        await one.source.commit(dict(one.intake.starts))
        await asyncio.sleep(0)
