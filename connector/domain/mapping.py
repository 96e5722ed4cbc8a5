# SPDX-License-Identifier: Apache-2.0
"""A purchase as the order that Button is told.

Owns the way from an event's fields to an order's. What Button could not take, or would have to be guessed, is a
reject that names the field, never a repaired value.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from connector.domain.amounts import minor_units_of, total_of
from connector.domain.customers import customer_from
from connector.domain.lines import lines_from
from connector.domain.money import Amount, Currency, find_currency
from connector.domain.orders import LineItem, Order, Reject
from connector.domain.policy import TotalFrom

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent
    from connector.domain.policy import Policy

CHANNELS = frozenset(("app", "webview"))
"""All that Button takes; an order of the open web has no channel."""

_MAX_ORDER_ID_CHARACTERS = 255
_MAX_CUSTOMER_ORDER_ID_BYTES = 255
_MAX_SHOWN_CHARACTERS = 60
_YEAR_10000_MS = 253_402_300_800_000

# Clients resolve these two in a path whether they are percent-encoded or not: such an order could never be cancelled.
_UNADDRESSABLE_IDS = frozenset((".", ".."))


def order_from(event: CommerceEvent, token: str | None, policy: Policy) -> Order | Reject:
    """Return the order that a purchase describes; ``token`` is its attribution token, already checked."""
    order_id = order_id_from(event)
    if isinstance(order_id, Reject):
        return order_id
    currency = _currency(event.currency, policy)
    if isinstance(currency, Reject):
        return currency
    name, unix_ms = "occurred_at", event.occurred_at_ms
    if event.purchased_at_ms is not None:
        name, unix_ms = "product_action.purchased_at", event.purchased_at_ms
    purchase_date = _date(name, "invalid_purchase_date", unix_ms)
    if isinstance(purchase_date, Reject):
        return purchase_date
    lines = lines_from(event, currency, policy)
    if isinstance(lines, Reject):
        return lines
    total = _total(event, lines, currency, policy)
    if isinstance(total, Reject):
        return total
    order = Order(order_id, total, currency.code, purchase_date, lines, token, customer_from(event, policy))
    has_extras = event.customer_order_id or event.order_channel or event.finalized_at_ms is not None
    return _with_extras(order, event, policy) if has_extras else order


def order_id_from(event: CommerceEvent) -> str | Reject:
    """Return the id by which Button knows the order, as the shop gave it."""
    order_id = event.order_id
    if order_id is None or not order_id or order_id.isspace():
        return Reject(
            "missing_transaction_id",
            "product_action.transaction_id is absent or blank; send the id under which the shop keeps the order",
        )
    if order_id.isascii() and len(order_id) <= _MAX_ORDER_ID_CHARACTERS and order_id not in _UNADDRESSABLE_IDS:
        return order_id
    return Reject(
        "invalid_transaction_id",
        f"product_action.transaction_id is {order_id[:_MAX_SHOWN_CHARACTERS]!a} ({len(order_id)} characters); "
        f"Button takes at most {_MAX_ORDER_ID_CHARACTERS} characters, all ASCII, and no path segment made of dots; "
        "send such an id for this order, the same in its refund",
    )


def _with_extras(order: Order, event: CommerceEvent, policy: Policy) -> Order | Reject:
    """Add what few events have."""
    if event.customer_order_id:
        if len(event.customer_order_id.encode()) > _MAX_CUSTOMER_ORDER_ID_BYTES:
            return Reject(
                "customer_order_id_too_long",
                f"product_action.customer_order_id has {len(event.customer_order_id)} characters, Button takes "
                f"{_MAX_CUSTOMER_ORDER_ID_BYTES} bytes of UTF-8; send the order number that the customer was told",
            )
        order = order._replace(customer_order_id=event.customer_order_id)
    if event.order_channel and (channel := event.order_channel.strip().lower()) in CHANNELS:
        order = order._replace(partner_order_channel=channel)
    if policy.sends_finalization_date and event.finalized_at_ms is not None:
        finalization_date = _date("product_action.finalized_at", "invalid_finalization_date", event.finalized_at_ms)
        if isinstance(finalization_date, Reject):
            return finalization_date
        order = order._replace(finalization_date=finalization_date)
    return order


def _currency(code: str | None, policy: Policy) -> Currency | Reject:
    if code is None or not code or code.isspace():
        code = policy.default_currency
    if code is None:
        return Reject(
            "missing_currency",
            "currency_code is absent; send the currency of the amounts as an ISO 4217 code, or, if all events without "
            "one are in the same currency, set policy.default_currency; it is never guessed",
        )
    return find_currency(code) or Reject(
        "unknown_currency",
        f"currency_code is {code[:_MAX_SHOWN_CHARACTERS]!a}, which ISO 4217 does not list as a currency with a minor "
        "unit; send one of its three-letter codes, such as USD",
    )


def _date(name: str, reason: str, unix_ms: int) -> str | Reject:
    """Return Unix milliseconds as ISO 8601 in UTC, as Button writes it; milliseconds only where there are any."""
    if not 0 <= unix_ms < _YEAR_10000_MS:
        return Reject(
            reason,
            f"{name} is {Amount(unix_ms, 0)}, which is no time between the years 1970 and 9999; "
            "send Unix time in milliseconds",
        )
    minutes, milliseconds = divmod(unix_ms, 60_000)
    seconds, milliseconds = divmod(milliseconds, 1000)
    fraction = f".{milliseconds:03}" if milliseconds else ""
    return f"{_minute(minutes)}:{seconds:02}{fraction}Z"


@lru_cache(maxsize=4096)
def _minute(unix_minutes: int) -> str:
    """Return a minute as ISO 8601 without its zone; orders come in the order of time, so most minutes come again."""
    return datetime.fromtimestamp(unix_minutes * 60, UTC).isoformat()[:16]


def _total(event: CommerceEvent, lines: tuple[LineItem, ...], currency: Currency, policy: Policy) -> int | Reject:
    if event.total_amount is not None and not (lines and policy.total_from is TotalFrom.LINES):
        total = _net_total(event, event.total_amount, currency)
        return _added_up(total, lines) if policy.lines_must_add_up and lines and isinstance(total, int) else total
    if lines:
        return total_of("the sum of product_action.products", sum(line.total for line in lines))
    return Reject(
        "missing_total",
        "product_action has neither total_amount nor products; send the order's total or its products with prices",
    )


def _net_total(event: CommerceEvent, gross: Amount, currency: Currency) -> int | Reject:
    """Return the commissionable total: mParticle's total less the tax and shipping that are in it."""
    if gross.unscaled < 0:
        return total_of(f"product_action.total_amount of {gross}", gross.unscaled)
    net = minor_units_of("product_action.total_amount", gross, currency)
    if isinstance(net, Reject):
        return net
    for name, amount in (
        ("product_action.tax_amount", event.tax_amount),
        ("product_action.shipping_amount", event.shipping_amount),
    ):
        if amount is not None:
            part = minor_units_of(name, amount, currency)
            if isinstance(part, Reject):
                return part
            net -= part
    return total_of("product_action.total_amount less tax_amount and shipping_amount", net)


def _added_up(total: int, lines: tuple[LineItem, ...]) -> int | Reject:
    in_lines = sum(line.total for line in lines)
    if in_lines == total:
        return total
    return Reject(
        "lines_do_not_add_up",
        f"product_action.products come to {in_lines} minor units, the total net of tax and shipping is {total}; send "
        "lines net of discounts and tax, or set policy.lines_must_add_up to false",
    )
