# SPDX-License-Identifier: Apache-2.0
"""The order ledger in simulated time: one log for all replicas, and each replica's view of it.

Owns the delays (an append reaches the log later, every follower reads it later still), the death of a replica (what it
had appended may land, may land late, or not at all), compaction, and the table that is rebuilt from what is left. Takes
the rule by which an entry is clean from the code, and nothing else: what is known of an order is kept here in the
plainest way, every entry that was ever read included.
"""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.facts import NO_FACTS, Fact, Mark, MarkKind, OrderFacts, Refund
from connector.tables.ledger_clean import told_everything

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from random import Random


class Slot(NamedTuple):
    """What an entry replaces when it comes again; a mark that parks an event stands beside the event's own fact."""

    event_id: str
    is_parked: bool = False


class LogEntry(NamedTuple):
    """A record of the ledger's topic; ``fact`` is ``None`` for a tombstone."""

    order_id: str
    slot: Slot
    fact: Fact | None


class Delays(NamedTuple):
    """From how many seconds to how many each thing may take."""

    append: tuple[float, float] = (0.005, 0.05)
    follow: tuple[float, float] = (0.005, 0.3)
    late_append: tuple[float, float] = (0.5, 20.0)


class SimulatedLog:
    """The ledger's topic, shared by all replicas. An offset that compaction took is ``None``."""

    def __init__(self) -> None:
        """Begin empty."""
        self.entries: list[LogEntry | None] = []
        self.followers: list[SimulatedLedger] = []
        self.compacted = 0
        self._newest: dict[tuple[str, Slot], int] = {}
        self._superseded: list[int] = []

    def append(self, entry: LogEntry) -> int:
        """Put an entry at the end and return its offset."""
        offset = len(self.entries)
        self.entries.append(entry)
        key = entry.order_id, entry.slot
        before = self._newest.get(key)
        if before is not None:
            self._superseded.append(before)
        self._newest[key] = offset
        for follower in self.followers:
            follower.notice()
        return offset

    def compact(self) -> None:
        """Take away what a newer entry replaced, once every living follower has read it."""
        passed = min((follower.position for follower in self.followers), default=len(self.entries))
        kept = []
        for offset in self._superseded:
            if offset < passed:
                self.entries[offset] = None
                self.compacted += 1
            else:
                kept.append(offset)
        self._superseded = kept


class _Known:
    """What a replica has read of one order."""

    __slots__ = ("facts", "last", "told", "view")

    def __init__(self) -> None:
        self.facts: dict[Slot, Fact] = {}
        self.told: list[tuple[int, frozenset[str]]] = []
        self.last = -1
        self.view: OrderFacts | None = None

    def seen(self) -> OrderFacts:
        if self.view is None:
            facts = {slot.event_id: fact for slot, fact in self.facts.items() if not slot.is_parked}
            for (event_id, is_parked), fact in self.facts.items():
                if is_parked:
                    facts[f"{event_id} (parked)" if event_id in facts else event_id] = fact
            self.view = OrderFacts(MappingProxyType(facts), self.last)
        return self.view


class SimulatedLedger:
    """One replica's view: an :class:`~connector.engine.ports.OrderLedger`."""

    def __init__(self, log: SimulatedLog, random: Random, delays: Delays | None = None) -> None:
        """Follow the log from its beginning; nothing is known before :meth:`caught_up`."""
        self._log = log
        self._random = random
        self._delays = delays or Delays()
        self._orders: dict[str, _Known] = {}
        self._answers: dict[int, asyncio.Future[bool]] = {}
        self._on_their_way: dict[int, tuple[asyncio.TimerHandle, LogEntry]] = {}
        self._writes = 0
        self._barriers: list[tuple[int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_alive = True
        self.position = 0
        self.is_impatient = False
        self.judge: Callable[[bool], bool] = lambda is_clean: is_clean
        self.taken_in: Callable[[Fact, dict[Slot, Fact], Callable[[], bool]], None] = lambda *_: None
        log.followers.append(self)
        self.notice()

    # The port.

    async def caught_up(self) -> None:
        """Wait until all is read that the log held at the call."""
        await self.barrier()

    async def barrier(self) -> None:
        """Wait until all is read that the log holds now."""
        if self.position < (end := len(self._log.entries)):
            passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._barriers.append((end, passed))
            await passed

    def read(self, order_id: str) -> OrderFacts:
        """Return what was read of an order so far."""
        known = self._orders.get(order_id)
        return NO_FACTS if known is None else known.seen()

    def append(self, order_id: str, fact: Fact) -> Awaitable[bool]:
        """Put a fact on its way into the log; the answer comes when it was read back."""
        return self._write(LogEntry(order_id, slot_of(fact), fact))

    def remove(self, order_id: str, event_id: str, *, is_parked: bool = False) -> Awaitable[bool]:
        """Take a fact, or the mark that parks its event, out of the ledger."""
        return self._write(LogEntry(order_id, Slot(event_id, is_parked), None))

    async def waited_too_long(self) -> AsyncIterator[tuple[str, Fact]]:
        """Yield every refund that waits, if the ledger was told to be impatient."""
        for order_id, known in [*self._orders.items()]:
            for fact in [*known.facts.values()]:
                if self.is_impatient and isinstance(fact.said, Refund) and not fact.told:
                    yield order_id, fact

    async def take_out_expired(self) -> int:
        """Forget nothing: simulated time never reaches the horizon."""
        return 0

    # What may happen to it.

    def crash(self) -> None:
        """Die: of what is on its way, some lands now, some late (a broker had it already), and some never."""
        self._is_alive = False
        self._log.followers.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        for timer, entry in self._on_their_way.values():
            timer.cancel()
            match self._random.randrange(3):
                case 0:
                    self._log.append(entry)
                case 1:
                    loop.call_later(self._random.uniform(*self._delays.late_append), self._log.append, entry)
                case _:
                    pass
        self._on_their_way.clear()

    def notice(self) -> None:
        """Learn that there is something to read; it is read after a while."""
        if self._timer is None and self._is_alive:
            delay_seconds = self._random.uniform(*self._delays.follow)
            self._timer = asyncio.get_running_loop().call_later(delay_seconds, self._follow)

    def _follow(self) -> None:
        self._timer = None
        end = len(self._log.entries)
        # Not all at once: what a replica knows may end anywhere.
        self._read_until(end if self._random.random() < 0.7 else self._random.randint(self.position, end))
        if self.position < end:
            self.notice()

    def _read_until(self, end: int) -> None:
        while self.position < end:
            offset, self.position = self.position, self.position + 1
            entry = self._log.entries[offset]
            if entry is not None:
                self._read(offset, entry)
        passed = [each for each in self._barriers if each[0] <= self.position]
        if passed:
            self._barriers = [each for each in self._barriers if each[0] > self.position]
            for _, waiting in passed:
                if not waiting.done():
                    waiting.set_result(None)

    def _read(self, offset: int, entry: LogEntry) -> None:
        known = self._orders.setdefault(entry.order_id, _Known())
        known.view, known.last = None, offset
        if entry.fact is None:
            known.facts.pop(entry.slot, None)
        else:
            known.facts[entry.slot] = entry.fact
            self.taken_in(entry.fact, known.facts, lambda: _is_clean(offset, entry.fact, known))
        answer = self._answers.pop(offset, None)
        if answer is not None and not answer.done():
            answer.set_result(self.judge(_is_clean(offset, entry.fact, known)))
        if entry.fact is not None and not isinstance(entry.fact.said, Mark):
            known.told.append((offset, frozenset(entry.fact.told)))

    def _write(self, entry: LogEntry) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        self._writes += 1
        delay_seconds = self._random.uniform(*self._delays.append)
        timer = loop.call_later(delay_seconds, self._land, self._writes, entry, answer)
        self._on_their_way[self._writes] = timer, entry
        return answer

    def _land(self, number: int, entry: LogEntry, answer: asyncio.Future[bool]) -> None:
        del self._on_their_way[number]
        self._answers[self._log.append(entry)] = answer


def slot_of(fact: Fact) -> Slot:
    """Return what a fact replaces when it comes again."""
    return Slot(fact.event_id, isinstance(fact.said, Mark) and fact.said.kind is MarkKind.PARKED)


def _is_clean(offset: int, fact: Fact | None, known: _Known) -> bool:
    if fact is None or isinstance(fact.said, Mark):
        return True
    facts = [each for each in known.facts.values() if not isinstance(each.said, Mark)]
    if not fact.told:
        return all(isinstance(each.said, Refund) for each in facts)
    between = (told for each, told in known.told if fact.base < each < offset)
    return told_everything(frozenset(fact.told), {each.event_id for each in facts}, between)
