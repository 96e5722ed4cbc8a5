# SPDX-License-Identifier: Apache-2.0
"""The state of an order: the fold of its facts.

Owns what the facts of an order add up to. Pure, and the same in whatever order the facts are given: what must come in
an order is put into one by what the events say themselves, never by when they arrived.

- The current purchase is the one that happened last. What Button showed (*observed*) stands in for it only while no
  event has told of one, and no refund waits for one: the purchase may have been told less that refund, by one who died
  before it could write that down, and the refund would be taken off twice. Of what was shown at several times it is the
  most: the others had refunds taken off already.
- Refunds are taken off it in the order in which they happened. One that cannot be applied to it is left out and named.
- A cancel is for ever: once Button was told to cancel, or showed the order as cancelled, nothing undoes it.
- Marks take no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.balances import Balance, opened, order_left, take
from connector.domain.facts import Fact, Mark, Observed, Purchase, Refund
from connector.domain.orders import Operation, Reject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.domain.orders import Order


class Status(StrEnum):
    """How an order stands. ``WAITING``: only refunds are known, and their purchase is yet to come."""

    UNKNOWN = "unknown"
    WAITING = "waiting"
    OPEN = "open"
    CANCELLED = "cancelled"


class Inapplicable(NamedTuple):
    """A refund that its order has no place for, and why."""

    event_id: str
    reject: Reject


class OrderState(NamedTuple):
    """What an order has come to.

    ``order`` is its full current state, there only while it is open; ``balance`` what is left of its purchase, there
    wherever that is known.
    """

    status: Status
    order: Order | None = None
    balance: Balance | None = None
    inapplicable: tuple[Inapplicable, ...] = ()


UNKNOWN = OrderState(Status.UNKNOWN)


def fold(facts: Mapping[str, Fact] | Iterable[Fact]) -> OrderState:
    """Return the state that the facts of an order add up to."""
    events = in_order(facts)
    if not events:
        return UNKNOWN
    base = base_of(events)
    is_cancelled = is_called_off(events)
    if base is None:
        return OrderState(Status.CANCELLED if is_cancelled else Status.WAITING)
    balance, inapplicable = _less_refunds(base, events)
    if is_cancelled or balance.is_empty:
        return OrderState(Status.CANCELLED, None, balance, inapplicable)
    return OrderState(Status.OPEN, order_left(balance), balance, inapplicable)


def in_order(facts: Mapping[str, Fact] | Iterable[Fact]) -> list[Fact]:
    """Return the facts that count, without marks, in the order in which their events happened."""
    values = facts.values() if isinstance(facts, Mapping) else facts
    return sorted((fact for fact in values if not isinstance(fact.said, Mark)), key=when)


def when(fact: Fact) -> tuple[int, str]:
    """Return what orders facts: the time of the event, and its identity where two have the same time."""
    return fact.occurred_at_ms, fact.event_id


def base_of(events: Iterable[Fact]) -> Balance | None:
    """Return the purchase, with nothing taken back yet, of facts that are in order; ``None`` if it is not known."""
    events = list(events)
    purchases = [fact.said for fact in events if isinstance(fact.said, Purchase)]
    if purchases:
        return opened(purchases[-1].order, purchases[-1].gross_total)
    if any(isinstance(fact.said, Refund) and not fact.told for fact in events):
        return None
    observed = shown_at_button(events)
    return None if observed is None else opened(observed.order, None)


def shown_at_button(events: Iterable[Fact]) -> Observed | None:
    """Return the most that Button ever showed of the order, ``None`` where it was not asked or showed nothing."""
    shown = [fact.said for fact in events if isinstance(fact.said, Observed)]
    return max(shown, key=lambda each: (each.order.total, len(each.order.line_items)), default=None)


def is_called_off(events: Iterable[Fact]) -> bool:
    """Return whether Button was told to cancel the order, or showed it as cancelled."""
    return any(_is_cancel(fact) for fact in events)


def _is_cancel(fact: Fact) -> bool:
    return fact.call == Operation.CANCEL or (isinstance(fact.said, Observed) and fact.said.is_cancelled)


def _less_refunds(balance: Balance, events: Iterable[Fact]) -> tuple[Balance, tuple[Inapplicable, ...]]:
    inapplicable = []
    for fact in events:
        if isinstance(fact.said, Refund):
            taken = take(balance, fact.said)
            if isinstance(taken, Reject):
                inapplicable.append(Inapplicable(fact.event_id, taken))
            else:
                balance = taken.balance
    return balance, tuple(inapplicable)
