# SPDX-License-Identifier: Apache-2.0
"""A record of a writer's schema bound to the domain's commerce event, once.

Owns which field of the record becomes which field of the event. Fields are found by name, so a writer may leave out
what is optional, add what it likes and order them as it likes. What a writer lacks, or has with a type that cannot be
taken, is found here and not record by record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.avro.converters import NOTHING, Convert
from connector.avro.fields import Fields, always
from connector.avro.maker import Part, maker
from connector.domain.events import CommerceEvent, Consent, Device, Product

if TYPE_CHECKING:
    from collections.abc import Mapping

Datum = dict[str, Any]
"""A record as fastavro reads it."""


def bind_event(event: Fields) -> Convert[CommerceEvent]:
    """Return how such records become events; what they lack is in the fields' findings afterwards."""
    event.needed("occurred_at").needed_by_purchases("currency_code")
    action = event.record("product_action") or event.no_record("product_action")
    action.needed("action").needed("transaction_id").needed_by_purchases("total_amount")
    return _event(event, action)


def _event(event: Fields, action: Fields) -> Convert[CommerceEvent]:
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
    parts = {
        **{field: Part(event, source, bind(source)) for field, (source, bind) in of_event.items()},
        **{field: Part(action, source, bind(source)) for field, (source, bind) in of_action.items()},
        "action": Part(action, "action", lambda value: name(value) or ""),
        "products": Part(action, "products", _products(action)),
        "purchased_at_ms": Part(action, "purchased_at", _moment(action, "purchased_at")),
        "finalized_at_ms": Part(action, "finalized_at", _moment(action, "finalized_at")),
        "identities": Part(event, "user_identities", identities_of(event)),
        "device": Part(event, name_of_device(event), device_of(event)),
        "consent": Part(event, "consent_state", consent_of(event)),
    }
    make = maker(CommerceEvent, (event, action), parts)
    no_action = dict.fromkeys(part.name for part in parts.values())
    return lambda datum: make(datum, datum.get("product_action") or no_action)


def _moment(fields: Fields, name: str) -> Convert[int | None]:
    """Take a time that need not be there."""
    time = fields.time(name)
    return lambda value: None if value is None else time(value)


def _products(action: Fields) -> Convert[tuple[Product, ...]]:
    rows = action.rows("products")
    if rows is None:
        return always(())
    product = _product(rows)

    def convert(data: list[Datum] | None) -> tuple[Product, ...]:
        return tuple([product(datum) for datum in data]) if data else ()

    return convert


def _product(row: Fields) -> Convert[Product]:
    of_row = {
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
    parts = {field: Part(row, source, bind(source)) for field, (source, bind) in of_row.items()}
    return maker(Product, (row,), parts)


def identities_of(event: Fields) -> Convert[Mapping[str, str]]:
    """Take mParticle's outgoing form (an array, the first of a type counts) and its incoming one (a map)."""
    if event.is_map("user_identities"):
        return event.attributes("user_identities")
    row = event.rows("user_identities")
    if row is None:
        return always(NOTHING)
    kind, identity = row.text("identity_type"), row.text("identity")

    def convert(data: list[Datum] | None) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for datum in data or ():
            named, value = kind(datum.get("identity_type")), identity(datum.get("identity"))
            if named and value:
                found.setdefault(named, value)
        return found

    return convert


def name_of_device(event: Fields) -> str:
    """Return what the writer calls the device: as the connector's own schema does, or as mParticle's batches do."""
    return "device_info" if event.has("device_info") and not event.has("device") else "device"


def device_of(event: Fields) -> Convert[Device | None]:
    """Take the device."""
    device = event.record(name_of_device(event))
    if device is None:
        return always(None)
    platform, ios, android = (
        device.text("platform"),
        device.text("ios_advertising_id"),
        device.text("android_advertising_id"),
    )
    limited, att = device.flag("limit_ad_tracking"), device.text("att_authorization_status")

    def convert(datum: Datum | None) -> Device | None:
        if datum is None:
            return None
        of = datum.get
        return Device(
            platform=platform(of("platform")),
            ios_advertising_id=ios(of("ios_advertising_id")),
            android_advertising_id=android(of("android_advertising_id")),
            limit_ad_tracking=limited(of("limit_ad_tracking")),
            att_authorization_status=att(of("att_authorization_status")),
        )

    return convert


def consent_of(event: Fields) -> Convert[Consent | None]:
    """Take what the user agreed to."""
    consent = event.record("consent_state")
    if consent is None:
        return always(None)
    gdpr, opted_out = _gdpr(consent), consent.flag("ccpa_data_sale_opt_out")

    def convert(datum: Datum | None) -> Consent | None:
        if datum is None:
            return None
        return Consent(gdpr=gdpr(datum.get("gdpr")), ccpa_opted_out=opted_out(datum.get("ccpa_data_sale_opt_out")))

    return convert


def _gdpr(consent: Fields) -> Convert[Mapping[str, bool]]:
    """Take the purposes; one that says neither yes nor no is as if it had not been asked for."""
    purpose = consent.records_by_name("gdpr")
    if purpose is None:
        return always(NOTHING)
    consented = purpose.needed("consented").flag("consented")

    def convert(data: dict[str, Datum] | None) -> Mapping[str, bool]:
        answers = ((name, consented(datum.get("consented"))) for name, datum in (data or {}).items())
        return {name: answer for name, answer in answers if answer is not None}

    return convert
