# SPDX-License-Identifier: Apache-2.0
"""Members of a group with the real engine behind the real source, and one Button that hears all of them.

Owns a Button that can be slow or hold calls back, and that notes who told it of what, and when. Record ``v<number>`` is
the purchase of order ``o-<number>``.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.orders import Create
from connector.engine.engine import Engine, EngineOptions, Ports
from connector.kafka.source import KafkaSource
from tests.integration.kafka.parts import Observations
from tests.support.fakes import OK, FakeDeadLetters, FakeSessions, FixedClock, purchase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Call, Reject
    from connector.domain.responses import Reply
    from connector.engine.ports import RawRecord
    from connector.kafka.options import SourceOptions


class Told(NamedTuple):
    """One call: its order, who made it, and from when to when it ran (the loop's time)."""

    order_id: str
    member: str
    began: float
    ended: float


class Button:
    """Takes every order after a while."""

    def __init__(self, seconds: float = 0.0) -> None:
        """Let each call take so long; ``answers`` holds all of them back while it is not set."""
        self.seconds = seconds
        self.answers = asyncio.Event()
        self.answers.set()
        self.begun: list[tuple[str, str]] = []
        self.told: list[Told] = []

    def orders(self) -> list[str]:
        """Return the orders that were told, each as often as it was."""
        return [each.order_id for each in self.told]

    def overlaps(self) -> list[tuple[Told, Told]]:
        """Return the calls of one order that ran at the same time."""
        pairs = [(one, other) for one in self.told for other in self.told if one.order_id == other.order_id]
        return [(one, other) for one, other in pairs if one.began < other.began < one.ended]


class _Line(NamedTuple):
    """One member's way to Button."""

    button: Button
    member: str

    async def send(self, call: Call) -> Reply:
        assert isinstance(call, Create)
        button, loop, order_id = self.button, asyncio.get_running_loop(), call.order.order_id
        began = loop.time()
        button.begun.append((order_id, self.member))
        await button.answers.wait()
        await asyncio.sleep(button.seconds)
        button.told.append(Told(order_id, self.member, began, loop.time()))
        return OK


class _Decoder:
    def decode(self, record: RawRecord) -> list[CommerceEvent | Reject]:
        return [purchase((record.value or b"").decode().replace("v", "o-"))]


class EngineMember:
    """A source, its engine, and what they observed."""

    def __init__(self, options: SourceOptions, button: Button, name: str) -> None:
        """Put both together; nothing runs."""
        self.observed = Observations()
        self.source = KafkaSource(options, self.observed)
        self.engine = Engine(
            Ports(
                source=self.source,
                decoder=_Decoder(),
                orders=_Line(button, name),
                sessions=FakeSessions(),
                dead_letters=FakeDeadLetters(),
                clock=FixedClock(),
                observer=self.observed,
                may_start=self.source.may_start,
            ),
            EngineOptions(concurrency=8, drain_seconds=options.drain_seconds, commit_interval_seconds=0.1),
            Random(1),  # noqa: S311  jitter, not cryptography
        )

    def owns(self, partitions: int) -> bool:
        """Tell whether it has so many partitions."""
        return self.engine.assigned_partitions == partitions


@asynccontextmanager
async def engine_member(options: SourceOptions, button: Button, name: str = "one") -> AsyncIterator[EngineMember]:
    """Run a member; at exit it is stopped in good order."""
    member = EngineMember(options, button, name)
    engine = asyncio.ensure_future(member.engine.run())
    member.source.start(member.engine, asyncio.get_running_loop())
    try:
        yield member
    finally:
        button.answers.set()
        await member.source.stop(15.0)
        engine.cancel()
        with suppress(asyncio.CancelledError):
            await engine
