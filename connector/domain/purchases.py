# SPDX-License-Identifier: Apache-2.0
"""What the ledger keeps of a purchase.

Owns by what two events that say the same of an order are told from two that do not, and sees to it that nothing of the
customer gets into a fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.facts import Purchase
from connector.domain.money import find_currency, to_minor_units
from connector.domain.orders import Order

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent

# A fact's numbers stay within 64 bits; a gross total beyond that is as good as none.
_MAX_GROSS = 2**63 - 1


def purchase_from(event: CommerceEvent, order: Order) -> Purchase:
    """Return what a purchase said; ``order`` is what Button would be told of it alone."""
    # Taken apart and put together at once, which takes a third of the time of replacing the one field by its name.
    order_id, total, currency, date, lines, btn_ref, _, customer_order_id, channel, finalization = order
    kept = Order(order_id, total, currency, date, lines, btn_ref, None, customer_order_id, channel, finalization)
    return Purchase(kept, _gross_total(event, currency))


def says_the_same(order: Order, other: Order) -> bool:
    """Return whether two events told the same of an order, whoever bought it, by whatever token, and whenever.

    A shop that sends a purchase twice may have stamped the second one anew, and what is known of the shopper may have
    changed in between: it is the same purchase all the same.
    """
    return _told(order) == _told(other)


def _told(order: Order) -> tuple[object, ...]:
    order_id, total, currency, _, lines, _, _, customer_order_id, channel, _ = order
    return order_id, total, currency, lines, customer_order_id, channel


def _gross_total(event: CommerceEvent, code: str) -> int | None:
    currency = find_currency(code)
    if event.total_amount is None or currency is None:
        return None
    gross = to_minor_units(event.total_amount, currency)
    return gross if isinstance(gross, int) and gross <= _MAX_GROSS else None
