# SPDX-License-Identifier: Apache-2.0
"""The fields that may be taken from elsewhere in an event, and what may be put into each.

Owns the list, by the names of the connector's own schema, and the conversion of what an expression gives. Messages name
the kind of a value and never the value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from connector.avro.converters import BadValueError, Convert, amount_converter, text_converter, time_converter
from connector.avro.writer_schema import AvroType
from connector.domain.money import Amount
from connector.domain.orders import Reject

EVENT, DEVICE, CONSENT, IDENTITIES, PRODUCT = "event", "device", "consent", "identities", "product"
PRODUCTS = "product_action.products[]."


class Unfit(NamedTuple):
    """What an expression gave cannot be put there; ``wanted`` says what is needed."""

    wanted: str


Take = Callable[[object, str], object]
"""Makes of a plain value and the field's path what the field holds, or :class:`Unfit`."""


class Target(NamedTuple):
    """A field: its name in the schema, the part of the domain's event that has it, and its name there."""

    path: str
    owner: str
    name: str
    take: Take


def _bound(converter: Convert[object] | None) -> Convert[object]:
    assert converter is not None  # noqa: S101  these types are taken by every converter of their kind
    return converter


_TEXT = AvroType("string", 1)
_TIME = AvroType("long", 1)
_read_text = _bound(text_converter(_TEXT))


def _text(value: object, _: str) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        return Unfit("text")
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        return Unfit("text that UTF-8 can hold")
    return _read_text(value)


def _action(value: object, path: str) -> object:
    return _text(value, path) or ""


def _amount(value: object, path: str) -> object:
    if isinstance(value, float) and math.isfinite(value):
        value = repr(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Amount(value, 0)
    if value is None or isinstance(value, str):
        return _bound(amount_converter(_TEXT, path))(value)
    return Unfit("an amount (a number, or text like 12.34)")


def _time(value: object, path: str) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return _bound(time_converter(_TIME, path))(value)
    return Unfit("a time in milliseconds (to_number() makes one of text)")


def _moment(value: object, path: str) -> object:
    return None if value is None else _time(value, path)


def _flag(value: object, _: str) -> object:
    if value is None or isinstance(value, bool):
        return value
    flags = {"true": True, "false": False}
    return flags.get(str(value).strip().lower(), Unfit("true or false"))


def _texts(value: object, path: str) -> object:
    if value is None:
        return ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return Unfit("a list of text")
    return _first_unfit(each := [_text(one, path) for one in value]) or tuple([one for one in each if one is not None])


def _attributes(value: object, path: str) -> object:
    if not isinstance(value, dict | None):
        return Unfit("an object of text")
    plain = {name: str(one).lower() if isinstance(one, bool | float) else one for name, one in (value or {}).items()}
    return _entries({name: _text(one, path) for name, one in plain.items()})


def _flags(value: object, path: str) -> object:
    if not isinstance(value, dict | None):
        return Unfit("an object of true and false")
    return _entries({name: _flag(one, path) for name, one in (value or {}).items()})


def _entries(entries: dict[str, object]) -> object:
    return _first_unfit([*entries.values()]) or {name: one for name, one in entries.items() if one is not None}


def _first_unfit(values: list[object]) -> Unfit | None:
    return next((value for value in values if isinstance(value, Unfit)), None)


TARGETS: dict[str, Target] = {
    target.path: target
    for target in (
        Target("occurred_at", EVENT, "occurred_at_ms", _time),
        Target("environment", EVENT, "environment", _text),
        Target("source_message_id", EVENT, "source_message_id", _text),
        Target("event_id", EVENT, "event_id", _text),
        Target("session_uuid", EVENT, "session_uuid", _text),
        Target("session_id", EVENT, "session_id", _text),
        Target("mpid", EVENT, "mpid", _text),
        Target("currency_code", EVENT, "currency", _text),
        Target("btn_ref", EVENT, "btn_ref", _text),
        Target("order_channel", EVENT, "order_channel", _text),
        Target("is_new_customer", EVENT, "is_new_customer", _flag),
        Target("product_action.action", EVENT, "action", _action),
        Target("product_action.transaction_id", EVENT, "order_id", _text),
        Target("product_action.customer_order_id", EVENT, "customer_order_id", _text),
        Target("product_action.purchased_at", EVENT, "purchased_at_ms", _moment),
        Target("product_action.finalized_at", EVENT, "finalized_at_ms", _moment),
        Target("product_action.total_amount", EVENT, "total_amount", _amount),
        Target("product_action.tax_amount", EVENT, "tax_amount", _amount),
        Target("product_action.shipping_amount", EVENT, "shipping_amount", _amount),
        Target("product_action.coupon_code", EVENT, "coupon_code", _text),
        Target(PRODUCTS + "id", PRODUCT, "sku", _text),
        Target(PRODUCTS + "name", PRODUCT, "name", _text),
        Target(PRODUCTS + "brand", PRODUCT, "brand", _text),
        Target(PRODUCTS + "category", PRODUCT, "category", _text),
        Target(PRODUCTS + "categories", PRODUCT, "categories", _texts),
        Target(PRODUCTS + "variant", PRODUCT, "variant", _text),
        Target(PRODUCTS + "upc", PRODUCT, "upc", _text),
        Target(PRODUCTS + "price", PRODUCT, "price", _amount),
        Target(PRODUCTS + "quantity", PRODUCT, "quantity", _amount),
        Target(PRODUCTS + "discount", PRODUCT, "discount", _amount),
        Target(PRODUCTS + "total_product_amount", PRODUCT, "total", _amount),
        Target(PRODUCTS + "coupon_code", PRODUCT, "coupon_code", _text),
        Target(PRODUCTS + "custom_attributes", PRODUCT, "attributes", _attributes),
        Target("user_identities.customer_id", IDENTITIES, "customer_id", _text),
        Target("user_identities.email", IDENTITIES, "email", _text),
        Target("device.platform", DEVICE, "platform", _text),
        Target("device.ios_advertising_id", DEVICE, "ios_advertising_id", _text),
        Target("device.android_advertising_id", DEVICE, "android_advertising_id", _text),
        Target("device.limit_ad_tracking", DEVICE, "limit_ad_tracking", _flag),
        Target("device.att_authorization_status", DEVICE, "att_authorization_status", _text),
        Target("consent_state.gdpr", CONSENT, "gdpr", _flags),
        Target("consent_state.ccpa_data_sale_opt_out", CONSENT, "ccpa_opted_out", _flag),
    )
}


_KINDS = {"dict": "an object", "list": "a list", "str": "text", "bool": "true or false", "NoneType": "null"}


def taken(target: Target, value: object, expression: str) -> object:
    """Return what an expression gave as the field holds it; raises ``BadValueError`` when it cannot."""
    held = target.take(value, target.path)
    if not isinstance(held, Unfit):
        return held
    gave = _KINDS.get(type(value).__name__, "a number")
    problem = f"{target.path} is mapped to {expression!r}, which gave {gave} where {held.wanted} is needed"
    raise BadValueError(Reject("bad_mapped_value", f"{problem}; correct mapping.fields or the event"))
