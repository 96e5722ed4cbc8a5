# SPDX-License-Identifier: Apache-2.0
"""Reading the order that Button's answer to a lookup shows.

Owns what is taken of it, and takes nothing for granted: fields may be absent or of other types, lines may be left out.
Never raises, and never makes an order of what it had to guess: an order without a total or a currency, or under another
id, counts as unreadable. Lines are taken whole or not at all, because an update told from half of them would lose the
others. The customer is not read: whoever amends an order does not need to know whose it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.orders import LineItem, Order
from connector.domain.outcomes import ObservedOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

_CANCELLED = frozenset({"cancelled", "canceled"})
_MAX_CHARACTERS = 255
_MAX_DESCRIPTION_CHARACTERS = 4_096
_CURRENCY_CHARACTERS = 3
_GREATEST = 2**31 - 1
_MAX_LINES = 10_000

_UNREADABLE = ObservedOrder(None)


def observed_order(envelope: Mapping[str, object], order_id: str) -> ObservedOrder | None:
    """Return the order that a successful answer shows of the one that was asked for, ``None`` where it shows none.

    ``object`` holds it, or ``objects`` as a list of it; either may be null or empty, which shows nothing.
    """
    if "object" not in envelope and "objects" not in envelope:
        return _UNREADABLE
    shown = envelope.get("object")
    if shown is None:
        shown = envelope.get("objects")
    if isinstance(shown, list):
        shown = next((each for each in shown if _is_of(each, order_id)), shown[0] if shown else None)
    if shown is None:
        return None
    return _read(shown, order_id) if isinstance(shown, dict) else _UNREADABLE


def _is_of(shown: object, order_id: str) -> bool:
    return isinstance(shown, dict) and shown.get("order_id") == order_id


def _read(shown: Mapping[str, object], order_id: str) -> ObservedOrder:
    # An order that does not say its id is the one that was asked for; Button's own fixtures leave it out.
    if shown.get("order_id", order_id) != order_id:
        return _UNREADABLE
    status = _text(shown.get("status"))
    return ObservedOrder(_order(shown, order_id), status is not None and status.lower() in _CANCELLED)


def _order(shown: Mapping[str, object], order_id: str) -> Order | None:
    total, currency = _whole(shown.get("total"), 0), _text(shown.get("currency"))
    if total is None or currency is None or len(currency) != _CURRENCY_CHARACTERS:
        return None
    return Order(
        order_id,
        total,
        currency.upper(),
        _text(shown.get("purchase_date")) or "",
        _lines(shown.get("line_items")),
        btn_ref=_text(shown.get("btn_ref")),
        customer_order_id=_text(shown.get("customer_order_id")),
        partner_order_channel=_text(shown.get("partner_order_channel")),
    )


def _lines(shown: object) -> tuple[LineItem, ...]:
    if not isinstance(shown, list) or len(shown) > _MAX_LINES:
        return ()
    lines = [_line(each) for each in shown]
    return tuple(line for line in lines if line is not None) if None not in lines else ()


def _line(shown: object) -> LineItem | None:
    if not isinstance(shown, dict):
        return None
    identifier, total = _text(shown.get("identifier")), _whole(shown.get("total"), -_GREATEST)
    quantity = _whole(shown.get("quantity", 1), 1)
    if not identifier or total is None or quantity is None:
        return None
    return LineItem(
        identifier,
        total,
        quantity,
        sku=_text(shown.get("sku")),
        description=_text(shown.get("description"), _MAX_DESCRIPTION_CHARACTERS),
        category=_texts(shown.get("category")),
        attributes=_attributes(shown.get("attributes")),
        upc=_text(shown.get("upc")),
    )


def _text(value: object, max_characters: int = _MAX_CHARACTERS) -> str | None:
    return value if isinstance(value, str) and len(value) <= max_characters else None


def _whole(value: object, least: int) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and least <= value <= _GREATEST else None  # type: ignore[operator, return-value]  # is_whole says it


def _texts(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else ()


def _attributes(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        return None
    return value or None
