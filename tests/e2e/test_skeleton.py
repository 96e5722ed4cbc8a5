# SPDX-License-Identifier: Apache-2.0
"""The whole way on real parts: Kafka, the connector's processes, the sandbox with faults; and a kill in the middle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.flight import Flight, Seen
from tests.support.generator import generate
from tests.support.oracle import Case, Disturbance
from tests.support.polling import wait_until
from tests.support.processes import PARTITIONS, World, now_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.demo.parts import Connector
    from tests.support.generator import Produced
    from tests.support.kafka_broker import Broker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SEED = 20_260_101
FAULTS = {
    "seed": SEED,
    "delay_share": 0.2,
    "delay_ms": 700,
    "delay_mode": "jitter",
    "fail_share": 0.02,
    "drop_before_share": 0.015,
    "drop_after_share": 0.015,
}
MAX_UNCOMMITTED = 1_000
MANY_AT_ONCE = {
    "delivery": {
        "max_concurrency": 128,
        "adaptive_concurrency": False,
        "max_uncommitted_records": MAX_UNCOMMITTED,
        "retry_max_seconds": 2,
    },
}
COMMIT_AT_POLL = str(Path(__file__).parents[1] / "support" / "commit_at_poll.py")


def _let_one_join(world: World, records: Sequence[Produced], staying: Connector) -> tuple[Connector, Disturbance]:
    """Let a member join one that is at work, while records keep coming."""
    world.wait_for_commits(100, staying)
    committed, began_ms = world.offsets.committed(), now_ms()
    joining = world.connector(MANY_AT_ONCE, is_ready=False)
    world.produce_at_pace(records, 200, staying, joining)
    wait_until(lambda: world.members_with_partitions() == 2, 30, awaiting="both members to own partitions")
    return joining, Disturbance(began_ms, now_ms(), committed, MAX_UNCOMMITTED)


def _let_it_leave(world: World, records: Sequence[Produced], leaving: Connector) -> Disturbance:
    """Let a member leave while both are at work."""
    world.produce(records)
    world.wait_for_commits(100, leaving)
    committed, began_ms = world.offsets.committed(), now_ms()
    leaving.child.terminate()
    assert leaving.child.wait(20) == 0, leaving.child.read_log()
    wait_until(lambda: world.members_with_partitions() == 1, 30, awaiting="one member to own all partitions")
    return Disturbance(began_ms, now_ms(), committed, MAX_UNCOMMITTED)


def test_no_order_is_lost_or_crossed_by_faults_a_kill_and_a_rebalance(kafka: Broker, tmp_path: Path) -> None:
    """[1, 6, 7, 8, 9, 10] Whatever fails, every order ends as its events say, and its events are told in order."""
    plan = generate(SEED, 2_000)
    with World(kafka, tmp_path, FAULTS) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records[:1_500])
        killed = world.connector(MANY_AT_ONCE)
        kill = Flight(world).kill(killed, range(PARTITIONS), Seen(100, 50, 100), MAX_UNCOMMITTED)
        staying = world.connector(MANY_AT_ONCE)
        joining, join = _let_one_join(world, plan.records[1_500:2_400], staying)
        leave = _let_it_leave(world, plan.records[2_400:-100], joining)
        world.produce(plan.records[-100:])
        world.wait_until_at_rest(40, staying)
        staying.child.terminate()
        assert staying.child.wait(20) == 0, staying.child.read_log()
        case = Case(plan, world.evidence((kill, join, leave)))

    assert case.open_calls(kill.from_ms) >= 50
    assert case.acknowledged_but_uncommitted(kill.from_ms, kill.committed) >= 100
    assert {"fail", "drop_before", "drop_after"} <= {request["fault"] for request in case.evidence.requests}
    assert case.complaints() == []
    # What the judgement is worth: with one wrong exponent in the expectation it must find every order of that currency.
    wrong = Case(generate(SEED, 2_000, plant_wrong_exponent=True), case.evidence)
    in_dinars = [order_id for order_id, order in plan.orders.items() if order.fields["currency"] == "KWD"]
    assert len(wrong.complaints()) == len(in_dinars) > 0


def test_the_judge_notices_a_connector_that_commits_what_it_has_only_read(kafka: Broker, tmp_path: Path) -> None:
    """[1] With "commit at poll" planted, a kill loses orders, and the same judge says so."""
    plan = generate(SEED, 600)
    with World(kafka, tmp_path, FAULTS) as world:
        world.produce(plan.sessions, world.sessions)
        world.produce(plan.records)
        killed = world.connector(MANY_AT_ONCE, program=(COMMIT_AT_POLL,), is_ready=False)
        world.wait_for_commits(100, killed)
        began_ms = now_ms()
        killed.child.kill()
        kill = Disturbance(began_ms, now_ms(), world.offsets.committed(), MAX_UNCOMMITTED)
        heir = world.connector(MANY_AT_ONCE)
        world.wait_until_at_rest(40, heir)
        case = Case(plan, world.evidence((kill,)))

    complaints = case.complaints()
    assert any("not at the sandbox" in complaint for complaint in complaints)
    assert any("not every event was told and acknowledged" in complaint for complaint in complaints)
