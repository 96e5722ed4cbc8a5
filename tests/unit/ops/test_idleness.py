# SPDX-License-Identifier: Apache-2.0
"""A process without partitions says so, once, and again when it happens again."""

from __future__ import annotations

import asyncio
import io
import json

from connector.ops.idleness import warn_when_idle
from connector.ops.logs import open_log
from tests.support.virtual_time import run_in_virtual_time


def test_a_process_that_has_no_partition_for_a_minute_says_so_once() -> None:
    """Not in a rebalance, which takes seconds; and anew when partitions were there in between."""
    text, assigned = io.StringIO(), [4]

    def lines() -> int:
        return sum(json.loads(line)["event"] == "no partition is ours" for line in text.getvalue().splitlines())

    async def main() -> None:
        watching = asyncio.create_task(warn_when_idle(lambda: assigned[0], open_log(text, "info", "json")))
        seen = []
        for partitions, seconds in ((4, 300), (0, 50), (4, 60), (0, 70), (0, 300), (1, 10), (0, 80)):
            assigned[0] = partitions
            await asyncio.sleep(seconds)
            seen.append(lines())
        watching.cancel()
        assert seen == [0, 0, 0, 1, 1, 1, 2]

    run_in_virtual_time(main())
