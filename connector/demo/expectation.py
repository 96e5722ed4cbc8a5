# SPDX-License-Identifier: Apache-2.0
"""What Button must have been told, worked out from the topics alone.

Owns a second, short and slow telling of the connector's rules, with :mod:`decimal` and its own table of currencies.
Must never import the connector's own rules: agreement between two that share a mistake proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.demo.shop import BUTTON_MODULE_ID, TOKEN_KEY
from connector.demo.topics import EVENTS, SESSIONS, Codec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta

    from connector.demo.shop import Event
    from connector.demo.topics import Record

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
CUT_RECORD = "truncated_avro"

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class ExpectedOrder(NamedTuple):
    """An order as the sandbox must hold it; ``fields`` are those of its report, times as moments."""

    fields: dict[str, Any]
    is_cancelled: bool = False
    is_amended: bool = False


@dataclass(slots=True)
class Expectation:
    """Where every record must have ended."""

    orders: dict[str, ExpectedOrder] = field(default_factory=dict)
    dead_letters: dict[Place, str] = field(default_factory=dict)
    skipped: list[Place] = field(default_factory=list)


class _Sessions:
    """Tokens by session, with the moment from which each counts."""

    def __init__(self, records: Iterable[Record], clock_skew: timedelta) -> None:
        codec = Codec("session_attribution")
        self._clock_skew = clock_skew
        self._seen: dict[str, list[tuple[datetime, str | None]]] = {}
        for record in records:
            session = codec.decode(record.value or b"")
            if session is not None:
                seen = (session["observed_at"], session["btn_ref"])
                self._seen.setdefault(session["session_uuid"], []).append(seen)

    def token(self, session_uuid: str, moment: datetime) -> str | None:
        in_time = [seen for seen in self._seen.get(session_uuid, ()) if seen[0] <= moment + self._clock_skew]
        return max(in_time, key=lambda seen: seen[0])[1] if in_time else None


def expect(records: Iterable[Record], clock_skew: timedelta) -> Expectation:
    """Return what must have come of the records of both topics; an order's records must be in order."""
    records = list(records)
    sessions = _Sessions((record for record in records if record.topic == SESSIONS), clock_skew)
    codec = Codec("commerce_event")
    expectation = Expectation()
    for record in records:
        if record.topic == EVENTS:
            _add(expectation, record, codec.decode(record.value or b""), sessions)
    return expectation


def _add(expectation: Expectation, record: Record, event: Event | None, sessions: _Sessions) -> None:
    place = (record.topic, record.partition, record.offset)
    if event is None:
        expectation.dead_letters[place] = CUT_RECORD
        return
    action = event["product_action"]
    order_id = action["transaction_id"]
    match action["action"]:
        case "purchase":
            expectation.orders.setdefault(order_id, ExpectedOrder(_fields(event, sessions)))
        case "refund":
            expectation.orders[order_id] = _less(expectation.orders[order_id], action.get("products") or [])
        case _:
            expectation.skipped.append(place)


def _fields(event: Event, sessions: _Sessions) -> dict[str, Any]:
    action, code = event["product_action"], event["currency_code"]
    on_event = event["integration_attributes"].get(BUTTON_MODULE_ID, {}).get(TOKEN_KEY)
    token = on_event or sessions.token(event["session_uuid"], event["occurred_at"])
    identities = {each["identity_type"]: each["identity"] for each in event["user_identities"]}
    fields = {
        "order_id": action["transaction_id"],
        "total": _minor(action["total_amount"] - action["tax_amount"] - action["shipping_amount"], code),
        "currency": code,
        "purchase_date": event["occurred_at"],
        "customer": {
            "id": identities["customer_id"],
            "email_sha256": sha256(identities["email"].strip().lower().encode()).hexdigest(),
        },
        "line_items": [_line(product, code) for product in action["products"]],
    }
    return fields if token is None else {**fields, "btn_ref": token}


def _less(order: ExpectedOrder, returned: list[Event]) -> ExpectedOrder:
    """Return an order without what came back, which is all of it if nothing is named."""
    if order.is_cancelled or not returned:
        return order._replace(is_cancelled=True)
    lines = {line["identifier"]: dict(line) for line in order.fields["line_items"]}
    total = order.fields["total"]
    for product in returned:
        line = lines[product["id"]]
        worth = _minor(product["price"] * product["quantity"], order.fields["currency"])
        line["quantity"] -= int(product["quantity"])
        line["total"] -= worth
        total -= worth
    left = [line for line in lines.values() if line["quantity"]]
    return ExpectedOrder({**order.fields, "total": total, "line_items": left}, is_cancelled=not left, is_amended=True)


def _line(product: Event, code: str) -> dict[str, Any]:
    return {
        "identifier": product["id"],
        "sku": product["id"],
        "description": product["name"],
        "category": [product["category"]],
        "quantity": int(product["quantity"]),
        "total": _minor(product["total_product_amount"], code),
    }


def _minor(amount: Decimal, code: str) -> int:
    return int(amount * Decimal(10) ** DECIMALS[code])
