# SPDX-License-Identifier: Apache-2.0
"""A group's life with real processes: a broker that goes and comes back under load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException

from tests.support.polling import wait_until
from tests.support.processes import World
from tests.support.small_orders import KEPT, ONE_SOCK, SOME_SOCKS, complaints, records, told

if TYPE_CHECKING:
    from pathlib import Path

    from connector.demo.parts import Connector
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

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
        connector = world.connector({"kafka": {"group_protocol": "consumer"}})
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
