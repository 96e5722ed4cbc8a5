# SPDX-License-Identifier: Apache-2.0
"""A process that has nothing to do says so: a group with more members than partitions leaves some of them without any.

Owns the one line of the log. Stops nothing: partitions are added, members go, and then there is something to do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.ops.logs import Log

_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 5.0


async def warn_when_idle(assigned_partitions: Callable[[], int], log: Log) -> None:
    """Warn once each time that no partition has been ours for a minute; runs until cancelled."""
    loop = asyncio.get_running_loop()
    idle_since: float | None = loop.time()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if assigned_partitions():
            idle_since = loop.time()
        elif idle_since is not None and loop.time() - idle_since >= _PATIENCE_SECONDS:
            idle_since = None
            log.warning(
                "no partition is ours",
                message="The group has given us none for a minute: it may have more members than the topics have "
                "partitions. Run fewer processes, or add partitions.",
            )
