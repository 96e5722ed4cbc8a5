# SPDX-License-Identifier: Apache-2.0
"""The sweeper: gives up what has waited in the ledger for too long, and has forgotten what is past the horizon.

Owns when that is done and by whom: the owner of one partition (the first of the first topic), so that a fleet does it
once. Two that believe to own it do the same twice, which does no harm: a second dead letter at worst. A refund is
marked as given up only when its dead letter is durable.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.domain.dead_letter import Stage
from connector.domain.facts import Mark, MarkKind, UnreadableFactError
from connector.domain.waiting import given_up
from connector.engine.ports import Origin, RawRecord, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.domain.facts import Fact
    from connector.domain.orders import Reject
    from connector.engine.letters import Letters
    from connector.engine.ports import OrderLedger


@dataclass(frozen=True, slots=True)
class Sweeper:
    """Sweeps every ``interval_seconds`` for as long as ``is_ours`` says so."""

    ledger: OrderLedger
    letters: Letters
    is_ours: Callable[[], bool]
    interval_seconds: float

    async def run(self) -> None:
        """Sweep for ever."""
        while True:
            await asyncio.sleep(self.interval_seconds)
            if self.is_ours():
                await self.sweep()

    async def sweep(self) -> None:
        """Sweep once."""
        async for order_id, fact in self.ledger.waited_too_long():
            reject = self._judge(order_id, fact)
            if reject is not None:
                await self._give_up(order_id, fact, reject)
            if not self.is_ours():
                return
        await self.ledger.take_out_expired()

    def _judge(self, order_id: str, fact: Fact) -> Reject | None:
        try:
            return given_up(self.ledger.read(order_id), fact)
        except UnreadableFactError:
            return None  # The order's next event says so.

    async def _give_up(self, order_id: str, fact: Fact, reject: Reject) -> None:
        source, kept = fact.source, fact.record
        if source is None or kept is None:
            return  # Nobody could replay it; it is forgotten at the horizon.
        place = TopicPartition(source.topic, source.partition)
        record = RawRecord(place, source.offset, kept.key, kept.value, kept.headers, kept.timestamp_ms)
        # Its topic may have been made anew since, or be none of ours any more.
        origin = Origin(source.cluster, source.topic_id)
        letter = self.letters.letter(record, source.event_index, Stage.MAP, reject, order_id=order_id, origin=origin)
        await self.letters.write_alone(record, letter)
        mark = Mark(MarkKind.GIVEN_UP, reject.reason)
        await self.ledger.append(order_id, fact._replace(said=mark, told=(), record=None, written_at_ms=0))
