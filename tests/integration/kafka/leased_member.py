# SPDX-License-Identifier: Apache-2.0
"""A member of the group with the real engine behind it, under the real lease; Button is a stand-in that takes its time.

As a process of its own, so that a test can freeze it: ``leased_member BOOTSTRAP TOPIC PROTOCOL`` prints what happens,
one thing a line, each as it happens: every call (``call o-7``), and what becomes of its membership. Records are
``v<number>``, orders ``o-<number>``.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from connector.domain.orders import Create
from connector.engine.engine import Engine, EngineOptions, Ports
from connector.engine.observations import LeaseLapsed, LeaseRenewed, PartitionsAssigned, PartitionsLost
from connector.kafka.options import KafkaConnection, SourceOptions
from connector.kafka.source import KafkaSource
from tests.support.fakes import OK, FakeDeadLetters, FakeSessions, FixedClock, purchase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Call, Reject
    from connector.domain.responses import Reply
    from connector.engine.observations import Observation
    from connector.engine.ports import RawRecord

CALL_SECONDS = 0.5
SESSION_MS = 6_000
_NAMES = {PartitionsAssigned: "assigned", PartitionsLost: "lost", LeaseLapsed: "lapsed", LeaseRenewed: "renewed"}


class _Decoder:
    def decode(self, record: RawRecord) -> list[CommerceEvent | Reject]:
        return [purchase("o-" + (record.value or b"").decode().removeprefix("v"))]


class _Button:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    async def send(self, call: Call) -> Reply:
        assert isinstance(call, Create)
        self._say(f"call {call.order.order_id}")
        await asyncio.sleep(CALL_SECONDS)
        return OK


class LeasedMember:
    """The source and the engine; ``said`` is what happened."""

    def __init__(self, options: SourceOptions) -> None:
        """Put both together; nothing runs."""
        self.said: list[str] = []
        self.source = KafkaSource(options, self._observe)
        self.engine = Engine(
            Ports(
                source=self.source,
                decoder=_Decoder(),
                orders=_Button(self.say),
                sessions=FakeSessions(),
                dead_letters=FakeDeadLetters(),
                clock=FixedClock(),
                observer=self._observe,
                may_start=self.source.may_start,
            ),
            EngineOptions(concurrency=4, drain_seconds=options.drain_seconds),
            Random(1),  # noqa: S311  jitter, not cryptography
        )

    def say(self, what: str) -> None:
        """Keep it."""
        self.said.append(what)

    def calls(self) -> list[str]:
        """Return the orders of all calls, in their order."""
        return [each.removeprefix("call ") for each in self.said if each.startswith("call ")]

    def _observe(self, observation: Observation) -> None:
        name = _NAMES.get(type(observation))
        if name is not None:
            self.say(name)


@asynccontextmanager
async def leased(member: LeasedMember) -> AsyncIterator[LeasedMember]:
    """Run a member; at exit it is stopped."""
    engine = asyncio.ensure_future(member.engine.run())
    member.source.start(member.engine, asyncio.get_running_loop())
    try:
        yield member
    finally:
        await member.source.stop(15.0)
        engine.cancel()
        with suppress(asyncio.CancelledError):
            await engine


def under_lease(options: SourceOptions) -> SourceOptions:
    """Return the options of a member whose calls take what they take here, with a group that is quick to judge."""
    return replace(options, session_timeout_ms=SESSION_MS, call_seconds=2 * CALL_SECONDS, drain_seconds=5.0)


class _Process(LeasedMember):
    """Says it on the standard output as well."""

    def say(self, what: str) -> None:
        sys.stdout.write(f"{what}\n")
        sys.stdout.flush()


async def _main(bootstrap_servers: str, topic: str, protocol: str) -> None:
    assert protocol in {"classic", "consumer"}
    options = SourceOptions(
        connection=KafkaConnection(bootstrap_servers),
        group_id=f"group-{topic}",
        topics=(topic,),
        group_protocol="consumer" if protocol == "consumer" else "classic",
    )
    async with leased(_Process(under_lease(options))):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
