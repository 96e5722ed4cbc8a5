# SPDX-License-Identifier: Apache-2.0
"""What an event means for its order at Button.

Owns the decision; :func:`decide` is pure and total. Without a memory of orders there are two things to tell: that an
order was made and that all of it was taken back. A refund of parts needs the order's other lines, which the event
does not have, so it is refused by name instead of being told wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.actions import KNOWN_NAMES, PURCHASE, REFUND, name_of
from connector.domain.mapping import order_from, order_id_from
from connector.domain.orders import Cancel, Create, Reject, Skip

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Decision

_SKIPS = {name: Skip(f"action_{name}") for name in KNOWN_NAMES - {PURCHASE, REFUND}}


def decide(event: CommerceEvent, token: str | None) -> Decision:
    """Return what to do about the event; ``token`` is the attribution token that a purchase is told with."""
    name = name_of(event.action)
    if name == PURCHASE:
        order = order_from(event, token)
        return order if isinstance(order, Reject) else Create(order)
    if name == REFUND:
        return _refund(event)
    return _SKIPS[name]


def order_key(event: CommerceEvent) -> str | None:
    """Return what keeps the events of one order together, ``None`` when the event names no order."""
    return event.order_id


def _refund(event: CommerceEvent) -> Decision:
    order_id = order_id_from(event)
    if isinstance(order_id, Reject):
        return order_id
    if event.products:
        return Reject(
            "partial_refund_unsupported",
            f"product_action.products of the refund names {len(event.products)} product(s), but only a whole order "
            "can be taken back; send a refund without products to cancel it, or correct the order at Button by hand",
        )
    return Cancel(order_id)
