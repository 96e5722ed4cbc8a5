# SPDX-License-Identifier: Apache-2.0
"""What every order ledger promises the engine, whatever its log is made of.

Owns the cases. A subclass gives two replicas on one log; nothing here knows how facts are written or followed.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pytest

from connector.domain.facts import NO_FACTS, OBSERVED_ID, Fact, Mark, MarkKind, Observed, Purchase, Refund
from connector.domain.orders import LineItem, Order

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from connector.engine.ports import OrderLedger

NOW_MS = 1_772_366_400_000
ORDER = "M-1"


@runtime_checkable
class Removes(Protocol):
    """What commands do to a ledger besides."""

    def remove(self, order_id: str, event_id: str, *, is_parked: bool = False) -> Awaitable[bool]:
        """Take a fact, or the mark that parks its event, out of the ledger."""


class Replicas(Protocol):
    """The replicas of one log."""

    async def open(self) -> OrderLedger:
        """Return a new replica that has caught up."""

    async def append_late(self, order_id: str, fact: Fact) -> None:
        """Put into the log what a writer that is dead by now had sent."""


def order(order_id: str = ORDER, total: int = 1000) -> Order:
    """Return an order of one line."""
    return Order(order_id, total, "USD", "2026-03-01T12:00:00Z", (LineItem("a", total, 1),), "srctok-a")


def purchase(event_id: str, *others: str, base: int = -1, total: int = 1000) -> Fact:
    """Return the fact of a purchase that was told together with others."""
    told = (*others, event_id)
    return Fact(event_id, Purchase(order(total=total), None), NOW_MS, told, base, "create", "applied")


def refund(event_id: str, *others: str, base: int = -1) -> Fact:
    """Return the fact of a refund that was told together with others."""
    return Fact(event_id, Refund(), NOW_MS, (*others, event_id), base, "cancel", "applied")


def waiting(event_id: str) -> Fact:
    """Return the fact of a refund that waits for its purchase."""
    return Fact(event_id, Refund(), NOW_MS)


def mark(event_id: str, kind: MarkKind = MarkKind.PARKED) -> Fact:
    """Return a mark."""
    return Fact(event_id, Mark(kind, "why"), NOW_MS)


def observed(base: int = -1) -> Fact:
    """Return the fact of what Button showed."""
    return Fact(OBSERVED_ID, Observed(order()), NOW_MS, base=base)


async def last(ledger: OrderLedger, order_id: str = ORDER) -> int:
    """Return the offset of the order's newest entry, when all that the log holds now is known."""
    await ledger.barrier()
    return ledger.read(order_id).last


class LedgerContract(abc.ABC):
    """The cases."""

    @pytest.fixture
    @abc.abstractmethod
    def replicas(self) -> Replicas:
        """Give the replicas of a log that is empty."""

    async def test_an_order_that_nobody_wrote_is_absent(self, replicas: Replicas) -> None:
        """Absent is no facts, and no entry to build on."""
        ledger = await replicas.open()
        assert ledger.read("nobody's") == NO_FACTS

    async def test_a_fact_alone_is_clean_and_known_when_that_is_said(self, replicas: Replicas) -> None:
        """Whoever is told that an entry is clean finds it in the ledger, on every replica that has caught up [20]."""
        first, second = await replicas.open(), await replicas.open()
        assert await first.append(ORDER, purchase("p")) is True
        assert first.read(ORDER).facts["p"].told == ("p",)
        assert first.read(ORDER).last >= 0
        await second.barrier()
        assert second.read(ORDER).facts["p"].said == Purchase(order(), None)

    async def test_orders_know_nothing_of_one_another(self, replicas: Replicas) -> None:
        """Facts of other orders are not told, and make nothing unclean."""
        ledger = await replicas.open()
        answers = [ledger.append(f"M-{each}", purchase(f"p{each}")) for each in range(50)]
        assert [await each for each in answers] == [True] * 50
        assert set(ledger.read("M-7").facts) == {"p7"}

    async def test_of_two_that_cross_the_later_is_unclean_until_it_has_told_both(self, replicas: Replicas) -> None:
        """Each knew nothing of the other; the one that lies behind must tell again, and then is clean [34]."""
        first, second = await replicas.open(), await replicas.open()
        assert await first.append(ORDER, purchase("p")) is True
        assert await second.append(ORDER, refund("r")) is False
        base = second.read(ORDER).last
        assert set(second.read(ORDER).facts) == {"p", "r"}
        assert await second.append(ORDER, refund("r", "p", base=base)) is True

    async def test_an_entry_that_knew_less_lies_between(self, replicas: Replicas) -> None:
        """It told everything itself, but a call that knew less may have landed after its own: told again."""
        ledger = await replicas.open()
        assert await ledger.append(ORDER, purchase("p")) is True
        base = ledger.read(ORDER).last
        await replicas.append_late(ORDER, purchase("p"))
        assert await ledger.append(ORDER, refund("r", "p", base=base)) is False
        assert await ledger.append(ORDER, refund("r", "p", base=await last(ledger))) is True

    async def test_an_entry_that_was_written_again_meanwhile_still_counts(self, replicas: Replicas) -> None:
        """Its call was made, whatever stands in its place by now."""
        ledger = await replicas.open()
        await ledger.append(ORDER, purchase("p"))
        await ledger.append(ORDER, refund("r", "p", base=ledger.read(ORDER).last))
        base = ledger.read(ORDER).last
        await replicas.append_late(ORDER, purchase("p"))
        await replicas.append_late(ORDER, purchase("p", "r", base=base))
        assert await ledger.append(ORDER, refund("r", "p", base=base)) is False

    async def test_to_have_read_a_fact_is_not_to_have_told_it(self, replicas: Replicas) -> None:
        """Whatever its writer knew: what counts is what Button was told."""
        ledger = await replicas.open()
        await ledger.append(ORDER, purchase("p"))
        assert await ledger.append(ORDER, refund("r", base=ledger.read(ORDER).last)) is False

    async def test_what_lies_before_the_base_is_settled(self, replicas: Replicas) -> None:
        """An entry that told less and had been read is made good by the call that followed."""
        ledger = await replicas.open()
        await replicas.append_late(ORDER, purchase("p"))
        await replicas.append_late(ORDER, refund("r"))
        assert await ledger.append(ORDER, purchase("p", "r", base=await last(ledger))) is True

    async def test_a_repeat_replaces_its_own_fact_only(self, replicas: Replicas) -> None:
        """One fact for each event, its newest; the order's others stay as they are."""
        ledger = await replicas.open()
        await ledger.append(ORDER, purchase("p"))
        await ledger.append(ORDER, refund("r", "p", base=ledger.read(ORDER).last))
        before = ledger.read(ORDER).last
        await ledger.append(ORDER, purchase("p", "r", base=before, total=700))
        known = ledger.read(ORDER)
        assert {name: fact.told for name, fact in known.facts.items()} == {"p": ("r", "p"), "r": ("p", "r")}
        assert known.last > before

    async def test_a_refund_waits_cleanly_while_there_is_nothing_to_tell_it_with(self, replicas: Replicas) -> None:
        """Refunds may gather before their purchase; beside it, waiting would be for ever."""
        ledger = await replicas.open()
        assert await ledger.append(ORDER, waiting("r1")) is True
        assert await ledger.append(ORDER, waiting("r2")) is True
        base = ledger.read(ORDER).last
        assert await ledger.append(ORDER, purchase("p", "r1", "r2", base=base)) is True
        assert await ledger.append(ORDER, waiting("r3")) is False

    async def test_a_purchase_must_tell_the_refunds_that_waited(self, replicas: Replicas) -> None:
        """Else a refund that came first, on another replica, would never be told."""
        first, second = await replicas.open(), await replicas.open()
        assert await first.append(ORDER, waiting("r")) is True
        assert await second.append(ORDER, purchase("p")) is False
        assert await second.append(ORDER, purchase("p", "r", base=second.read(ORDER).last)) is True

    async def test_marks_are_clean_and_part_of_nothing(self, replicas: Replicas) -> None:
        """A mark needs not be told, and stands beside the fact of its event or in the place of a refund given up."""
        ledger = await replicas.open()
        await ledger.append(ORDER, waiting("r"))
        assert await ledger.append(ORDER, mark("p")) is True
        assert await ledger.append(ORDER, mark("r", MarkKind.GIVEN_UP)) is True
        assert ledger.read(ORDER).facts["r"].said == Mark(MarkKind.GIVEN_UP, "why")
        assert ledger.read(ORDER).facts["p"].said == Mark(MarkKind.PARKED, "why")
        assert await ledger.append(ORDER, purchase("p", base=ledger.read(ORDER).last)) is True
        said = [fact.said for fact in ledger.read(ORDER).facts.values() if fact.event_id == "p"]
        assert sorted(type(each).__name__ for each in said) == ["Mark", "Purchase"]

    async def test_a_parked_order_is_freed_by_taking_the_mark_away(self, replicas: Replicas) -> None:
        """What commands take out of the ledger is gone on every replica."""
        first, second = await replicas.open(), await replicas.open()
        await first.append(ORDER, mark("p"))
        assert isinstance(first, Removes)
        await first.remove(ORDER, "p", is_parked=True)
        await second.barrier()
        assert not first.read(ORDER).facts
        assert not second.read(ORDER).facts

    async def test_what_button_showed_is_a_fact_that_must_be_told(self, replicas: Replicas) -> None:
        """A refund that was computed without it is told again."""
        first, second = await replicas.open(), await replicas.open()
        await first.append(ORDER, observed())
        assert await second.append(ORDER, refund("r")) is False
        base = second.read(ORDER).last
        assert await second.append(ORDER, refund("r", OBSERVED_ID, base=base)) is True

    async def test_behind_a_barrier_all_that_was_written_before_is_known(self, replicas: Replicas) -> None:
        """An heir decides nothing before it knows what the former owner wrote [6, 14]."""
        first, second = await replicas.open(), await replicas.open()
        for number in range(20):
            await first.append(f"M-{number}", purchase(f"p{number}"))
        await second.barrier()
        assert all(second.read(f"M-{number}").facts for number in range(20))

    async def test_a_replica_that_begins_with_nothing_knows_the_same(self, replicas: Replicas) -> None:
        """The log is the truth: the table can always be made anew from it."""
        first = await replicas.open()
        await first.append(ORDER, purchase("p"))
        await first.append(ORDER, refund("r", "p", base=first.read(ORDER).last))
        await first.append("M-2", waiting("r"))
        later = await replicas.open()
        assert [later.read(each) for each in (ORDER, "M-2")] == [first.read(each) for each in (ORDER, "M-2")]
