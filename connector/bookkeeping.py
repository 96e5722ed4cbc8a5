# SPDX-License-Identifier: Apache-2.0
"""The order ledger put together: its topic's two sides and the table between them.

Owns the order in which they start and stop, and what ends any of them. Holds no rule.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.kafka.follower import TopicFollower
    from connector.kafka.ledger_log import LedgerLog
    from connector.wiring import OpenedLedger


class Bookkeeping:
    """The ledger of one process."""

    def __init__(self, opened: OpenedLedger) -> None:
        """Take the parts; nothing starts before :meth:`start`."""
        self.ledger, self._log, self.follower = opened

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        self.ledger.start(loop)

    async def failed(self) -> str:
        """Return why the ledger cannot be used any more."""
        reasons = {
            asyncio.ensure_future(self.ledger.failed()),
            asyncio.ensure_future(_message(self._log)),
            asyncio.ensure_future(_message(self.follower)),
        }
        try:
            done, _ = await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            for reason in reasons:
                reason.cancel()

    async def stop(self, timeout_seconds: float) -> int:
        """Stop both sides; return how many facts are still not durable: their events are read again."""
        unwritten = await self._log.close(timeout_seconds)
        await self.ledger.stop(timeout_seconds)
        return unwritten


async def _message(part: LedgerLog | TopicFollower) -> str:
    return str(await part.failed())
