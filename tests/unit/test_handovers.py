# SPDX-License-Identifier: Apache-2.0
"""The judge of rolls finds what it is there to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.handovers import by_partition, handovers, pauses, shared_partitions

if TYPE_CHECKING:
    from tests.support.handovers import Call

_PARTITIONS = {"a": 0, "b": 0, "c": 1}


def _call(order_id: str, host: str, started_ms: float, finished_ms: float, status: int = 200) -> Call:
    times = {"started_ms": started_ms, "finished_ms": finished_ms}
    return {"order_id": order_id, "host": host, "status": status, **times}


def test_two_pods_at_one_partition_at_once_are_found() -> None:
    """Also where one call spans another, and the later one ends first."""
    long, inside, after = _call("a", "one", 0, 100), _call("b", "two", 50, 60), _call("b", "two", 100, 110)
    assert len(shared_partitions(by_partition([long, inside], _PARTITIONS))) == 1
    assert shared_partitions(by_partition([long, after], _PARTITIONS)) == []
    short = _call("b", "one", 10, 20)
    assert len(shared_partitions(by_partition([long, short, inside], _PARTITIONS))) == 1


def test_pods_at_partitions_of_their_own_are_in_order() -> None:
    """Calls of different partitions may overlap, and so may one pod's of one partition."""
    calls = [_call("a", "one", 0, 100), _call("b", "one", 10, 90), _call("c", "two", 20, 80)]
    assert shared_partitions(by_partition(calls, _PARTITIONS)) == []


def test_each_change_of_hands_is_counted() -> None:
    """A partition that is passed to and fro is seen."""
    calls = [_call("a", host, at, at + 1) for at, host in enumerate(["one", "two", "one", "one"])]
    assert handovers(by_partition(calls, _PARTITIONS)) == 2


def test_a_pause_is_the_longest_time_without_an_answer() -> None:
    """Of each partition, in what ended within the span; a call that failed ends no pause."""
    times = ((0, 200), (1_000, 200), (4_000, 503), (7_500, 200), (8_000, 200))
    calls = [_call("a", "one", at - 10, at, status) for at, status in times]
    other = [_call("c", "two", at - 10, at) for at in (0, 500, 8_000)]
    seen = by_partition([*calls, *other], _PARTITIONS)
    assert sorted(pauses(seen, 900, 8_000)) == [6.5, 7.5]
    assert sorted(pauses(seen, 0, 7_400)) == [0.5, 1.0]
