# SPDX-License-Identifier: Apache-2.0
"""The only order that there is goes on by itself when sending may begin again.

Owns the way that seed 19 of the simulation found: the worker that had it rested, and those that were awake had not
heard of it, so that it waited for the next record to come.
"""

from __future__ import annotations

from connector.domain.responses import Answer
from connector.engine.engine import EngineOptions
from tests.simulation.bench import Bench
from tests.support.fakes import OK, purchase
from tests.support.virtual_time import run_in_virtual_time


def test_an_order_that_is_alone_is_told_when_the_key_is_accepted_again() -> None:
    """While most workers have nothing to do, and sending is halted, it is not left behind."""

    async def main() -> None:
        bench = Bench(EngineOptions(concurrency=8))
        for number in range(16):
            bench.emit(0, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
            bench.button.answer = lambda _call, attempt: OK if attempt > 3 else Answer(401, "error", message="no")
            bench.emit(0, purchase("alone"))
            await bench.at_rest(within_seconds=120.0)
        assert bench.button.attempts["alone"] == 4

    run_in_virtual_time(main())
