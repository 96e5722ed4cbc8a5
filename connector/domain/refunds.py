# SPDX-License-Identifier: Apache-2.0
"""What a refund event says.

Owns the reading of it, and the refusal of what could never be applied to any order. What it means for an order is in
:mod:`connector.domain.balances`. The meaning of an amount is the policy's at the time of reading, and becomes a part
of what was said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.amounts import minor_units_of
from connector.domain.facts import Refund, RefundedLine
from connector.domain.money import MAX_MINOR_UNITS, find_currency, to_whole
from connector.domain.orders import Reject
from connector.domain.policy import AmountRefundLines, RefundAmountIs

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent, Product
    from connector.domain.money import Amount, Currency
    from connector.domain.policy import Policy

_MAX_SHOWN_CHARACTERS = 60

# What a fact's numbers hold. No sum of money in any currency needs more.
_MAX_BITS = 63
_MAX_SCALE = 18


def refund_from(event: CommerceEvent, policy: Policy) -> Refund | Reject:
    """Return what the event takes back, or the reject of what cannot be applied to any order."""
    is_new_total = policy.refund_amount_is is RefundAmountIs.NEW_TOTAL
    if not event.products and event.total_amount is None:
        return Refund()
    currency = _currency(event.currency)
    if isinstance(currency, Reject):
        return currency
    amounts = event.total_amount, event.tax_amount, event.shipping_amount
    names = "product_action.total_amount", "product_action.tax_amount", "product_action.shipping_amount"
    for name, amount in zip(names, amounts, strict=True):
        problem = None if amount is None else _problem(name, amount, currency)
        if problem is not None:
            return problem
    if not (event.products or is_new_total) and event.total_amount is not None and not event.total_amount.unscaled:
        return Reject(
            "empty_refund",
            "product_action.total_amount of the refund is 0 and it names no products, so it takes nothing back; send "
            "what was given back, or leave total_amount out to take back the whole order",
        )
    lines = _lines(event.products)
    if isinstance(lines, Reject):
        return lines
    code = None if currency is None else currency.code
    is_order_level = policy.amount_refund_lines is AmountRefundLines.ORDER_LEVEL
    return Refund(lines, *amounts, code, is_new_total, is_order_level)


def _currency(code: str | None) -> Currency | Reject | None:
    if code is None or not code or code.isspace():
        return None
    return find_currency(code) or Reject(
        "unknown_currency",
        f"currency_code of the refund is {code[:_MAX_SHOWN_CHARACTERS]!a}, which ISO 4217 does not list as a currency "
        "with a minor unit; send the order's currency, or none",
    )


def _problem(name: str, amount: Amount, currency: Currency | None) -> Reject | None:
    """Return what is wrong with an amount; without a currency it cannot be too fine, but too long."""
    if amount.unscaled < 0:
        return Reject("negative_amount", f"{name} of the refund is {amount}; send what is given back, 0 or more")
    if not _fits(amount):
        return Reject("amount_out_of_range", f"{name} of the refund is {amount}, which is no amount of any currency")
    if currency is not None:
        minor_units = minor_units_of(name, amount, currency)
        return minor_units if isinstance(minor_units, Reject) else None
    return None


def _fits(amount: Amount) -> bool:
    return amount.unscaled.bit_length() <= _MAX_BITS and amount.scale <= _MAX_SCALE


def _lines(products: tuple[Product, ...]) -> tuple[RefundedLine, ...] | Reject:
    lines = []
    for index, product in enumerate(products):
        line = _line(index, product)
        if isinstance(line, Reject):
            return line
        lines.append(line)
    return tuple(lines)


def _line(index: int, product: Product) -> RefundedLine | Reject:
    if not (product.sku or product.name):
        return Reject(
            "unknown_product",
            f"product_action.products[{index}] of the refund has neither id nor name; send the id that it had in the "
            "purchase",
        )
    quantity = None
    if product.quantity is not None:
        quantity = to_whole(product.quantity)
        if quantity is None or not 0 < quantity <= MAX_MINOR_UNITS:
            shown = (product.sku or product.name or "")[:_MAX_SHOWN_CHARACTERS]
            return Reject(
                "invalid_quantity",
                f"quantity of product_action.products[{index}] ({shown!a}) of the refund is {product.quantity}; send "
                "how many pieces came back, a whole number from 1, or none for all pieces of the line",
            )
    return RefundedLine(product.sku or None, product.name or None, quantity, _kept(product.price), _kept(product.total))


def _kept(amount: Amount | None) -> Amount | None:
    """Return an amount that only helps to find a line, if it can be one."""
    return amount if amount is not None and amount.unscaled >= 0 and _fits(amount) else None
