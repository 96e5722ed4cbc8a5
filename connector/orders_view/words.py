# SPDX-License-Identifier: Apache-2.0
"""What facts say, in words for people.

Owns the words. Shows nothing of a record that a waiting fact keeps, nor a line's attributes: in both there may be a
customer's words.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from connector.domain.facts import Mark, MarkKind, Observed, Purchase, Refund
from connector.domain.money import find_currency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain.facts import Fact, Position, RefundedLine
    from connector.domain.folding import OrderState
    from connector.domain.orders import Order

CLEAN, UNCLEAN = "clean", "not clean: its event is decided again"
WAITS = "waits for its purchase"


def time_of(unix_ms: int) -> str:
    """Return a time as people and machines read it."""
    try:
        return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{unix_ms} ms"


def money(minor_units: int, currency: str) -> str:
    """Return an amount in its major unit, with all decimals that the currency has."""
    known = find_currency(currency)
    if known is None:
        return f"{minor_units} {currency} (minor units)"
    digits = str(abs(minor_units)).zfill(known.exponent + 1)
    whole, decimals = digits[: len(digits) - known.exponent], digits[len(digits) - known.exponent :]
    return f"{'-' if minor_units < 0 else ''}{whole}{'.' if decimals else ''}{decimals} {currency}"


def worth(order: Order) -> str:
    """Return what an order comes to."""
    count = len(order.line_items)
    return f"{money(order.total, order.currency)}, {count} line{'' if count == 1 else 's'}"


def said(fact: Fact) -> str:
    """Return what the event of a fact said."""
    match fact.said:
        case Purchase(order=order):
            return f"purchase of {worth(order)}"
        case Refund():
            return f"refund of {_refunded(fact.said)}"
        case Observed(order=order, is_cancelled=is_cancelled):
            return f"Button showed the order{' as cancelled' if is_cancelled else ''}: {worth(order)}"
        case Mark(kind=kind, reason=reason):
            what = "parks its order" if kind is MarkKind.PARKED else "given up"
            return f"{what}: it is a dead letter ({reason or 'see there'})"
        case _:
            assert_never(fact.said)


def state_of(name: str, facts: Mapping[str, Fact], state: OrderState, *, is_clean: bool) -> str:
    """Return whether a fact is clean, or what it waits for."""
    fact = facts[name]
    if isinstance(fact.said, Mark):
        return "waits for its dead letter to be replayed or dropped" if fact.said.kind is MarkKind.PARKED else "over"
    misfit = next((each.reject for each in state.inapplicable if each.event_id == name), None)
    if misfit is not None:
        return f"left out: {misfit.message} ({misfit.reason})"
    if not fact.told and isinstance(fact.said, Refund):
        teller = next((other.event_id for other in facts.values() if name in other.told), None)
        return f"told with {teller}" if teller is not None else WAITS
    return CLEAN if is_clean else UNCLEAN


def where(source: Position | None) -> str | None:
    """Return where an event came from."""
    if source is None:
        return None
    return f"{source.topic}/{source.partition} at offset {source.offset}, event {source.event_index}"


def _refunded(refund: Refund) -> str:
    parts = [_product(line) for line in refund.lines]
    if refund.amount is not None:
        meaning = "down to a total of " if refund.is_new_total else ""
        parts.append(f"{meaning}{refund.amount} {refund.currency or ''}".rstrip() + " (gross)")
    return ", ".join(parts) or "everything"


def _product(line: RefundedLine) -> str:
    pieces = "" if line.quantity is None else f"{line.quantity} x "
    return f"{pieces}{line.sku or line.name or 'no id'}"
