# SPDX-License-Identifier: Apache-2.0
"""The engine's outside in simulated time: a source, Button, dead letters, sessions.

Each is as strict as the real one is by contract: the source delivers no more than it was granted and refuses commits
of partitions that it does not own; Button keeps what it was told.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from connector.domain.attribution import Missing, SessionLookup
from connector.domain.events import CommerceEvent
from connector.domain.money import Amount
from connector.domain.orders import Create, Update
from connector.domain.responses import Answer
from connector.engine.ports import CommitResult, RawRecord, TopicPartition
from connector.kafka.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connector.domain.dead_letter import DeadLetter
    from connector.domain.orders import Call, Reject
    from connector.domain.responses import Reply
    from connector.engine.observations import Observation
    from connector.engine.ports import Intake, Preparation

T = TypeVar("T")

OK = Answer(status=200, meta_status="ok")


def purchase(order_id: str | None, **changes: object) -> CommerceEvent:
    """Return a purchase of 12.34 USD without lines."""
    fields: dict[str, object] = {
        "action": "purchase",
        "order_id": order_id,
        "occurred_at_ms": 1_700_000_000_000,
        "currency": "USD",
        "total_amount": Amount(1234, 2),
        "tax_amount": None,
        "shipping_amount": None,
        "coupon_code": None,
        "products": (),
        "source_message_id": None,
        "event_id": None,
        "session_uuid": None,
        "session_id": None,
        "mpid": None,
        "environment": None,
        "identities": {},
        "integration_attributes": {},
        "custom_attributes": {},
    }
    return CommerceEvent(**(fields | changes))  # type: ignore[arg-type]  # the fields are put together by name


def refund(order_id: str | None) -> CommerceEvent:
    """Return a refund of the whole order."""
    return purchase(order_id, action="refund", total_amount=None, currency=None)


class FakeDecoder:
    """Knows what each value stands for."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.meanings: dict[bytes, list[CommerceEvent | Reject] | Reject | Preparation] = {}

    def decode(self, record: RawRecord) -> list[CommerceEvent | Reject] | Reject | Preparation:
        """Return what the value stands for."""
        assert record.value is not None
        return self.meanings[record.value]


class FakeButton:
    """Keeps every call with its start and end, and answers by a function of the call and the attempt."""

    def __init__(self, latency_seconds: float = 0.05) -> None:
        """Accept everything after a while."""
        self.latency: Callable[[Call, int], float] = lambda _call, _attempt: latency_seconds
        self.answer: Callable[[Call, int], Reply] = lambda _call, _attempt: OK
        self.calls: list[tuple[str, str, float, float]] = []
        self.open_calls = 0
        self.most_open_calls = 0
        self.attempts: dict[str, int] = defaultdict(int)

    async def send(self, call: Call) -> Reply:
        """Answer after the latency."""
        loop = asyncio.get_running_loop()
        order_id = call.order.order_id if isinstance(call, Create | Update) else call.order_id
        self.attempts[order_id] += 1
        attempt = self.attempts[order_id]
        started = loop.time()
        self.open_calls += 1
        self.most_open_calls = max(self.most_open_calls, self.open_calls)
        try:
            await asyncio.sleep(self.latency(call, attempt))
        finally:
            self.open_calls -= 1
        self.calls.append((order_id, type(call).__name__.lower(), started, loop.time()))
        return self.answer(call, attempt)

    def told(self, order_id: str) -> list[str]:
        """Return the operations on an order in the order in which they were answered."""
        return [operation for each, operation, _, _ in self.calls if each == order_id]


class FakeDeadLetters:
    """Keeps letters; can be down."""

    def __init__(self) -> None:
        """Be up."""
        self.letters: list[tuple[RawRecord, DeadLetter]] = []
        self.up = asyncio.Event()
        self.up.set()

    async def write(self, record: RawRecord, letter: DeadLetter) -> None:
        """Keep the letter once up."""
        await self.up.wait()
        self.letters.append((record, letter))


class FakeSessions:
    """Knows no token unless told."""

    def __init__(self) -> None:
        """Be caught up."""
        self.ready = asyncio.Event()
        self.ready.set()
        self.answer: SessionLookup = Missing()
        self.arrived = asyncio.Event()

    async def caught_up(self) -> None:
        """Wait until ready."""
        await self.ready.wait()

    def lookup(self, *, session_keys: Sequence[str], user_key: str | None, as_of_ms: int) -> SessionLookup:
        """Return the same answer for everybody."""
        del session_keys, user_key, as_of_ms
        return self.answer

    async def arrival(self, session_keys: Sequence[str], user_key: str | None, timeout_seconds: float) -> bool:
        """Wait for the same thing for everybody."""
        del session_keys, user_key
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self.arrived.wait()
        except TimeoutError:
            return False


class FixedClock:
    """Always the same time, unless somebody sets it: one in 2023."""

    def __init__(self) -> None:
        """Begin."""
        self.at_ms = 1_700_000_123_000

    def now_ms(self) -> int:
        """Return the time."""
        return self.at_ms


class FakeSource:
    """A topic in memory and the group's view of one member, with the real source's obligations."""

    def __init__(self, max_records: int = 1000) -> None:
        """Own nothing."""
        self.log: dict[TopicPartition, list[RawRecord]] = defaultdict(list)
        self.committed: dict[TopicPartition, int] = {}
        self.commits: list[dict[TopicPartition, int]] = []
        self.window = Window(max_records, 10**9)
        self.delivered = 0
        self.positions: dict[TopicPartition, int] = {}
        self.refuse_commits = ""
        self.intake: Intake | None = None

    def append(
        self,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> RawRecord:
        """Append a record to a partition of the topic; nothing is delivered yet."""
        topic_partition = TopicPartition("orders", partition)
        record = RawRecord(topic_partition, len(self.log[topic_partition]), key, value, headers, 1_700_000_000_000)
        self.log[topic_partition].append(record)
        return record

    async def poll_for_ever(self) -> None:
        """Deliver what the window allows, partition by partition."""
        assert self.intake is not None
        wait_seconds = 0.01
        while True:
            room = self.window.room(asyncio.get_running_loop().time())
            batch = self._fetch(room)
            wait_seconds = 0.01 if batch else min(wait_seconds * 2, 1.0)
            if batch:
                self.delivered += len(batch)
                self.intake.deliver(batch)
            elif not room:
                self.intake.commit_soon()
            await asyncio.sleep(wait_seconds)

    def assign(self, *partitions: int) -> None:
        """Give partitions to the engine, from their committed offsets."""
        assert self.intake is not None
        starts = {each: self.committed.get(each, 0) for each in (TopicPartition("orders", p) for p in partitions)}
        self.positions.update(starts)
        for each in starts:
            self.window.open(each)
        self.intake.assign(starts)

    async def revoke(self, *partitions: int) -> dict[TopicPartition, int]:
        """Take partitions back as the real source does: drain, commit, fence; return what was committed."""
        assert self.intake is not None
        wanted = [TopicPartition("orders", p) for p in partitions]
        offsets = await self.intake.drain(wanted)
        self.committed.update(offsets)
        self._forget(wanted)
        self.intake.fence(wanted, lost=False)
        return offsets

    def lose(self, *partitions: int) -> None:
        """Take partitions away without asking."""
        assert self.intake is not None
        wanted = [TopicPartition("orders", p) for p in partitions]
        self._forget(wanted)
        self.intake.fence(wanted, lost=True)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """Commit what is owned."""
        await asyncio.sleep(0.01)
        if self.refuse_commits:
            return CommitResult({}, dict.fromkeys(offsets, self.refuse_commits))
        owned = {each: offset for each, offset in offsets.items() if each in self.positions}
        for each, offset in owned.items():
            assert offset >= self.committed.get(each, 0), "a commit went backwards"
            self.window.commit(each, offset)
        self.committed.update(owned)
        self.commits.append(owned)
        return CommitResult(owned, {each: "not owned" for each in offsets if each not in owned})

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        for each in partitions:
            del self.positions[each]
            self.window.close(each)

    def _fetch(self, room: int) -> list[RawRecord]:
        batch: list[RawRecord] = []
        for each, position in self.positions.items():
            if not self.window.is_paused(each):
                available = self.log[each][position : position + room - len(batch)]
                self.positions[each] = position + len(available)
                batch.extend(available)
        for record in batch:
            self.window.deliver(record.topic_partition, record.offset, len(record.value or b""))
        return batch


class Recorder:
    """Keeps every observation."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.seen: list[Observation] = []

    def __call__(self, observation: Observation) -> None:
        """Keep it."""
        self.seen.append(observation)

    def of(self, kind: type[T]) -> list[T]:
        """Return what was seen of one type."""
        return [each for each in self.seen if isinstance(each, kind)]
