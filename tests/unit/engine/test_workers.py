# SPDX-License-Identifier: Apache-2.0
"""Rules of the workers' rests."""

from __future__ import annotations

import asyncio
from random import Random
from typing import cast

import pytest
import uvloop

from connector.engine.admission import Admission
from connector.engine.backoff import Backoff
from connector.engine.concurrency import Concurrency
from connector.engine.workers import Workers
from tests.support.fakes import Recorder
from tests.support.virtual_time import run_in_virtual_time


class _Closed:
    limit = 1

    def opens_in(self, _now: float) -> float:
        return 0.0

    def room(self, _now: float) -> int:
        return 2

    def more_room_in(self, _now: float) -> float:
        return 1.0


def test_a_rest_that_is_over_before_it_begins_ends() -> None:
    """On uvloop a timer that is due is none: the engine ended when a second worker asked it for its time."""

    async def rest() -> None:
        workers = Workers(cast("Admission", _Closed()), lambda: None, lambda: None)
        async with asyncio.timeout(5):
            await asyncio.gather(workers.rest(-1.0), workers.rest(-1.0))

    uvloop.run(rest())


@pytest.mark.parametrize("per_second", [20.0, 200.0])
def test_calls_begin_at_the_rate_though_none_of_those_before_has_ended(per_second: float) -> None:
    """A pause took two seconds to make up for: whoever began after it asked for more when its call had ended."""

    async def begun_in_a_second() -> int:
        random = Random(1)  # noqa: S311  jitter
        concurrency = Concurrency(400, is_adaptive=False)
        admission = Admission(Backoff(1.0, 4.0), random, Recorder(), concurrency)
        admission.rate.configure(per_second)
        begun, tasks, loop = [0], set[asyncio.Task[None]](), asyncio.get_running_loop()

        async def work() -> None:
            while True:
                if (wait_seconds := admission.try_start(loop.time())) > 0.0:
                    await workers.rest(wait_seconds)
                else:
                    begun[0] += 1
                    await asyncio.sleep(3600.0)

        workers = Workers(admission, lambda: tasks.add(loop.create_task(work())), lambda: None)
        workers.attend()
        await asyncio.sleep(1.0)
        return begun[0]

    assert run_in_virtual_time(begun_in_a_second()) == pytest.approx(per_second, rel=0.02, abs=1.0)
