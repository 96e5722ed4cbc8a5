# SPDX-License-Identifier: Apache-2.0
"""Avro records for tests, written by fastavro itself.

Owns the producer's side: it imports nothing of the connector, so that a mistake there is not repeated here.
Amounts may be given as ``str``, ``int`` or ``Decimal``; what an event does not name gets the schema's default.
"""

from __future__ import annotations

import io
import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastavro.types import Schema

SCHEMA_DIRECTORY = Path(__file__).resolve().parents[2] / "schemas" / "avro"

_ACTION_AMOUNTS = ("total_amount", "tax_amount", "shipping_amount")
_PRODUCT_AMOUNTS = ("price", "quantity", "discount", "total_product_amount")


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the repository's schema ``commerce_event`` or ``session_attribution``."""
    loaded: dict[str, Any] = json.loads((SCHEMA_DIRECTORY / f"{name}.avsc").read_text(encoding="utf-8"))
    return loaded


def body(datum: object, writer_schema: Schema) -> bytes:
    """Return the bare Avro encoding, without any header."""
    return _write(datum, fastavro.parse_schema(writer_schema))


def header(writer_schema: Schema) -> bytes:
    """Return the ten bytes that begin a record in Avro's single-object encoding."""
    # fastavro writes the fingerprint's hex digits in the order in which the encoding has the bytes.
    return b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(writer_schema), "CRC-64-AVRO"))


def single_object(datum: object, writer_schema: Schema) -> bytes:
    """Return the datum in Avro's single-object encoding."""
    return header(writer_schema) + body(datum, writer_schema)


def encode_event(event: Mapping[str, Any]) -> bytes:
    """Return a commerce event, named as in its schema, as a record's value."""
    return _header_of("commerce_event") + _write(with_decimals(event), _parsed("commerce_event"))


def encode_session(session: Mapping[str, Any]) -> bytes:
    """Return a session attribution, named as in its schema, as a record's value."""
    return _header_of("session_attribution") + _write(dict(session), _parsed("session_attribution"))


def purchase(order_id: str = "order-1", **changes: object) -> dict[str, Any]:
    """Return a plain purchase of one product for 10.00 USD; ``changes`` replace fields of the event."""
    return {
        "occurred_at": 1_767_225_600_000,
        "environment": "production",
        "source_message_id": f"message-{order_id}",
        "session_uuid": f"SESSION-{order_id}",
        "mpid": -7636538281262557000,
        "currency_code": "USD",
        "product_action": {
            "action": "purchase",
            "transaction_id": order_id,
            "total_amount": "10.00",
            "products": [{"id": "sku-1", "name": "A thing", "price": "10.00", "quantity": 1}],
        },
        **changes,
    }


def refund(order_id: str = "order-1", **changes: object) -> dict[str, Any]:
    """Return a refund of the whole order; ``changes`` replace fields of the event."""
    event = purchase(order_id, source_message_id=f"refund-{order_id}")
    return {**event, "product_action": {"action": "refund", "transaction_id": order_id}, **changes}


def session(session_uuid: str, btn_ref: str | None, observed_at: int, **changes: object) -> dict[str, Any]:
    """Return a session attribution; its record's key is the UTF-8 of ``session_uuid``."""
    return {"session_uuid": session_uuid, "btn_ref": btn_ref, "observed_at": observed_at, **changes}


def small_event_schema(total_amount: object, **fields: object) -> dict[str, Any]:
    """Return a writer's schema of its own making: what a purchase needs, in no familiar order, and ``fields``.

    ``total_amount`` is the amount's type; ``fields`` adds fields to the event, by name and type, or replaces them.
    """
    action = {
        "type": "record",
        "name": "Action",
        "fields": [
            {"name": "total_amount", "type": total_amount},
            {"name": "transaction_id", "type": "string"},
            {"name": "action", "type": "string"},
        ],
    }
    types = {"product_action": action, "occurred_at": "long", "currency_code": "string", **fields}
    return {
        "type": "record",
        "name": "OwnEvent",
        "fields": [{"name": name, "type": type_} for name, type_ in types.items()],
    }


def small_event(total_amount: object, **fields: object) -> dict[str, Any]:
    """Return a purchase for :func:`small_event_schema`."""
    action = {"action": "purchase", "transaction_id": "order-1", "total_amount": total_amount}
    return {"product_action": action, "occurred_at": 1_767_225_600_000, "currency_code": "USD", **fields}


def with_decimals(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with its amounts as the schema has them."""
    action = event.get("product_action")
    if action is None:
        return dict(event)
    products = [_amounts(product, _PRODUCT_AMOUNTS) for product in action.get("products", ())]
    return {**event, "product_action": {**_amounts(action, _ACTION_AMOUNTS), "products": products}}


@cache
def _parsed(name: str) -> Schema:
    return fastavro.parse_schema(schema(name))


@cache
def _header_of(name: str) -> bytes:
    return header(schema(name))


def _write(datum: object, parsed: Schema) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed, datum)
    return out.getvalue()


def _amounts(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: Decimal(value) if name in names and isinstance(value, (str, int)) else value
        for name, value in fields.items()
    }
