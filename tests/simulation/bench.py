# SPDX-License-Identifier: Apache-2.0
"""The engine with its outside in simulated time, put together for a test."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import TYPE_CHECKING

from connector.engine.engine import Engine, EngineOptions, Ports
from connector.engine.ports import Origin, TopicPartition
from tests.support.fakes import (
    FakeButton,
    FakeDeadLetters,
    FakeDecoder,
    FakeSessions,
    FakeSource,
    FixedClock,
    Recorder,
)
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Reject
    from connector.engine.ports import OrderApi, OrderLedger, Preparation, RawRecord, Tracer


class Bench:
    """One engine and everything around it."""

    def __init__(
        self,
        options: EngineOptions | None = None,
        max_records: int = 1000,
        tracer: Tracer | None = None,
        ledger: OrderLedger | None = None,
        orders: OrderApi | None = None,
    ) -> None:
        """Put it together; :meth:`running` starts it. ``max_records`` bounds what is delivered and not committed.

        ``orders`` stands in for the fake of Button's API.
        """
        self.source = FakeSource(max_records)
        self.decoder = FakeDecoder()
        self.button = FakeButton()
        self.letters = FakeDeadLetters()
        self.sessions = FakeSessions()
        self.seen = Recorder()
        self.clock = FixedClock()
        self.total_partitions = 0
        self.origins = {"orders": Origin("", "")}
        self.may_start: Callable[[], bool] = lambda: True
        self.engine = Engine(
            Ports(
                source=self.source,
                decoder=self.decoder,
                orders=orders or self.button,
                sessions=self.sessions,
                dead_letters=self.letters,
                clock=self.clock,
                observer=self.seen,
                may_start=lambda _topic_partition: self.may_start(),
                tracer=tracer,
                ledger=ledger,
                origin_of=lambda topic: self.origins[topic],
                total_partitions=lambda: self.total_partitions,
            ),
            options or EngineOptions(),
            Random(7),  # noqa: S311  jitter, not cryptography
        )
        self.source.intake = self.engine

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Bench]:
        """Run the engine; a failure of it fails the test."""
        tasks = [asyncio.ensure_future(self.engine.run()), asyncio.ensure_future(self.source.poll_for_ever())]
        await asyncio.sleep(0)
        try:
            yield self
        finally:
            for task in tasks:
                if task.done():
                    task.result()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def emit(self, partition: int, *events: CommerceEvent | Reject) -> RawRecord:
        """Append a record that holds these events."""
        return self.emit_meaning(partition, list(events))

    def emit_meaning(self, partition: int, meaning: list[CommerceEvent | Reject] | Reject | Preparation) -> RawRecord:
        """Append a record that decodes as this."""
        value = f"value-{len(self.decoder.meanings)}".encode()
        self.decoder.meanings[value] = meaning
        return self.source.append(partition, value)

    def committed(self, partition: int) -> int:
        """Return the group's committed offset."""
        return self.source.committed.get(TopicPartition("orders", partition), 0)

    async def at_rest(self, within_seconds: float = 3600.0) -> None:
        """Wait, in simulated time, until everything that the topic holds is committed."""
        await eventually(
            lambda: all(self.source.committed.get(each, 0) == len(log) for each, log in self.source.log.items()),
            deadline_seconds=within_seconds,
        )
