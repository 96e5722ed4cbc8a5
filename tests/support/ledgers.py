# SPDX-License-Identifier: Apache-2.0
"""Replicas of the order ledger on one log, for the contract and for what only the real one does.

Owns putting the ledger together with its table and its log, as the connector does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from connector.tables.fact_codec import encode_fact, key_of, partition_of
from connector.tables.global_table import TableOptions
from connector.tables.ledger_identity import Takeover
from connector.tables.orders import LedgerOptions, Orders
from connector.tables.store import StoreOptions
from tests.support.memory_topic import TOPIC, MemoryFeed, MemoryTopic

if TYPE_CHECKING:
    from pathlib import Path

    from connector.domain.facts import Fact
    from connector.engine.observations import Observation

HORIZON_DAYS = 100.0


class SetClock:
    """A clock that stands where it is put."""

    def __init__(self, now_ms: int) -> None:
        """Begin at a time."""
        self.ms = now_ms

    def now_ms(self) -> int:
        """Return the time."""
        return self.ms


class _Observed(list["Observation"]):
    """An observer that keeps what it is told."""

    def __call__(self, observation: Observation) -> None:
        self.append(observation)


class MemoryReplicas:
    """Replicas of a topic in memory, each with its own table on disk."""

    def __init__(self, directory: Path, clock: SetClock, partitions: int = 3) -> None:
        """Begin with an empty topic."""
        self.topic = MemoryTopic(partitions)
        self.clock = clock
        self.feeds: list[MemoryFeed] = []
        self.observations = _Observed()
        self._directory = directory
        self._open: list[Orders] = []

    def put_together(
        self,
        name: str = "",
        takeover: Takeover | None = None,
        *,
        partitions: int | None = None,
        lost_after_seconds: float = 30.0,
    ) -> Orders:
        """Return a replica that is not started; one with a name keeps its table."""
        count = self.topic.partitions if partitions is None else partitions
        comer = takeover or Takeover("group")
        options = LedgerOptions(TOPIC, count, comer, HORIZON_DAYS, lost_after_seconds=lost_after_seconds)
        directory = self._directory / (name or f"replica-{len(self._open)}")
        feed = MemoryFeed(self.topic)
        self.feeds.append(feed)
        table = TableOptions("ledger", StoreOptions(directory, "tables.directory"), is_kept=bool(name))
        ledger = Orders(options, (table, feed), self.topic, self.clock, self.observations)
        self._open.append(ledger)
        return ledger

    async def open(self) -> Orders:
        """Return a new replica that has caught up."""
        ledger = self.put_together()
        ledger.start(asyncio.get_running_loop())
        await ledger.caught_up()
        return ledger

    async def append_late(self, order_id: str, fact: Fact) -> None:
        """Put into the log what a writer that is dead by now had sent."""
        partition = partition_of(order_id, self.topic.partitions)
        self.topic.append(partition, key_of(order_id, fact), encode_fact(fact), self.clock.ms)

    async def close(self) -> None:
        """Stop all replicas."""
        for ledger in self._open:
            await ledger.stop()
