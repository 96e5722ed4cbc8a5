# SPDX-License-Identifier: Apache-2.0
"""What describes a line without being money: its categories, its product code, its attributes.

Owns where each is taken from when an event says it in more than one place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.upc import to_upc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain.events import Product

MAX_CATEGORIES = 7

_LEVELS = tuple(f"category_{level}" for level in range(1, 6))
_UPC = "upc"

# These have a field of their own at Button.
_NOT_ATTRIBUTES = frozenset((*_LEVELS, _UPC))


def category_of(product: Product) -> tuple[str, ...]:
    """Return the categories, the most general one first: as a list, else by level, else the only one.

    What is finer than Button's seventh is left out; the others are no less true for it.
    """
    levels: tuple[str | None, ...] = product.categories
    if not levels and product.attributes:
        levels = tuple([product.attributes.get(level) for level in _LEVELS])
    categories = tuple([level for level in levels if level]) if levels else ()
    if categories:
        return categories[:MAX_CATEGORIES]
    return (product.category,) if product.category else ()


def raw_upc_of(product: Product) -> str | None:
    """Return the product's code as it was given, by field or by custom attribute."""
    return product.upc or product.attributes.get(_UPC) or None


def upc_of(product: Product) -> str | None:
    """Return the product's code as Button takes it, ``None`` where there is none that it takes."""
    raw = raw_upc_of(product)
    return None if raw is None else to_upc(raw)


def attributes_of(product: Product, order_coupon: str | None) -> Mapping[str, str] | None:
    """Return what else is known of the line; a coupon of the whole order stands on each line without one of its own."""
    coupon = product.coupon_code or order_coupon
    if not (coupon or product.attributes or product.brand or product.variant):
        return None
    attributes = {name: text for name, text in product.attributes.items() if name not in _NOT_ATTRIBUTES}
    own = {"brand": product.brand, "variant": product.variant, "coupon_code": coupon}
    return attributes | {name: text for name, text in own.items() if text} or None
