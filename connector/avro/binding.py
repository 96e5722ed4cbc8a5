# SPDX-License-Identifier: Apache-2.0
"""A record of a writer's schema bound to the domain's commerce event, once.

Owns which field of the record becomes which field of the event. Fields are found by name, so a writer may leave out
what is optional, add what it likes and order them as it likes. What a writer lacks, or has with a type that cannot be
taken, is found here and not record by record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.avro.converters import NOTHING, Convert, as_it_is
from connector.avro.fields import Fields, always
from connector.avro.shapes import Inner, Part, Shape
from connector.domain.events import CommerceEvent, Consent, Device, Product

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Bind = Callable[[str], Convert[Any]]

_ACTION = "product_action"


def bind_event(event: Fields) -> Shape:
    """Return what such records become as events; what they lack is in the fields' findings afterwards."""
    event.needed("occurred_at").needed_by_purchases("currency_code")
    action = event.record(_ACTION) or event.no_record(_ACTION)
    action.needed("action").needed("transaction_id").needed_by_purchases("total_amount")
    return Shape(CommerceEvent, _of_event(event, action))


def _of_event(event: Fields, action: Fields) -> dict[str, Part]:
    of_event = {
        "occurred_at_ms": ("occurred_at", event.time),
        "currency": ("currency_code", event.text),
        "source_message_id": ("source_message_id", event.text),
        "event_id": ("event_id", event.text),
        "session_uuid": ("session_uuid", event.text),
        "session_id": ("session_id", event.text),
        "mpid": ("mpid", event.text),
        "environment": ("environment", event.text),
        "integration_attributes": ("integration_attributes", event.nested_attributes),
        "custom_attributes": ("custom_attributes", event.attributes),
        "btn_ref": ("btn_ref", event.text),
        "order_channel": ("order_channel", event.text),
        "is_new_customer": ("is_new_customer", event.flag),
    }
    of_action = {
        "order_id": ("transaction_id", action.text),
        "total_amount": ("total_amount", action.amount),
        "tax_amount": ("tax_amount", action.amount),
        "shipping_amount": ("shipping_amount", action.amount),
        "coupon_code": ("coupon_code", action.text),
        "affiliation": ("affiliation", action.text),
        "customer_order_id": ("customer_order_id", action.text),
    }
    name = action.text("action")
    return {
        **_parts(of_event),
        **_parts(of_action, _ACTION),
        "action": Part((_ACTION, "action"), lambda value: name(value) or ""),
        "products": _products(action),
        "purchased_at_ms": Part((_ACTION, "purchased_at"), _moment(action, "purchased_at")),
        "finalized_at_ms": Part((_ACTION, "finalized_at"), _moment(action, "finalized_at")),
        "identities": identities_of(event),
        "device": device_of(event),
        "consent": consent_of(event),
    }


def _parts(bound: Mapping[str, tuple[str, Bind]], *at: str) -> dict[str, Part]:
    return {field: Part((*at, source), bind(source)) for field, (source, bind) in bound.items()}


def _moment(fields: Fields, name: str) -> Convert[int | None]:
    """Take a time that need not be there."""
    time = fields.time(name)
    return lambda value: None if value is None else time(value)


def _products(action: Fields) -> Part:
    row, path = action.rows("products"), (_ACTION, "products")
    if row is None:
        return Part(path, always(()))
    return Part(path, lambda products: tuple(products or ()), Inner(_product(row), "array"))


def _product(row: Fields) -> Shape:
    bound = {
        "sku": ("id", row.text),
        "name": ("name", row.text),
        "category": ("category", row.text),
        "price": ("price", row.amount),
        "quantity": ("quantity", row.amount),
        "total": ("total_product_amount", row.amount),
        "coupon_code": ("coupon_code", row.text),
        "attributes": ("custom_attributes", row.attributes),
        "brand": ("brand", row.text),
        "variant": ("variant", row.text),
        "upc": ("upc", row.text),
        "discount": ("discount", row.amount),
        "categories": ("categories", row.texts),
    }
    return Shape(Product, _parts(bound))


class _Identity(NamedTuple):
    kind: str | None
    identity: str | None


def identities_of(event: Fields) -> Part:
    """Take mParticle's outgoing form (an array, the first of a type counts) and its incoming one (a map)."""
    path = ("user_identities",)
    if event.is_map("user_identities"):
        return Part(path, event.attributes("user_identities"))
    row = event.rows("user_identities")
    if row is None:
        return Part(path, always(NOTHING))
    pair = Shape(_Identity, _parts({"kind": ("identity_type", row.text), "identity": ("identity", row.text)}))
    return Part(path, _first_of_each, Inner(pair, "array"))


def _first_of_each(pairs: list[_Identity] | None) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for kind, identity in pairs or ():
        if kind and identity:
            found.setdefault(kind, identity)
    return found or NOTHING


def device_of(event: Fields) -> Part:
    """Take the device, whichever of its two names the writer calls it by: the connector's own, or mParticle's."""
    path = "device_info" if event.has("device_info") and not event.has("device") else "device"
    device = event.record(path)
    if device is None:
        return Part((path,), always(None))
    bound = {
        "platform": ("platform", device.text),
        "ios_advertising_id": ("ios_advertising_id", device.text),
        "android_advertising_id": ("android_advertising_id", device.text),
        "limit_ad_tracking": ("limit_ad_tracking", device.flag),
        "att_authorization_status": ("att_authorization_status", device.text),
    }
    return Part((path,), as_it_is, Inner(Shape(Device, _parts(bound)), "field"))


def consent_of(event: Fields) -> Part:
    """Take what the user agreed to."""
    path = ("consent_state",)
    consent = event.record("consent_state")
    if consent is None:
        return Part(path, always(None))
    parts = {"gdpr": _gdpr(consent), **_parts({"ccpa_opted_out": ("ccpa_data_sale_opt_out", consent.flag)})}
    return Part(path, as_it_is, Inner(Shape(Consent, parts), "field"))


class _Answer(NamedTuple):
    consented: bool | None


def _gdpr(consent: Fields) -> Part:
    """Take the purposes; one that says neither yes nor no is as if it had not been asked for."""
    purpose = consent.records_by_name("gdpr")
    if purpose is None:
        return Part(("gdpr",), always(NOTHING))
    answer = _parts({"consented": ("consented", purpose.needed("consented").flag)})
    return Part(("gdpr",), _answered, Inner(Shape(_Answer, answer), "map"))


def _answered(answers: dict[str, _Answer] | None) -> Mapping[str, bool]:
    said = {name: consented for name, (consented,) in (answers or {}).items() if consented is not None}
    return said or NOTHING
