# SPDX-License-Identifier: Apache-2.0
"""The lines of an order, made of an event's products.

Owns what identifies a line within its order, what a line is worth and how many pieces it has. Lines need not add up
to the order's total: discounts on the whole order are in the total alone.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from connector.domain.amounts import minor_units_of, total_of
from connector.domain.details import details_of, raw_upc_of
from connector.domain.money import MAX_MINOR_UNITS, minus, times, to_minor_units, to_whole
from connector.domain.orders import LineItem, Reject
from connector.domain.policy import InvalidUpc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connector.domain.events import CommerceEvent, Product
    from connector.domain.money import Amount, Currency
    from connector.domain.policy import Policy

_MAX_SKU_CHARACTERS = 255
_MAX_SHOWN_CHARACTERS = 60


def lines_from(event: CommerceEvent, currency: Currency, policy: Policy) -> tuple[LineItem, ...] | Reject:
    """Return one line for each product, or the reject of the first that cannot be told."""
    products, order_coupon = event.products, event.coupon_code
    rejects_invalid_upc = policy.invalid_upc is InvalidUpc.REJECT
    lines = []
    for index, identifier in enumerate(identifiers_of(products)):
        line = _line(index, products[index], identifier, currency, order_coupon)
        if isinstance(line, Reject):
            return line
        if rejects_invalid_upc and line.upc is None and raw_upc_of(products[index]):
            return _invalid_upc(index, products[index])
        lines.append(line)
    return tuple(lines)


def identifiers_of(products: Sequence[Product]) -> list[str]:
    """Return what identifies each line within its order: SKU, else name, else position, told apart by a suffix."""
    wanted = [product.sku or product.name or f"line-{position}" for position, product in enumerate(products, 1)]
    return wanted if len(set(wanted)) == len(wanted) else _told_apart(wanted)


def _told_apart(wanted: list[str]) -> list[str]:
    """Let the first of each name keep it; the others get ``-2``, ``-3``, ... unless another line wants that name.

    Two suffixed names never meet: what stands before the last hyphen tells them apart.
    """
    taken = set(wanted)
    suffixes: dict[str, Iterator[int]] = {}
    identifiers = []
    for name in wanted:
        if name in suffixes:
            identifiers.append(next(free for n in suffixes[name] if (free := f"{name}-{n}") not in taken))
        else:
            suffixes[name] = count(2)
            identifiers.append(name)
    return identifiers


def _line(
    index: int,
    product: Product,
    identifier: str,
    currency: Currency,
    order_coupon: str | None,
) -> LineItem | Reject:
    sku = product.sku or None
    if sku is not None and len(sku) > _MAX_SKU_CHARACTERS:
        return Reject(
            "sku_too_long",
            f"id of {_label(index, product)} has {len(sku)} characters, Button takes {_MAX_SKU_CHARACTERS}; "
            "send the SKU under which the shop sells it",
        )
    quantity = _quantity(index, product)
    if isinstance(quantity, Reject):
        return quantity
    total = _total(index, product, quantity, currency)
    if isinstance(total, Reject):
        return total
    category, attributes, upc = details_of(product, order_coupon)
    return LineItem(identifier, total, quantity, sku, product.name or None, category, attributes, upc)


def _invalid_upc(index: int, product: Product) -> Reject:
    return Reject(
        "invalid_upc",
        f"upc of {_label(index, product)} is {(raw_upc_of(product) or '')[:_MAX_SHOWN_CHARACTERS]!a}, Button takes 12 "
        "digits (UPC-A; a UPC-E of 8 digits with its check digit is expanded); send such a code or none, or set "
        "policy.invalid_upc to omit",
    )


def _quantity(index: int, product: Product) -> int | Reject:
    if product.quantity is None:
        return 1
    quantity = to_whole(product.quantity)
    if quantity is None or not 0 < quantity <= MAX_MINOR_UNITS:
        return Reject(
            "invalid_quantity",
            f"quantity of {_label(index, product)} is {product.quantity}, Button takes whole numbers from 1 to "
            f"{MAX_MINOR_UNITS}; send pieces, or a quantity of 1 with the price of the whole line",
        )
    return quantity


def _total(index: int, product: Product, quantity: int, currency: Currency) -> int | Reject:
    if product.total is not None:
        name, amount, pieces = "total_product_amount", product.total, 1
    elif product.price is not None:
        name, amount, pieces = "price times quantity", product.price, quantity
        if product.discount is not None:
            return _discounted(index, product, times(amount, pieces), product.discount, currency)
    else:
        return Reject(
            "missing_line_total",
            f"{_label(index, product)} has neither total_product_amount nor price; send one of them, 0 for a gift",
        )
    total = to_minor_units(amount, currency, pieces)
    if isinstance(total, int) and total <= MAX_MINOR_UNITS:
        return total
    # The words take longer to make than the check, so only a line that needs them pays for them.
    return _checked(index, product, name, times(amount, pieces), currency)


def _discounted(index: int, product: Product, full: Amount, discount: Amount, currency: Currency) -> int | Reject:
    if discount.unscaled < 0:
        return _checked(index, product, "discount", discount, currency)
    return _checked(index, product, "price times quantity less discount", minus(full, discount), currency)


def _checked(index: int, product: Product, name: str, amount: Amount, currency: Currency) -> int | Reject:
    name = f"{name} of {_label(index, product)}"
    minor_units = minor_units_of(name, amount, currency)
    return minor_units if isinstance(minor_units, Reject) else total_of(name, minor_units)


def _label(index: int, product: Product) -> str:
    shown = (product.sku or product.name or "no id")[:_MAX_SHOWN_CHARACTERS]
    return f"product_action.products[{index}] ({shown!a})"
