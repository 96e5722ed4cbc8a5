# SPDX-License-Identifier: Apache-2.0
"""A purchase as the order that Button is told.

Owns the way from an event's fields to an order's. What Button could not take, or would have to be guessed, is a
reject that names the field, never a repaired value.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from connector.domain.amounts import minor_units_of, total_of
from connector.domain.lines import lines_from
from connector.domain.money import Amount, Currency, find_currency
from connector.domain.orders import Customer, LineItem, Order, Reject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain.events import CommerceEvent

_MAX_ORDER_ID_CHARACTERS = 255
_MAX_SHOWN_CHARACTERS = 60
_YEAR_10000_MS = 253_402_300_800_000

# Clients resolve these two in a path whether they are percent-encoded or not: such an order could never be cancelled.
_UNADDRESSABLE_IDS = frozenset((".", ".."))

# mParticle's documents, its Python SDK and its Firehose each have their own name for it.
_CUSTOMER_ID_TYPES = ("customer_id", "customerid", "customer")


def order_from(event: CommerceEvent, token: str | None) -> Order | Reject:
    """Return the order that a purchase describes; ``token`` is its attribution token, already checked."""
    order_id = order_id_from(event)
    if isinstance(order_id, Reject):
        return order_id
    currency = _currency(event.currency)
    if isinstance(currency, Reject):
        return currency
    purchase_date = _purchase_date(event.occurred_at_ms)
    if isinstance(purchase_date, Reject):
        return purchase_date
    lines = lines_from(event.products, currency)
    if isinstance(lines, Reject):
        return lines
    total = _total(event, lines, currency)
    if isinstance(total, Reject):
        return total
    return Order(order_id, total, currency.code, purchase_date, lines, token, _customer(event.identities))


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


def hash_email(address: str) -> str | None:
    """Return the SHA-256 that Button knows an e-mail address by, in lower-case hex; ``None`` for a blank one."""
    canonical = address.strip().lower()
    return sha256(canonical.encode()).hexdigest() if canonical else None


def _currency(code: str | None) -> Currency | Reject:
    if code is None or not code or code.isspace():
        return Reject(
            "missing_currency",
            "currency_code is absent; send the currency of the amounts as an ISO 4217 code, it is never guessed",
        )
    return find_currency(code) or Reject(
        "unknown_currency",
        f"currency_code is {code[:_MAX_SHOWN_CHARACTERS]!a}, which ISO 4217 does not list as a currency with a minor "
        "unit; send one of its three-letter codes, such as USD",
    )


def _purchase_date(occurred_at_ms: int) -> str | Reject:
    """Return Unix milliseconds as ISO 8601 in UTC, as Button writes it; milliseconds only where there are any."""
    if not 0 <= occurred_at_ms < _YEAR_10000_MS:
        return Reject(
            "invalid_purchase_date",
            f"occurred_at is {Amount(occurred_at_ms, 0)}, which is no time between the years 1970 and 9999; "
            "send Unix time in milliseconds",
        )
    seconds, milliseconds = divmod(occurred_at_ms, 1000)
    date_and_time = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    return f"{date_and_time}.{milliseconds:03}Z" if milliseconds else f"{date_and_time}Z"


def _total(event: CommerceEvent, lines: tuple[LineItem, ...], currency: Currency) -> int | Reject:
    if event.total_amount is not None:
        return _net_total(event, event.total_amount, currency)
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


def _customer(identities: Mapping[str, str]) -> Customer | None:
    customer_id = None
    for name in _CUSTOMER_ID_TYPES:
        customer_id = customer_id or identities.get(name) or None
    email_sha256 = hash_email(identities.get("email") or "")
    return None if customer_id is None and email_sha256 is None else Customer(customer_id, email_sha256)
