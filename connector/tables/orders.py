# SPDX-License-Identifier: Apache-2.0
"""The order ledger: the facts of all orders, shared by all replicas through one compacted topic.

Owns what the engine's ``OrderLedger`` port promises. The table is written by the follower alone: an append is produced
to the topic and answered when its record has come back, so that what a decision rests on is what every replica sees.
Nothing here decides what Button is told.

*Clean* is judged at the entry's own place in the log (:mod:`connector.tables.ledger_clean`), while later records of the
same batch are not applied yet. The ledger answers nothing before it has caught up once and is known to be ours
(:mod:`connector.tables.ledger_identity`).
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from connector.domain.facts import NO_FACTS, Mark, OrderFacts
from connector.engine.observations import BadTableRecord
from connector.engine.ports import TopicPartition
from connector.tables import ledger_identity
from connector.tables.fact_codec import (
    IDENTITY_KEY,
    FactKey,
    decode_fact,
    encode_fact,
    encode_key,
    fact_key,
    partition_of,
)
from connector.tables.global_table import GlobalTable
from connector.tables.ledger_clean import Claim, Watched
from connector.tables.ledger_entries import Slot, unpack
from connector.tables.ledger_identity import Identity, Takeover, decode_identity
from connector.tables.ledger_pending import Append, Pending
from connector.tables.ledger_rows import IDENTITY, ORDERS, LedgerRows
from connector.tables.ledger_sweep import take_out_expired, waited_since

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from connector.domain.facts import Fact
    from connector.engine.ports import Clock, Observer, TableFeed
    from connector.tables.global_table import TableOptions
    from connector.tables.ledger_entries import Entry
    from connector.tables.ledger_sweep import Waited

_DAY_MS = 86_400_000


class LedgerLog(Protocol):
    """The writing side of the ledger's topic; used on the loop."""

    def append(self, partition: int, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        """Write a record (``None`` is a tombstone), in order, for as long as it takes; never blocks."""

    @property
    def outstanding(self) -> int:
        """Return how many records are not durable yet."""


@dataclass(frozen=True, slots=True)
class LedgerOptions:
    """What the ledger is told.

    A refund may wait for its purchase for ``waiting_days``. ``lost_after_seconds`` is when a durable record that did
    not come back is missed.
    """

    topic: str
    partitions: int
    takeover: Takeover
    horizon_days: float
    waiting_days: float = 14.0
    lost_after_seconds: float = 30.0

    @property
    def horizon_ms(self) -> int:
        """Return after how long without a new fact an order counts as absent."""
        return round(self.horizon_days * _DAY_MS)

    @property
    def waiting_ms(self) -> int:
        """Return how long a refund may wait for its purchase."""
        return round(self.waiting_days * _DAY_MS)


class Orders:
    """The ledger; implements the engine's ``OrderLedger``. Everything on the engine's loop."""

    def __init__(
        self,
        options: LedgerOptions,
        table: tuple[TableOptions, TableFeed],
        log: LedgerLog,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Put the parts together; nothing is opened before :meth:`start`."""
        self._options = options
        self._log = log
        self._clock = clock
        self._observer = observer
        self._pending = Pending()
        self._watched = Watched()
        self._is_admitted = False
        self._admission: asyncio.Task[None] | None = None
        self._failure: asyncio.Future[str] | None = None
        self._failed_before: str | None = None
        rows = LedgerRows(self._pending, self._watched, options.horizon_ms, observer, self._identify)
        self._rows = rows
        self.table = GlobalTable(table[0], rows, table[1], clock, observer)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to follow the topic."""
        self._loop = loop
        self.table.start(loop)
        self._admission = loop.create_task(self._be_admitted(), name="ledger-admission")
        self._watch = loop.create_task(self._miss_what_is_lost(), name="ledger-watch")

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Follow no more. What was not read back stays unanswered; its events are read again."""
        for task in (self._admission, self._watch):
            if task is not None:
                task.cancel()
        await self.table.stop(timeout_seconds)

    async def caught_up(self) -> None:
        """Return once the ledger has read all that its topic held when it started, and is known to be ours."""
        if self._admission is None:
            message = "the ledger was not started"
            raise RuntimeError(message)
        await asyncio.shield(self._admission)

    async def barrier(self) -> None:
        """Return once the ledger has read all that its topic holds now: what former owners wrote is known then."""
        await self.table.barrier()

    async def failed(self) -> str:
        """Return when the ledger cannot be used any more, with the reason; the process is to end."""
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
            if self._failed_before is not None:
                self._failure.set_result(self._failed_before)
        return await asyncio.shield(self._failure)

    def read(self, order_id: str) -> OrderFacts:
        """Return what is known of an order, within the horizon.

        Raises :class:`~connector.domain.facts.UnreadableFactError`.
        """
        value = self.table.get(ORDERS + order_id.encode())
        self._watched.begin(order_id, is_new=value is None)
        if value is None:
            return NO_FACTS
        entries = unpack(value)
        newest = entries[-1]
        if self._clock.now_ms() - newest.written_at_ms > self._options.horizon_ms:
            return NO_FACTS
        return OrderFacts(MappingProxyType(decoded(order_id, entries)), newest.offset)

    def append(self, order_id: str, fact: Fact) -> Awaitable[bool]:
        """Write a fact and read it back; true if it is *clean*, else decide again with what is known by then."""
        now_ms = self._clock.now_ms()
        if not fact.written_at_ms:
            fact = fact._replace(written_at_ms=now_ms)
        claim = None if isinstance(fact.said, Mark) else Claim(fact.told, fact.base)
        return self._write(fact_key(order_id, fact), encode_fact(fact), claim, now_ms)

    def remove(self, order_id: str, event_id: str, *, is_parked: bool = False) -> Awaitable[bool]:
        """Take a fact, or the mark that parks its event, out of the ledger; done when that was read back."""
        return self._write(FactKey(order_id, event_id, is_parked), None, None, self._clock.now_ms())

    def waited_too_long(self) -> AsyncIterator[Waited]:
        """Yield the refunds that have waited for their purchase for too long.

        Whoever asks makes each a dead letter and appends its fact with a mark (``GIVEN_UP``) in place of what it said.
        """
        return waited_since(self.table, self._clock.now_ms() - self._options.waiting_ms, self._report)

    def _report(self, order_id: str, offset: int, what: str) -> None:
        place = TopicPartition(self._options.topic, partition_of(order_id, self._options.partitions))
        self._observer(BadTableRecord("ledger", place, offset, what))

    async def take_out_expired(self) -> int:
        """Write tombstones for all orders past the horizon; return for how many."""
        return await take_out_expired(self.table, self._log, self._options, self._clock.now_ms())

    def _write(self, key: FactKey, value: bytes | None, claim: Claim | None, now_ms: int) -> asyncio.Future[bool]:
        order_id, event_id, is_parked = key
        answer: asyncio.Future[bool] = self._loop.create_future()
        slot, written = Slot(event_id.encode(), is_parked), encode_key(key)
        self._pending.add(written, Append(order_id, slot, value, claim, answer, self._loop.time()))
        self._log.append(partition_of(order_id, self._options.partitions), written, value, now_ms)
        return answer

    def when_asked_to_go_on(self, resume: Callable[[], None]) -> None:
        """Call ``resume`` whenever the topic asks all replicas to go on after too many dead letters."""
        self._rows.on_resume = resume

    # Whose ledger it is.

    async def _be_admitted(self) -> None:
        """Return once the ledger is known to be ours; never, if it is not."""
        options = self._options
        await self.table.caught_up()
        found = self._found()
        if found is not None:
            why = ledger_identity.refused(found, options.partitions, options.takeover, options.topic)
            if why is not None:
                self._fail(why)
                await asyncio.Event().wait()
        if found is None or found.group_id != options.takeover.group_id:
            await self._sign(found)
        self._is_admitted = True

    async def _sign(self, found: Identity | None) -> None:
        """Write that the ledger is ours, and read it back."""
        ledger_id = uuid.uuid4().hex if found is None else found.ledger_id
        identity = Identity(ledger_id, self._options.partitions, self._options.takeover.group_id)
        self._log.append(0, IDENTITY_KEY, identity.encode(), self._clock.now_ms())
        self._signed = asyncio.Event()
        await self._signed.wait()

    def _found(self) -> Identity | None:
        value = self.table.get(IDENTITY)
        return None if value is None else decode_identity(value)

    def _identify(self, value: bytes) -> None:
        """Take note of a record that says whose ledger it is, when it is read."""
        signed: asyncio.Event | None = getattr(self, "_signed", None)
        found = decode_identity(value)
        if signed is None and not self._is_admitted:
            return
        if found is None or found.group_id != self._options.takeover.group_id:
            self._fail(ledger_identity.gone(found or Identity("", 0, "?"), self._options.topic))
        elif signed is not None:
            signed.set()

    # What must not happen.

    async def _miss_what_is_lost(self) -> None:
        """Fail when a durable record of ours does not come back though the follower has passed its place."""
        patience_seconds = self._options.lost_after_seconds
        while True:
            await asyncio.sleep(patience_seconds / 2)
            oldest = self._pending.oldest()
            is_late = oldest is not None and self._loop.time() - oldest.since_seconds > patience_seconds
            if oldest is None or not is_late or self._log.outstanding:
                continue
            await self.barrier()
            if self._pending.has(oldest):
                self._fail(
                    f"ledger.topic: a fact that topic {self._options.topic!r} had acknowledged is not in it. See "
                    "whether the topic was cut or recreated, or whether a broker lost data (min.insync.replicas of 2 "
                    "guards against that).",
                )
                return

    def _fail(self, why: str) -> None:
        self._failed_before = self._failed_before or why
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(self._failed_before)


def decoded(order_id: str, entries: Iterable[Entry]) -> dict[str, Fact]:
    """Return the facts of entries by their events' identities.

    A mark that parks an event stands under its event's identity, or, where the event has a fact, beside it.
    """
    facts: dict[str, Fact] = {}
    parked = []
    for entry in entries:
        event_id = entry.slot.event_id.decode()
        if entry.slot.is_parked:
            parked.append((event_id, entry.value))
        else:
            facts[event_id] = decode_fact(order_id, event_id, entry.value)
    for event_id, value in parked:
        name = f"{event_id} (parked)" if event_id in facts else event_id
        facts[name] = decode_fact(order_id, event_id, value)
    return facts
