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
    occurred_at = event.time("occurred_at")
    name, order_id, affiliation = action.text("action"), action.text("transaction_id"), action.text("affiliation")
    total, tax, shipping = action.amount("total_amount"), action.amount("tax_amount"), action.amount("shipping_amount")
    coupon, products = action.text("coupon_code"), _products(action)
    currency, environment = event.text("currency_code"), event.text("environment")
    message_id, event_id = event.text("source_message_id"), event.text("event_id")
    session_uuid, session_id, mpid = event.text("session_uuid"), event.text("session_id"), event.text("mpid")
    identities, device, consent = identities_of(event), device_of(event), consent_of(event)
    device_name = name_of_device(event)
    token, channel, is_new = event.text("btn_ref"), event.text("order_channel"), event.flag("is_new_customer")
    customer_order_id = action.text("customer_order_id")
    purchased_at, finalized_at = _moment(action, "purchased_at"), _moment(action, "finalized_at")
    integrations = event.nested_attributes("integration_attributes")
    attributes = event.attributes("custom_attributes")

    def convert(datum: Datum) -> CommerceEvent:
        of_event = datum.get
        of_action = (of_event("product_action") or NOTHING).get
        return CommerceEvent(
            action=name(of_action("action")) or "",
            order_id=order_id(of_action("transaction_id")),
            occurred_at_ms=occurred_at(of_event("occurred_at")),
            currency=currency(of_event("currency_code")),
            total_amount=total(of_action("total_amount")),
            tax_amount=tax(of_action("tax_amount")),
            shipping_amount=shipping(of_action("shipping_amount")),
            coupon_code=coupon(of_action("coupon_code")),
            products=products(of_action("products")),
            source_message_id=message_id(of_event("source_message_id")),
            event_id=event_id(of_event("event_id")),
            session_uuid=session_uuid(of_event("session_uuid")),
            session_id=session_id(of_event("session_id")),
            mpid=mpid(of_event("mpid")),
            environment=environment(of_event("environment")),
            identities=identities(of_event("user_identities")),
            integration_attributes=integrations(of_event("integration_attributes")),
            custom_attributes=attributes(of_event("custom_attributes")),
            device=device(of_event(device_name)),
            consent=consent(of_event("consent_state")),
            affiliation=affiliation(of_action("affiliation")),
            btn_ref=token(of_event("btn_ref")),
            customer_order_id=customer_order_id(of_action("customer_order_id")),
            order_channel=channel(of_event("order_channel")),
            is_new_customer=is_new(of_event("is_new_customer")),
            purchased_at_ms=purchased_at(of_action("purchased_at")),
            finalized_at_ms=finalized_at(of_action("finalized_at")),
        )

    return convert


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
    sku, name, category, coupon = row.text("id"), row.text("name"), row.text("category"), row.text("coupon_code")
    price, quantity, total = row.amount("price"), row.amount("quantity"), row.amount("total_product_amount")
    brand, variant, attributes = row.text("brand"), row.text("variant"), row.attributes("custom_attributes")
    upc, discount, categories = row.text("upc"), row.amount("discount"), row.texts("categories")

    def convert(datum: Datum) -> Product:
        of = datum.get
        return Product(
            sku=sku(of("id")),
            name=name(of("name")),
            category=category(of("category")),
            price=price(of("price")),
            quantity=quantity(of("quantity")),
            total=total(of("total_product_amount")),
            coupon_code=coupon(of("coupon_code")),
            attributes=attributes(of("custom_attributes")),
            brand=brand(of("brand")),
            variant=variant(of("variant")),
            upc=upc(of("upc")),
            discount=discount(of("discount")),
            categories=categories(of("categories")),
        )

    return convert


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
