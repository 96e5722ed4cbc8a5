# SPDX-License-Identifier: Apache-2.0
"""The lanes' rules, in simulated time."""

from __future__ import annotations

import asyncio

from connector.engine.lanes import Lanes
from tests.support.virtual_time import run_in_virtual_time


def test_a_key_is_worked_on_by_one_worker_at_a_time() -> None:
    """The second event of an order is not offered while the first is held [6]."""

    async def main() -> None:
        lanes: Lanes[int] = Lanes(lambda: False)
        lanes.push("a", 1)
        lanes.push("a", 2)
        held = await lanes.take()
        other = asyncio.ensure_future(lanes.take())
        await asyncio.sleep(3600)
        assert not other.done()
        lanes.settle(held)
        assert (await other).tasks[0] == 2

    run_in_virtual_time(main())


def test_lanes_are_taken_in_the_order_in_which_they_became_ready() -> None:
    """A lane with more to do goes to the end: a busy order does not starve the others."""

    async def main() -> None:
        lanes: Lanes[int] = Lanes(lambda: False)
        for key, task in (("a", 1), ("a", 2), ("b", 3)):
            lanes.push(key, task)
        taken = []
        while len(lanes):
            lane = await lanes.take()
            taken.append(lane.tasks[0])
            lanes.settle(lane)
        assert taken == [1, 3, 2]

    run_in_virtual_time(main())


def test_a_lane_that_waits_binds_no_worker_and_keeps_its_place() -> None:
    """While a failed event waits for its next attempt, other orders go on and its own later events do not [41]."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lanes: Lanes[int] = Lanes(lambda: False)
        lanes.push("a", 1)
        lanes.push("a", 2)
        lanes.offer_later(await lanes.take(), 30.0)
        lanes.push("b", 3)
        other = await lanes.take()
        assert (other.key, loop.time()) == ("b", 0.0)
        again = await lanes.take()
        assert (again.tasks[0], loop.time()) == (1, 30.0)

    run_in_virtual_time(main())


def test_a_cancelled_worker_does_not_swallow_a_lane() -> None:
    """A lane handed to a worker that has gone goes to the next one."""

    async def main() -> None:
        lanes: Lanes[int] = Lanes(lambda: False)
        gone = asyncio.ensure_future(lanes.take())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        lanes.push("a", 1)
        assert (await lanes.take()).tasks[0] == 1

    run_in_virtual_time(main())


def test_purging_wakes_a_lane_that_waits_for_the_sake_of_a_dead_event() -> None:
    """A key that is handed back does not sit out its predecessor's backoff."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lanes: Lanes[int] = Lanes(lambda: False)
        for task in (-1, -2, 3):
            lanes.push("a", task)
        lanes.offer_later(await lanes.take(), 30.0)
        lanes.purge(lambda task: task < 0)
        lane = await lanes.take()
        assert loop.time() == 0.0
        assert list(lane.tasks) == [-1, 3]
        lanes.settle(lane)
        await asyncio.sleep(60.0)
        again = await lanes.take()
        assert list(again.tasks) == [3]

    run_in_virtual_time(main())


def test_work_is_taken_in_only_when_a_worker_has_nothing_else_to_do() -> None:
    """What waits is raw; what is ready comes first."""

    async def main() -> None:
        raw = [1, 2, 3]

        def refill() -> bool:
            if raw:
                number = raw.pop(0)
                lanes.push(str(number), number)
                return True
            return False

        lanes: Lanes[int] = Lanes(refill)
        first = await lanes.take()
        assert raw == [2, 3]
        lanes.push("ready", 0)
        assert (await lanes.take()).tasks[0] == 0
        assert raw == [2, 3]
        assert [(await lanes.take()).tasks[0] for _ in raw.copy()] == [2, 3]
        assert first.tasks[0] == 1
        waiting = asyncio.ensure_future(lanes.take())
        await asyncio.sleep(1.0)
        raw.extend([4, 5])
        lanes.wake()
        assert (await waiting).tasks[0] == 4
        assert raw == [5]

    run_in_virtual_time(main())
