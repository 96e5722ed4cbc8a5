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

Details = tuple[tuple[str, ...], "Mapping[str, str] | None", str | None]
"""A line's categories, attributes and UPC."""

# These have a field of their own at Button.
_NOT_ATTRIBUTES = frozenset((*_LEVELS, _UPC))


def details_of(product: Product, order_coupon: str | None) -> Details:
    """Return all that is known; a coupon of the whole order stands on each line without one of its own."""
    # Taken apart at once: most products have next to none of these, and eight look-ups by name would be the most that
    # a plain line costs.
    _, _, category, _, _, _, coupon, attributes, brand, variant, upc, _, categories = product
    coupon = coupon or order_coupon
    if attributes or upc or categories:
        return _category(product), _attributes(product, coupon), upc_of(product)
    return (category,) if category else (), _attributes(product, coupon) if coupon or brand or variant else None, None


def raw_upc_of(product: Product) -> str | None:
    """Return the product's code as it was given, by field or by custom attribute."""
    return product.upc or product.attributes.get(_UPC) or None


def upc_of(product: Product) -> str | None:
    """Return the product's code as Button takes it, ``None`` where there is none that it takes."""
    raw = raw_upc_of(product)
    return None if raw is None else to_upc(raw)


def _category(product: Product) -> tuple[str, ...]:
    """Return the categories, the most general one first: as a list, else by level, else the only one.

    What is finer than Button's seventh is left out; the others are no less true for it.
    """
    levels = product.categories or [product.attributes.get(level) for level in _LEVELS]
    categories = tuple([level for level in levels if level])
    if categories:
        return categories[:MAX_CATEGORIES]
    return (product.category,) if product.category else ()


def _attributes(product: Product, coupon: str | None) -> Mapping[str, str] | None:
    """Return what has no field of its own at Button; what has one in the event goes before an attribute's name."""
    attributes = {name: text for name, text in product.attributes.items() if name not in _NOT_ATTRIBUTES}
    own = {"brand": product.brand, "variant": product.variant, "coupon_code": coupon}
    return attributes | {name: text for name, text in own.items() if text} or None
