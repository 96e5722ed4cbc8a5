# SPDX-License-Identifier: Apache-2.0
"""Orders and facts for tests of the ledger's rules.

Owns short ways to write them down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.facts import Fact, Known, Observed, OrderFacts, Purchase, Refund, RefundedLine
from connector.domain.orders import LineItem, Order
from tests.support.commerce import amount

if TYPE_CHECKING:
    from connector.domain.facts import Said
    from connector.domain.money import Amount

DAY_MS = 86_400_000
PURCHASED_AT_MS = 1_500_971_032_000
"""When :func:`tests.support.commerce.purchase` happens."""


def line(sku: str, total: int, quantity: int = 1, identifier: str | None = None) -> LineItem:
    """Return a line; its identifier is its SKU unless it is another."""
    return LineItem(identifier or sku, total, quantity, sku)


def order(*lines: LineItem, total: int | None = None, currency: str = "USD") -> Order:
    """Return the order 1994 of these lines, worth their sum unless it is said to be worth something else."""
    worth = sum(each.total for each in lines) if total is None else total
    return Order("1994", worth, currency, "2017-07-25T08:23:52Z", lines)


def refund(  # noqa: PLR0913  one for each field of a refund
    *lines: RefundedLine,
    gross: str | None = None,
    tax: str | None = None,
    shipping: str | None = None,
    currency: str | None = None,
    is_new_total: bool = False,
    is_order_level: bool = False,
) -> Refund:
    """Return a refund; amounts in the major unit."""
    return Refund(lines, _some(gross), _some(tax), _some(shipping), currency, is_new_total, is_order_level)


def _some(text: str | None) -> Amount | None:
    return None if text is None else amount(text)


def refunded(sku: str, quantity: int | None = None, price: str | None = None) -> RefundedLine:
    """Return a product of a refund."""
    return RefundedLine(sku, None, quantity, None if price is None else amount(price), None)


def bought(what: Order, gross: int | None = None) -> Purchase:
    """Return a purchase."""
    return Purchase(what, gross)


def fact(event_id: str, said: Said, at: int = 0, call: str = "update") -> Fact:
    """Return a fact that was told with the call; ``at`` is in milliseconds after the purchase, no call is waiting."""
    return Fact(event_id, said, PURCHASED_AT_MS + at, (event_id,) if call else (), 0, call)


def waiting(event_id: str, said: Refund, at: int = 0) -> Fact:
    """Return the fact of a refund that waits for its purchase."""
    return fact(event_id, said, at, call="")


def observed(what: Order, *, is_cancelled: bool = False) -> Fact:
    """Return the fact of what Button showed."""
    return fact("observed", Observed(what, is_cancelled), call="")


def known(
    *facts: Fact,
    identity: str = "m:new",
    last: int = 41,
    is_absent: bool = False,
    horizon_ms: int | None = None,
) -> Known:
    """Return what is known a day after the purchase."""
    held = OrderFacts({each.event_id: each for each in facts}, last if facts else -1)
    return Known(identity, held, is_absent, PURCHASED_AT_MS + DAY_MS, horizon_ms)
