# SPDX-License-Identifier: Apache-2.0
"""The made-up orders, and the judge, tried on runs that were written by hand."""

from __future__ import annotations

import ast
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from connector.demo.topics import Record
from tests.support import generator, oracle
from tests.support.generator import Plan, Produced, generate
from tests.support.oracle import Case, Disturbance, Evidence

ORDERS = 600


def test_the_same_seed_makes_the_same_plan() -> None:
    """A plan depends on its seed and on nothing else."""
    assert generate(1, ORDERS) == generate(1, ORDERS)
    assert generate(1, ORDERS) != generate(2, ORDERS)


def test_a_third_of_the_orders_has_several_events_and_some_are_adjacent() -> None:
    """One order of three has two to four events, each number occurs, and some follow one another directly."""
    records = generate(1, ORDERS).records
    counts = Counter(Counter(record.order_id for record in records if record.order_id).values())
    assert counts.keys() == {1, 2, 3, 4}
    assert counts[1] == ORDERS * 2 / 3
    assert sum(one.order_id == other.order_id is not None for one, other in pairwise(records)) > 50


def test_a_planted_exponent_changes_what_is_expected_and_not_what_is_sent() -> None:
    """Only the orders of the spoilt currency are expected otherwise."""
    right, wrong = generate(1, ORDERS), generate(1, ORDERS, plant_wrong_exponent=True)
    assert (right.records, right.sessions) == (wrong.records, wrong.sessions)
    differing = {order_id for order_id, order in right.orders.items() if wrong.orders[order_id] != order}
    assert differing == {order_id for order_id, order in right.orders.items() if order.fields["currency"] == "KWD"}


@pytest.mark.parametrize("module", [generator, oracle])
def test_what_judges_the_connector_imports_nothing_of_its_rules(module: Any) -> None:  # noqa: ANN401  a module
    """Neither the plan nor the judge can repeat a mistake of the connector."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    # The reader of topics is shared with the demo, which imports nothing of the connector's rules either.
    assert {name for name in imported if name.startswith("connector")} <= {"connector.demo.topics"}


CALLS = ("create", "update", "cancel")
PURCHASED_AND_REFUNDED = ("create", "cancel")


def _case(*calls: dict[str, Any], events: tuple[str, ...] = PURCHASED_AND_REFUNDED, **changes: Any) -> Case:  # noqa: ANN401  evidence
    """Return the case of one order with these events at the offsets 0, 1, ... and these calls."""
    plan = Plan(records=[Produced(b"o", event.encode(), "o", event) for event in events])
    records = [Record("events", 0, offset, b"o", event.encode(), {}) for offset, event in enumerate(events)]
    evidence: dict[str, Any] = {
        "orders": {},
        "requests": calls,
        "input": records,
        "dead_letters": [],
        "committed": {0: len(events)},
        "ends": {0: len(events)},
        **changes,
    }
    return Case(plan, Evidence(**evidence))


def _call(operation: str, started: float, finished: float, status: int | None = 200) -> dict[str, Any]:
    return {
        "order_id": "o",
        "operation": operation,
        "started_ms": started,
        "finished_ms": finished,
        "status": status or "dropped",
        "outcome": "answered" if status else "dropped",
    }


def test_a_good_run_has_no_complaints() -> None:
    """Each event told until it is acknowledged, in order: cut and refused calls may be repeated."""
    calls = [_call("create", 1, 2, None), _call("create", 3, 4, 503), _call("create", 5, 6, 409), _call("cancel", 7, 8)]
    assert _case(*calls).complaints() == []


@pytest.mark.parametrize(
    ("calls", "complaint"),
    [
        ([_call("create", 1, 2)], "not every event was told"),
        ([_call("create", 1, 2), _call("cancel", 3, 4, 503)], "not every event was told"),
        ([_call("create", 1, 2, None), _call("cancel", 3, 4)], "not the turn"),
        ([_call("cancel", 1, 2), _call("create", 3, 4)], "not the turn"),
        ([_call("create", 1, 2), _call("cancel", 3, 4), _call("create", 5, 6, 409)], "not the turn"),
        ([_call("create", 1, 2), _call("update", 3, 4)], "not the turn"),
        ([_call("create", 1, 4), _call("cancel", 3, 5)], "before the one before it had ended"),
    ],
    ids=[
        "one never told",
        "one never acknowledged",
        "given up",
        "crossed",
        "told again",
        "another call",
        "overlapping",
    ],
)
def test_the_judge_names_what_is_wrong_with_the_calls(calls: list[dict[str, Any]], complaint: str) -> None:
    """An event that is lost, crossed, repeated without need or told beside another one is named."""
    complaints = _case(*calls).complaints()
    assert any(each.startswith("order o: ") and complaint in each for each in complaints)


def test_only_what_was_uncommitted_may_be_told_again_after_a_kill() -> None:
    """[66] A kill excuses the repetition of what lies at or above the committed offset, and of nothing below it."""
    calls = [_call("create", 1, 2), _call("cancel", 3, 4), _call("create", 11, 12, 409), _call("cancel", 13, 14)]
    for committed, is_excused in ((0, True), (1, False), (2, False)):
        kill = Disturbance(10, 10, {0: committed}, window=100)
        assert (_case(*calls, disturbances=[kill]).complaints() == []) is is_excused


def test_a_kill_excuses_no_event_that_was_passed_over() -> None:
    """[1] What was read again is told again from where it was: an event that was never told is missed all the same."""
    calls = [_call("create", 1, 2), _call("create", 11, 12, 409), _call("cancel", 13, 14)]
    kill = Disturbance(10, 10, {0: 0}, window=100)
    (complaint,) = _case(*calls, events=("create", "cancel", "update"), disturbances=[kill]).complaints()
    assert "not every event was told" in complaint
    (complaint,) = _case(*calls[1:], events=("cancel", "create", "cancel"), disturbances=[kill]).complaints()
    assert "not the turn" in complaint


def test_a_copy_is_told_only_where_more_is_known() -> None:
    """A copy of a lone purchase is passed over; behind a refund all is told once more, and never as a new order."""
    create, update, cancel = (_call(name, *at) for name, at in zip(CALLS, ((1, 2), (3, 4), (5, 6)), strict=True))
    lookup = _call("get", 2, 3)
    assert _case(create, events=("create", "create")).complaints() == []
    assert _case(create, create, events=("create", "create")).complaints() != []
    assert _case(create, update, events=("create", "create")).complaints() != []
    assert _case(create, lookup, update, events=("create", "create")).complaints() == []
    events = ("create", "update", "create", "cancel", "update")
    again, last = {**update, "started_ms": 4.2, "finished_ms": 4.4}, {**cancel, "started_ms": 6.5, "finished_ms": 7}
    assert _case(create, update, again, cancel, last, events=events).complaints() == []
    assert _case(create, update, cancel, last, events=events).complaints() != []
    assert _case(create, update, {**again, "operation": "create"}, cancel, last, events=events).complaints() != []


def test_a_call_is_made_again_only_if_its_lookup_failed() -> None:
    """What a failed lookup was to settle is asked again; one that was answered settles it."""
    calls = [
        _call("create", 1, 2),
        _call("cancel", 3, 4, None),
        _call("cancel", 5, 6, 404),
        _call("cancel", 9, 10, 404),
    ]
    window = Disturbance(0, 0, {0: 2}, window=1)
    for status, is_excused in ((503, True), (404, False)):
        case = _case(*calls, _call("get", 7, 8, status), disturbances=[window])
        assert (case.complaints() == []) is is_excused


def test_after_a_kill_what_is_known_is_told_as_a_whole() -> None:
    """A purchase that is read again may be passed over, or told with the refund that came behind it."""
    first = [_call("create", 1, 2), _call("update", 3, 4)]
    kill = Disturbance(10, 10, {0: 0}, window=100)

    def complaints(*again: dict[str, Any]) -> list[str]:
        return _case(*first, *again, events=("create", "update"), disturbances=[kill]).complaints()

    assert complaints(_call("update", 11, 12), _call("update", 13, 14)) == []
    assert complaints(_call("update", 11, 12)) == []
    assert complaints(_call("update", 11, 12), _call("update", 13, 14), _call("update", 15, 16)) != []
    assert complaints(_call("update", 11, 12), _call("cancel", 13, 14)) != []


def test_repeats_are_counted_against_what_was_uncommitted() -> None:
    """More repetitions than there were uncommitted records are too many."""
    calls = [_call("create", 1, 2), _call("cancel", 3, 4), _call("create", 11, 12, 409), _call("cancel", 13, 14)]
    kill = Disturbance(10, 10, {0: 0}, window=1)
    assert _case(*calls, disturbances=[kill]).complaints() == ["2 events were told again, at most 1 may be"]


def test_offsets_behind_the_end_are_noticed() -> None:
    """A partition that is not committed to its end is named."""
    calls = [_call("create", 1, 2), _call("cancel", 3, 4)]
    assert _case(*calls, committed={0: 1}).complaints() == ["partition 0: committed is 1, the end is 2"]
