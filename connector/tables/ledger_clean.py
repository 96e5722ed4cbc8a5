# SPDX-License-Identifier: Apache-2.0
"""When an entry of the ledger is *clean*: whether Button can have missed anything by the call that was made with it.

Owns the rule and the memory that it needs. Two replicas may decide about one order at once and their calls may cross,
so what a writer knew is compared with what lay in the log before its entry. The entries between its base (the last one
that its writer had read) and itself are those whose calls may have crossed with its own: if all of them told
everything, it does not matter which landed last.

An entry that was written again is gone from the table, but its call was made: it counts all the same. Such entries are
remembered for the orders that were read lately, because a decision may be under way there. An order of several facts
that is not remembered has no clean entry, which costs one more call and loses nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from connector.domain.facts import UnreadableFactError
from connector.tables.fact_codec import MARK, REFUND, kind_of, told_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from connector.tables.ledger_entries import Entry

_MOST_WATCHED_ORDERS = 50_000
_NONE: Final[list[Entry]] = []
"""Shared by the orders of which nothing was replaced; never appended to."""
_NEW: Final[list[Entry]] = []
"""Shared by the orders of which nothing is in the table at all, which are nearly all; never appended to."""


class Claim(NamedTuple):
    """What a writer says of its entry: what it told (nothing: it waits) on top of which base."""

    told: tuple[str, ...]
    base: int


def told_everything(
    told: AbstractSet[str],
    known: AbstractSet[str],
    between: Iterable[AbstractSet[str]],
) -> bool:
    """Return whether an entry, and all that it may have crossed, told all that is known at its place."""
    return told >= known and all(other >= known for other in between)


def is_clean(claim: Claim, offset: int, entries: Sequence[Entry], replaced: Sequence[Entry] | None) -> bool:
    """Return whether the entry at this offset is clean.

    ``entries`` are the order's at that place in the log, itself included; ``replaced`` those that were there since it
    was decided, ``None`` if that is not known. A mark takes no part. An entry that waits is clean while there is
    nothing that it could be told with.
    """
    if len(entries) == 1 and claim.told:
        return True
    facts = [each for each in entries if kind_of(each.value) != MARK]
    if not claim.told:
        return all(kind_of(each.value) == REFUND for each in facts)
    if len(facts) == 1:
        # Whoever told anything of this order told this event; of what waited there is nothing left.
        return facts[0].offset == offset
    if replaced is None:
        return False
    known = {each.slot.event_id.decode() for each in facts}
    try:
        return told_everything(frozenset(claim.told), known, _told_between(claim.base, offset, [*facts, *replaced]))
    except UnreadableFactError:
        return False  # What is decided anew says so.


def _told_between(base: int, offset: int, entries: Iterable[Entry]) -> Iterator[frozenset[str]]:
    for each in entries:
        if base < each.offset != offset and kind_of(each.value) != MARK:
            yield told_of(each.slot.event_id.decode(), each.value)


class Watched:
    """The orders of which a decision may be under way, each with the entries that were replaced meanwhile."""

    def __init__(self, most_orders: int = _MOST_WATCHED_ORDERS) -> None:
        """Begin with none."""
        self._most_orders = most_orders
        self._replaced: dict[str, list[Entry]] = {}

    def begin(self, order_id: str, *, is_new: bool = False) -> None:
        """Note that an order was read, and whether nothing was there: from now on what is replaced is remembered."""
        replaced = self._replaced
        replaced[order_id] = replaced.pop(order_id, _NONE) or (_NEW if is_new else _NONE)
        if len(replaced) > self._most_orders:
            del replaced[next(iter(replaced))]

    def is_new(self, order_id: str) -> bool:
        """Whether nothing is in the table of an order that was read: nothing was, and nothing came since."""
        return self._replaced.get(order_id) is _NEW

    def came(self, order_id: str) -> None:
        """Note that something of the order is in the table now."""
        if self._replaced.get(order_id) is _NEW:
            self._replaced[order_id] = _NONE

    def end(self, order_id: str) -> Sequence[Entry] | None:
        """Return what was replaced since the order was read, and forget it; ``None`` if that is not known."""
        return self._replaced.pop(order_id, None)

    def note(self, order_id: str, entry: Entry) -> None:
        """Remember an entry that another one has replaced, if a decision may be under way."""
        kept = self._replaced.get(order_id)
        if kept is not None:
            self._replaced[order_id] = [*kept, entry]
