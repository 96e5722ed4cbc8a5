# SPDX-License-Identifier: Apache-2.0
"""Rules of the workers' rests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import uvloop

from connector.engine.workers import Workers

if TYPE_CHECKING:
    from connector.engine.admission import Admission


class _Closed:
    limit = 1

    def opens_in(self, _now: float) -> float:
        return 0.0

    def room(self, _now: float) -> int:
        return 2


def test_a_rest_that_is_over_before_it_begins_ends() -> None:
    """On uvloop a timer that is due is none: the engine ended when a second worker asked it for its time."""

    async def rest() -> None:
        workers = Workers(cast("Admission", _Closed()), lambda: None, lambda: None)
        async with asyncio.timeout(5):
            await asyncio.gather(workers.rest(-1.0), workers.rest(-1.0))

    uvloop.run(rest())
