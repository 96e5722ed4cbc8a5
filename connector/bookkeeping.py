# SPDX-License-Identifier: Apache-2.0
"""The order ledger put together: its topic's two sides and the table between them.

Owns the order in which they start and stop, and what ends any of them. Holds no rule.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from connector import wiring
from connector.kafka.follower import TopicFollower
from connector.kafka.ledger_log import LedgerLog
from connector.tables.orders import Orders

if TYPE_CHECKING:
    from pathlib import Path

    from connector.engine.ports import Clock, Observer
    from connector.kafka.options import KafkaConnection
    from connector.settings import Settings


class Bookkeeping:
    """The ledger of one process; ``partitions`` are those of its topic, ``passing`` is for files that are not kept."""

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of
        self,
        settings: Settings,
        through: KafkaConnection,
        partitions: int,
        passing: Path,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Put the parts together; nothing starts before :meth:`start`."""
        self._log = LedgerLog(wiring.ledger_log_options(settings, through), observer)
        self.follower = TopicFollower(wiring.ledger_follower_options(settings, through), observer)
        self.ledger = Orders(
            wiring.ledger_options(settings, partitions),
            (wiring.table_options(settings, "ledger", passing), self.follower),
            self._log,
            clock,
            observer,
        )

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
