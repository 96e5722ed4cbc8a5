# SPDX-License-Identifier: Apache-2.0
"""Both group protocols on a real broker, with real members that join, leave and die, and several topics at once."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import pytest

from connector.demo.topics import GroupOffsets, read_all
from tests.integration.kafka.parts import committed as committed_with_metadata
from tests.support.generator import generate
from tests.support.kafka_broker import unique_topic
from tests.support.oracle import Case, Disturbance
from tests.support.polling import wait_until
from tests.support.processes import PARTITIONS, World, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from connector.demo.parts import Connector
    from tests.support.generator import Plan, Produced
    from tests.support.kafka_broker import Broker
    from tests.support.oracle import Evidence

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

T = TypeVar("T")
Settings: TypeAlias = "Mapping[str, Mapping[str, Any]]"

BOTH_PROTOCOLS = pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
MORE_PARTITIONS = 3
OTHER = 100
"""What is added to the second topic's partition numbers, so that the judge can tell them from the first one's."""
WINDOW = 500
FAULTS = {"seed": 31, "delay_share": 0.3, "delay_ms": 300, "delay_mode": "jitter", "fail_share": 0.02}


class Topics(NamedTuple):
    """The two topics of a group as one: the second one's partitions are numbered from 100 on."""

    world: World
    other: str
    other_offsets: GroupOffsets

    def produce(self, records: list[Produced]) -> None:
        """Write an order's records to the topic of its name; what is no order to the first one."""
        for record in records:
            self.world.produce([record], self.other if _goes_to_other(record) else None)

    def committed(self) -> dict[int, int]:
        """Return the committed offsets of both topics."""
        return _both(self.world.offsets.committed(), self.other_offsets.committed())

    def is_at_rest(self) -> bool:
        """Whether all that was written is committed."""
        return self.committed() == self.ends()

    def ends(self) -> dict[int, int]:
        """Return the end offsets of both topics."""
        return _both(self.world.offsets.ends(), self.other_offsets.ends())

    def evidence(self, disturbances: tuple[Disturbance, ...]) -> Evidence:
        """Collect what there is now, of both topics."""
        others = read_all(self.world.broker.bootstrap_servers, {self.other: MORE_PARTITIONS})
        evidence = self.world.evidence(disturbances)
        moved = [record._replace(partition=record.partition + OTHER) for record in others]
        return dataclasses.replace(
            evidence,
            input=[*evidence.input, *moved],
            committed=self.committed(),
            ends=self.ends(),
        )


def _goes_to_other(record: Produced) -> bool:
    return record.order_id is not None and int(record.order_id.rpartition("-")[2]) % 3 == 0


def _both(first: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    return {**first, **{partition + OTHER: offset for partition, offset in other.items()}}


def _disturb(topics: Topics, disturb: Callable[[], T]) -> tuple[T, Disturbance]:
    committed, began_ms = topics.committed(), now_ms()
    came_of_it = disturb()
    return came_of_it, Disturbance(began_ms, now_ms(), committed, WINDOW)


def _wait_for_members(world: World, count: int) -> None:
    wait_until(lambda: world.members_with_partitions() == count, 40, awaiting=f"{count} members with partitions")


def _join(world: World, settings: Settings) -> Connector:
    joining = world.connector(settings)
    _wait_for_members(world, 2)
    return joining


def _leave(world: World, leaving: Connector) -> None:
    leaving.child.terminate()
    assert leaving.child.wait(20) == 0, leaving.child.read_log()
    _wait_for_members(world, 1)


def _die(world: World, dying: Connector) -> None:
    dying.child.kill()
    _wait_for_members(world, 1)


def _disturbed_run(topics: Topics, plan: Plan, settings: Settings) -> Case:
    """Let a second member join and leave, and a third join and die, while orders keep coming."""
    world, records = topics.world, plan.records
    quarter = len(records) // 4
    world.produce(plan.sessions, world.sessions)
    topics.produce(records[:quarter])
    staying = world.connector(settings)
    disturbances = []
    for number, end in enumerate((_leave, _die), 1):
        topics.produce(records[number * quarter : (number + 1) * quarter])
        joining, joins = _disturb(topics, partial(_join, world, settings))
        _, ends = _disturb(topics, partial(end, world, joining))
        disturbances += [joins, ends]
    topics.produce(records[3 * quarter :])
    wait_until(topics.is_at_rest, 60, awaiting="everything to be committed", interval_seconds=0.1)
    staying.child.terminate()
    assert staying.child.wait(20) == 0, staying.child.read_log()
    return Case(plan, topics.evidence(tuple(disturbances)))


@BOTH_PROTOCOLS
def test_orders_of_several_topics_survive_members_that_come_go_and_die(
    kafka: Broker,
    tmp_path: Path,
    group_protocol: str,
) -> None:
    """[1, 2, 6, 8, 9, 10, 12] Nothing is lost, crossed or told again beyond the window, whichever protocol is used.

    The second topic has another number of partitions, and each commit says how many its own topic had at the start.
    One of the runs goes by the other transport.
    """
    transport = "httpx2" if group_protocol == "consumer" else "pyreqwest"
    plan = generate(31, 900)
    other = kafka.create_topic(unique_topic("events"), MORE_PARTITIONS)
    with World(kafka, tmp_path, FAULTS) as world:
        other_offsets = GroupOffsets(kafka.bootstrap_servers, world.group, other, MORE_PARTITIONS)
        settings: Settings = {
            "kafka": {"topics": [world.events, other], "group_protocol": group_protocol},
            "delivery": {"max_uncommitted_records": WINDOW, "retry_max_seconds": 2},
            "button": {"transport": transport},
        }
        try:
            case = _disturbed_run(Topics(world, other, other_offsets), plan, settings)
        finally:
            other_offsets.close()
        held = committed_with_metadata(kafka, world.group)
    assert case.complaints() == []
    assert {stored.partition for stored in case.evidence.input} == {*range(PARTITIONS), 100, 101, 102}
    births = {(each.topic, json.loads(metadata)["partitions_at_birth"]) for each, (_, metadata) in held.items()}
    assert births == {(world.events, PARTITIONS), (other, MORE_PARTITIONS)}
    assert len(held) == PARTITIONS + MORE_PARTITIONS
