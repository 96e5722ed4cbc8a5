# SPDX-License-Identifier: Apache-2.0
"""The names of product actions, and which of them are orders.

Owns the list of names that are known, so that what is counted by name stays bounded. A name is compared as a whole,
never by its beginning (``refund_initiated`` is no refund), but in any case: mParticle's SDKs write ``PURCHASE`` and
its events ``purchase``.
"""

from __future__ import annotations

PURCHASE = "purchase"
REFUND = "refund"
NO_ACTION = "none"
UNKNOWN = "unknown"

_NAMES = {
    name: name
    for name in (
        PURCHASE,
        REFUND,
        UNKNOWN,
        "add_payment_info",
        "add_shipping_info",
        "add_to_cart",
        "add_to_wishlist",
        "checkout",
        "checkout_option",
        "click",
        "payment_attempted",
        "payment_failed",
        "payment_method_selected",
        "payment_succeeded",
        "refund_initiated",
        "remove_from_cart",
        "remove_from_wish_list",
        "view_cart",
        "view_detail",
    )
} | {
    "": NO_ACTION,
    "remove_from_wishlist": "remove_from_wish_list",  # both spellings are mParticle's own
}

KNOWN_NAMES = frozenset(_NAMES.values())
"""Every name that :func:`name_of` can return."""


def name_of(action: str) -> str:
    """Return the action's name as it is counted: one of :data:`KNOWN_NAMES`."""
    return _NAMES.get(action) or _NAMES.get(action.lower(), UNKNOWN)
