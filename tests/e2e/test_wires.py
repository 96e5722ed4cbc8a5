# SPDX-License-Identifier: Apache-2.0
"""The whole way at its hardest: a registry, faults, kills, members that come and go, under both group protocols."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.flight import Flight, Seen
from tests.support.generator import generate
from tests.support.kafka_broker import unique_topic
from tests.support.oracle import Case, Disturbance
from tests.support.polling import wait_until
from tests.support.processes import World, now_ms
from tests.support.registry import Registry
from tests.support.wires import MixedWires

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from connector.demo.parts import Connector
    from tests.support.generator import Plan
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SEED = 20_260_102
ORDERS = 20_000
PARTITIONS = 8
FAULTS = {
    "seed": SEED,
    "delay_share": 0.5,
    "delay_ms": 200,
    "delay_mode": "jitter",
    "fail_share": 0.01,
    "drop_before_share": 0.01,
    "drop_after_share": 0.01,
}
MAX_UNCOMMITTED = 2_000
ACKNOWLEDGED, OPEN_CALLS = 100, 50
"""What a kill must find at the least, of the killed member's own partitions."""


class Kill(NamedTuple):
    """A kill, and what the killed member had."""

    disturbance: Disturbance
    partitions: frozenset[int]


class Run:
    """One world, its records, and what was done to its members."""

    def __init__(self, world: World, plan: Plan, registry: Registry, group_protocol: str) -> None:
        """Start with all records still to be written."""
        self.world = world
        self.kills: list[Kill] = []
        self.disturbances: list[Disturbance] = []
        self._records = iter(plan.records)
        self._flight = Flight(world)
        self._settings: dict[str, dict[str, Any]] = {
            "kafka": {"session_timeout_ms": 6_000, "group_protocol": group_protocol},
            "schema_registry": {"url": registry.url},
            "delivery": {
                "max_concurrency": 128,
                "adaptive_concurrency": False,
                "max_uncommitted_records": MAX_UNCOMMITTED,
                "retry_max_seconds": 2,
                "drain_seconds": 11,
                "shutdown_seconds": 15,
            },
        }

    def produce(self, count: int = ORDERS * 4) -> None:
        """Write so many more records, by default all that are left."""
        self.world.produce(islice(self._records, count))
        self._flight.follow(now_ms())

    def start(self) -> Connector:
        """Start a member."""
        return self.world.connector(self._settings)

    def kill(self, victim: Connector) -> None:
        """Kill a member once enough of its own is committed, acknowledged but not committed, and under way."""
        owned = self.world.owned_partitions
        partitions = wait_until(lambda: owned(victim), 30, awaiting="the partitions of who is to be killed")
        kill = self._flight.kill(victim, partitions, Seen(ACKNOWLEDGED, OPEN_CALLS, ACKNOWLEDGED), MAX_UNCOMMITTED)
        self.kills.append(Kill(kill, partitions))
        self.disturbances.append(kill)

    @contextmanager
    def rebalance(self, *staying: Connector) -> Iterator[list[Connector]]:
        """Disturb the group in the body, and wait until its members share all partitions; the body adds who joins."""
        members = list(staying)
        committed, began_ms = self.world.offsets.committed(), now_ms()
        yield members
        wait_until(lambda: self._is_shared(members), 30, awaiting="a member for each partition", interval_seconds=0.1)
        self.disturbances.append(Disturbance(began_ms, now_ms(), committed, MAX_UNCOMMITTED * len(members)))

    def _is_shared(self, members: Sequence[Connector]) -> bool:
        for member in members:
            member.child.check()
        self._flight.follow(now_ms())
        owned = [self.world.owned_partitions(member) for member in members]
        return all(owned) and sorted(partition for each in owned for partition in each) == list(range(PARTITIONS))

    def leave(self, member: Connector) -> None:
        """Let a member leave in good order."""
        member.child.terminate()
        assert member.child.wait(20) == 0, member.child.read_log()

    def judge(self, plan: Plan) -> None:
        """Hold everything that is left to what the plan expects."""
        case = Case(plan, self.world.evidence(self.disturbances))
        for kill, partitions in self.kills:
            assert case.open_calls(kill.from_ms, partitions) >= OPEN_CALLS
            assert case.acknowledged_but_uncommitted(kill.from_ms, kill.committed, partitions) >= ACKNOWLEDGED
        assert {"fail", "drop_before", "drop_after"} <= {request["fault"] for request in case.evidence.requests}
        assert len(case.evidence.orders) == ORDERS
        assert case.complaints() == []


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """Give a registry."""
    with Registry() as registry:
        yield registry


@pytest.fixture(scope="module")
def plan(registry: Registry) -> Plan:
    """Give the records of all runs, in the wire formats that producers of one topic may have."""
    return generate(SEED, ORDERS, encode=MixedWires(registry.url, unique_topic("events"), SEED))


@pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
def test_three_kills_and_a_group_in_motion_lose_and_cross_nothing(
    kafka: Broker,
    tmp_path: Path,
    registry: Registry,
    plan: Plan,
    group_protocol: str,
) -> None:
    """[1, 6, 7, 8, 9, 10] Whoever is killed, joins or leaves: every order ends as its events say, told in order."""
    with World(kafka, tmp_path, FAULTS, partitions=PARTITIONS) as world:
        run = Run(world, plan, registry, group_protocol)
        world.produce(plan.sessions, world.sessions)
        run.produce(8_000)
        run.kill(run.start())  # the only member

        with run.rebalance() as members:
            members += [run.start(), run.start()]
        staying, doomed = members
        run.produce(8_000)
        run.kill(doomed)  # beside one that goes on

        with run.rebalance(staying) as members:
            members.append(run.start())
        run.produce(8_000)
        with run.rebalance(*members) as members:
            members.append(run.start())
        with run.rebalance(*members[1:]) as members:
            run.leave(staying)
        run.produce(8_000)
        staying, doomed = members
        run.kill(doomed)

        with run.rebalance(staying):
            run.produce()
        world.wait_until_at_rest(60, staying)
        run.leave(staying)
        run.judge(plan)
