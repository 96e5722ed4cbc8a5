# SPDX-License-Identifier: Apache-2.0
"""Orders as Button is told them, and what may be decided about an event.

Owns the data between the rules (mapping, lifecycle) and the wire (the Button client). Knows nothing of HTTP.

What an order is made of are named tuples, which are quick to make. Decisions are dataclasses, because two decisions
of different types must never be equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain.facts import Fact


class Operation(StrEnum):
    """A call of Button's Order API."""

    CREATE = "create"
    UPDATE = "update"
    CANCEL = "cancel"
    LOOKUP = "lookup"


class LineItem(NamedTuple):
    """One line of an order; ``total`` is the whole line in minor units, net of discounts and taxes."""

    identifier: str
    total: int
    quantity: int
    sku: str | None = None
    description: str | None = None
    category: tuple[str, ...] = ()
    attributes: Mapping[str, str] | None = None
    upc: str | None = None


class Customer(NamedTuple):
    """The customer; an e-mail address is only ever its SHA-256. A first purchase has one flag of two names."""

    id: str | None = None
    email_sha256: str | None = None
    device_id: str | None = None
    is_new: bool | None = None
    is_new_user: bool | None = None


class Order(NamedTuple):
    """The full current state of an order; ``total`` in minor units, dates ISO 8601 in UTC."""

    order_id: str
    total: int
    currency: str
    purchase_date: str
    line_items: tuple[LineItem, ...]
    btn_ref: str | None = None
    customer: Customer | None = None
    customer_order_id: str | None = None
    partner_order_channel: str | None = None
    finalization_date: str | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Report the order. ``fact`` is written to the ledger once Button has acknowledged it, where there is a ledger."""

    order: Order
    fact: Fact | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Tell the order's full current state. ``fact`` as in :class:`Create`."""

    order: Order
    fact: Fact | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take the whole order back; it cannot be reversed. ``fact`` as in :class:`Create`."""

    order_id: str
    fact: Fact | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """Ask Button for the order, and decide again with what it shows."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Await:
    """Write a fact that waits for its purchase; nothing is told."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Note:
    """Write a fact without a call: Button holds already what would be told (``reason`` is counted)."""

    fact: Fact
    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """The event is not for Button; ``reason`` is a stable name that is counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The event can never be delivered as it is; it becomes a dead letter.

    ``reason`` is a stable code; ``message`` names the field, what is wrong with it and the remedy, and never holds
    personal data.
    """

    reason: str
    message: str


Call = Create | Update | Cancel | Lookup
"""What is asked of Button."""

Decision = Create | Update | Cancel | Lookup | Await | Note | Skip | Reject
"""What :func:`connector.domain.lifecycle.decide` may return."""
