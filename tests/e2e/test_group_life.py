# SPDX-License-Identifier: Apache-2.0
"""A group's life with real processes: a broker that goes and comes back under load, and static members that die."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException

from tests.support.generator import generate
from tests.support.oracle import Case, Disturbance
from tests.support.polling import wait_until
from tests.support.processes import World, now_ms
from tests.support.small_orders import KEPT, ONE_SOCK, SOME_SOCKS, complaints, records, told

if TYPE_CHECKING:
    from pathlib import Path

    from connector.demo.parts import Connector
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

WINDOW = 600
SEED = 73
FAULTS = {"seed": SEED, "delay_share": 0.3, "delay_ms": 300, "delay_mode": "jitter", "fail_share": 0.02}
MOST_TOLD = 3
"""How often an event may be told: at first, again after the broker's return, and again where its answer was lost."""


def _is_at_rest(world: World, connector: Connector) -> bool:
    """Tell whether all is committed, as far as a broker says so that has just come back."""
    connector.child.check()
    try:
        return world.offsets.committed() == world.offsets.ends()
    except KafkaException:
        return False


def test_a_broker_that_restarts_under_load_costs_no_order(own_kafka: Broker, tmp_path: Path) -> None:
    """[31, 49, 54, 68] Records, commits, facts and the group's coordinator are away at once; then all goes on."""
    kinds = {"kept": KEPT, "some": SOME_SOCKS, "one": ONE_SOCK}
    orders = {f"{name}-{number}": kind for number in range(60) for name, kind in kinds.items()}
    events = records(orders)
    with World(own_kafka, tmp_path, {"delay_share": 1.0, "delay_ms": 100}) as world:
        connector = world.connector()
        world.produce(events)
        world.wait_for_commits(50, connector)
        own_kafka.kill()
        own_kafka.restart()
        wait_until(lambda: _is_at_rest(world, connector), 80, awaiting="everything committed", interval_seconds=0.2)
        assert list(complaints(orders, world.sandbox.control.orders())) == []
        calls = told(world.sandbox.control.requests())
        assert all(len(calls[each]) <= MOST_TOLD * len(orders[each].events) for each in orders)
        assert world.read_dead_letters() == []
        assert connector.is_ready()


def _static(member: str) -> dict[str, dict[str, object]]:
    return {
        "kafka": {"group_protocol": "consumer", "group_instance_id": member},
        "delivery": {"max_uncommitted_records": WINDOW, "retry_max_seconds": 2},
    }


def _wait_for_members(world: World, count: int, *watched: Connector) -> None:
    def are_there() -> bool:
        for connector in watched:
            connector.child.check()
        return world.members_with_partitions() == count

    wait_until(are_there, 40, awaiting=f"{count} members with partitions")


def test_a_static_member_that_is_killed_for_good_leaves_no_order_behind(kafka: Broker, tmp_path: Path) -> None:
    """[1, 2, 6, 8, 10] Its partitions wait for its session's end and then go on with the other, in their order."""
    plan = generate(SEED, 400)
    half = len(plan.records) // 2
    with World(kafka, tmp_path, FAULTS) as world:
        world.produce(plan.sessions, world.sessions)
        staying = world.connector(_static("stays"))
        _wait_for_members(world, 1, staying)
        began_ms, committed = now_ms(), world.offsets.committed()
        doomed = world.connector(_static("dies"))
        _wait_for_members(world, 2, staying, doomed)
        join = Disturbance(began_ms, now_ms(), committed, WINDOW)
        world.produce(plan.records[:half])
        world.wait_for_commits(50, staying, doomed)
        began_ms, committed = now_ms(), world.offsets.committed()
        doomed.child.kill()
        world.produce(plan.records[half:])
        _wait_for_members(world, 1, staying)
        world.wait_until_at_rest(60, staying)
        kill = Disturbance(began_ms, now_ms(), committed, WINDOW)
        staying.child.terminate()
        assert staying.child.wait(20) == 0, staying.child.read_log()
        case = Case(plan, world.evidence((join, kill)))
    assert case.complaints() == []
