# SPDX-License-Identifier: Apache-2.0
"""A call that got no answer may still land: nobody may follow it before it has had the time to.

Owns the way that seed 241 of the simulation found: a partition was handed over in order right behind such a call.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from connector.domain.answer_policy import DEFAULT_ANSWERS
from connector.domain.responses import NoAnswer, Reply
from tests.simulation.bench import Bench
from tests.support.fakes import OK, purchase
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from connector.domain.orders import Call


@pytest.mark.parametrize(
    ("reply", "at_least_seconds", "at_most_seconds"),
    [(NoAnswer("connection reset"), DEFAULT_ANSWERS.settle_seconds, 1.5), (OK, 0.0, 0.5)],
    ids=["without answer", "answered"],
)
def test_a_drain_lets_a_call_without_answer_settle(
    reply: Reply,
    at_least_seconds: float,
    at_most_seconds: float,
) -> None:
    """Else the heir tells the order's next state, and the old call takes it back [48]."""

    async def main() -> None:
        bench = Bench()

        def answer(_call: Call, _attempt: int) -> Reply:
            return reply

        bench.button.answer = answer
        bench.button.latency = lambda _call, _attempt: 0.1
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(0.05)
            began = asyncio.get_running_loop().time()
            await bench.source.revoke(0)
            took_seconds = asyncio.get_running_loop().time() - began
        assert len(bench.button.calls) == 1
        assert at_least_seconds <= took_seconds < at_most_seconds

    run_in_virtual_time(main())
