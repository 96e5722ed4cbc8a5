# SPDX-License-Identifier: Apache-2.0
"""An order that is nearly too large for Button is told, and somebody is told of it."""

from __future__ import annotations

from connector.engine.observations import LargeTotalTold
from connector.engine.ports import TopicPartition
from tests.simulation.bench import Bench
from tests.support.commerce import product
from tests.support.fakes import purchase
from tests.support.virtual_time import run_in_virtual_time


def test_a_total_beyond_half_of_what_button_takes_is_told_and_seen() -> None:
    """An amount in the wrong currency, or in minor units twice over, is seen before it is refused."""

    async def main() -> None:
        bench = Bench()
        # Button takes 2,147,483,647 minor units.
        bench.emit(0, purchase("half")._replace(products=(product(price="10737418.23"),), total_amount=None))
        bench.emit(0, purchase("more")._replace(products=(product(price="10737418.24"),), total_amount=None))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
        assert len(bench.button.calls) == 2
        assert bench.seen.of(LargeTotalTold) == [LargeTotalTold(TopicPartition("orders", 0), 1)]

    run_in_virtual_time(main())
