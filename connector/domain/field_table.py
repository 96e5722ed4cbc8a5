# SPDX-License-Identifier: Apache-2.0
"""The mapping, as a table: every field of an order at Button, where it is taken from and by which rule.

Owns the words that documentation and explanations use. The rules themselves are in ``mapping``, ``attribution``,
``customers``, ``lines`` and ``details``; tests hold rows, documentation and behaviour to one another: a field that is
told without a row, or a row whose sources do not change its field, fails. Fields of the event are named as in its
schema.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One field of an order at Button.

    ``sources`` are all fields of the event that can change it; ``others`` what the documents of others call it.
    ``absent`` is what happens when no source has a value, ``bad`` when it has one that Button does not take: a reason
    code says that the purchase becomes a dead letter.
    """

    button: str
    sources: tuple[str, ...]
    others: str
    rule: str
    limit: str
    absent: str
    bad: str


class NotTold(NamedTuple):
    """A field that is not told: ``field`` by the name that the document in ``where`` gives it."""

    field: str
    where: str
    why: str


_ACTION = "product_action."
_PRODUCT = "product_action.products[]."

# Commanders Act: its Button destination. Datafly: its Button blueprint. mParticle: its commerce events and its page on
# Button. What stands in ``others`` is theirs.
FIELDS = (
    Row(
        "order_id",
        (_ACTION + "transaction_id",),
        "Commanders Act id; Datafly order_id; mParticle transaction_id",
        "as it is; the same id must be on the refund",
        "ASCII, 255 characters, not . or ..",
        "missing_transaction_id",
        "invalid_transaction_id",
    ),
    Row(
        "total",
        (
            _ACTION + "total_amount",
            _ACTION + "tax_amount",
            _ACTION + "shipping_amount",
            _PRODUCT + "total_product_amount",
            _PRODUCT + "price",
            _PRODUCT + "quantity",
            _PRODUCT + "discount",
            "currency_code",
        ),
        "Commanders Act revenue; Datafly total; mParticle total_amount",
        "total_amount less tax_amount and shipping_amount, else the sum of the lines (policy.total_from); in minor "
        "units of the currency, never rounded; with policy.lines_must_add_up it must equal the sum of the lines",
        "0 to 2147483647",
        "missing_total",
        "negative_amount, negative_total, amount_too_precise, total_out_of_range, lines_do_not_add_up",
    ),
    Row(
        "currency",
        ("currency_code",),
        "Commanders Act currency; Datafly currency; mParticle currency_code",
        "ISO 4217 code in capitals; policy.default_currency where the event has none",
        "currencies with a minor unit",
        "missing_currency",
        "unknown_currency",
    ),
    Row(
        "purchase_date",
        (_ACTION + "purchased_at", "occurred_at"),
        "Commanders Act partners.button.purchase_date, else context.event_timestamp",
        "purchased_at, else occurred_at, as ISO 8601 in UTC",
        "years 1970 to 9999",
        "cannot be: an event has a time",
        "invalid_purchase_date",
    ),
    Row(
        "finalization_date",
        (_ACTION + "finalized_at",),
        "Commanders Act partners.button.finalization_date",
        "only with policy.send_finalization_date: it overrides what was agreed with Button; as ISO 8601 in UTC",
        "years 1970 to 9999",
        "left out",
        "invalid_finalization_date",
    ),
    Row(
        "btn_ref",
        ("btn_ref", "integration_attributes", "session_uuid", "session_id", "mpid", "environment"),
        "Commanders Act source_token; Datafly btn_ref; mParticle integration attribute 1022",
        "the event's own, else of the session, else of the user, as of the event's time; an organisation (org-) never; "
        "with policy.refuse_test_tokens fakesrctok- only of development",
        "URL-safe ASCII, 255 characters",
        "left out (policy.missing_token: skip, or missing_token)",
        "taken for absent",
    ),
    Row(
        "customer.id",
        ("user_identities.customer_id", "user_identities.customerid", "user_identities.customer", "consent_state"),
        "Commanders Act user.id; mParticle customer id",
        "as it is; left out with the whole customer where consent forbids it",
        "none",
        "left out",
        "cannot be",
    ),
    Row(
        "customer.email_sha256",
        ("user_identities.email", "consent_state"),
        "Commanders Act user.email; mParticle email",
        "SHA-256 of the trimmed address in small letters; 64 hex digits are the hash already; never the address",
        "64 hex digits",
        "left out",
        "cannot be",
    ),
    Row(
        "customer.device_id",
        (
            "device.ios_advertising_id",
            "device.android_advertising_id",
            "device.platform",
            "device.limit_ad_tracking",
            "device.att_authorization_status",
            "consent_state",
        ),
        "Commanders Act context.device.advertising_id; mParticle IDFA and Google advertising id",
        "the id of the device's platform, else the other one; none under limit_ad_tracking, or under an "
        "att_authorization_status other than authorized",
        "none",
        "left out",
        "all zeros, or blank: left out",
    ),
    Row(
        "customer.is_new",
        ("is_new_customer", "consent_state"),
        "Commanders Act user.new_user (told as is_new_user)",
        "as it is; policy.first_purchase_flag names it is_new or is_new_user",
        "true or false",
        "left out",
        "cannot be",
    ),
    Row(
        "customer_order_id",
        (_ACTION + "customer_order_id",),
        "Commanders Act id_variant",
        "as it is",
        "255 bytes of UTF-8",
        "left out",
        "customer_order_id_too_long",
    ),
    Row(
        "partner_order_channel",
        ("order_channel",),
        "Commanders Act partners.button.order_channel",
        "in small letters",
        "app, webview",
        "left out",
        "left out, as web is",
    ),
    Row(
        "line_items[].identifier",
        (_PRODUCT + "id", _PRODUCT + "name"),
        "Commanders Act items.X.id; mParticle product SKU",
        "id, else name, else line-1, line-2, ...; a repeated one gets -2, -3, ...",
        "unique within the order",
        "cannot be",
        "cannot be",
    ),
    Row(
        "line_items[].total",
        (
            _PRODUCT + "total_product_amount",
            _PRODUCT + "price",
            _PRODUCT + "quantity",
            _PRODUCT + "discount",
            "currency_code",
        ),
        "Commanders Act items.X.product.price, quantity and discount; mParticle product revenue",
        "total_product_amount, else price times quantity less discount; in minor units, never rounded",
        "0 to 2147483647",
        "missing_line_total",
        "negative_amount, amount_too_precise, total_out_of_range",
    ),
    Row(
        "line_items[].quantity",
        (_PRODUCT + "quantity",),
        "Commanders Act items.X.quantity; mParticle quantity",
        "as it is",
        "whole, 1 to 2147483647",
        "1",
        "invalid_quantity",
    ),
    Row(
        "line_items[].sku",
        (_PRODUCT + "id",),
        "Commanders Act items.X.id; mParticle product SKU",
        "as it is",
        "255 characters",
        "left out",
        "sku_too_long",
    ),
    Row(
        "line_items[].upc",
        (_PRODUCT + "upc", _PRODUCT + "custom_attributes.upc"),
        "Commanders Act items.X.id (map upc to id where ids are UPCs)",
        "upc, else the custom attribute upc; a UPC-E of 8 digits with its check digit is expanded, zeros that make a "
        "GTIN-13 or GTIN-14 of a UPC are dropped",
        "12 digits",
        "left out",
        "left out (policy.invalid_upc: invalid_upc)",
    ),
    Row(
        "line_items[].category",
        (
            _PRODUCT + "categories",
            *(f"{_PRODUCT}custom_attributes.category_{level}" for level in range(1, 6)),
            _PRODUCT + "category",
        ),
        "Commanders Act items.X.product.category_1 to category_5; mParticle category",
        "categories, else the custom attributes category_1 to category_5 without gaps, else category alone",
        "7, the most general ones",
        "left out",
        "what is beyond the seventh is left out",
    ),
    Row(
        "line_items[].description",
        (_PRODUCT + "name",),
        "Commanders Act items.X.product.name; mParticle product name",
        "as it is",
        "none",
        "left out",
        "cannot be",
    ),
    Row(
        "line_items[].attributes.coupon_code",
        (_PRODUCT + "coupon_code", _ACTION + "coupon_code", _PRODUCT + "custom_attributes.coupon_code"),
        "Commanders Act items.X.coupon; mParticle coupon_code",
        "the line's, else the order's on each of its lines, else the custom attribute of that name",
        "text",
        "left out",
        "cannot be",
    ),
    Row(
        "line_items[].attributes.brand",
        (_PRODUCT + "brand", _PRODUCT + "custom_attributes.brand"),
        "mParticle brand",
        "the field, else the custom attribute of that name",
        "text",
        "left out",
        "cannot be",
    ),
    Row(
        "line_items[].attributes.variant",
        (_PRODUCT + "variant", _PRODUCT + "custom_attributes.variant"),
        "mParticle variant",
        "the field, else the custom attribute of that name",
        "text",
        "left out",
        "cannot be",
    ),
    Row(
        "line_items[].attributes.*",
        (_PRODUCT + "custom_attributes.*",),
        "mParticle product custom attributes",
        "every other custom attribute under its own name, numbers and booleans as text",
        "text",
        "left out",
        "blank: left out",
    ),
)

DECIDES = {
    _ACTION + "action": "which events are purchases and refunds (policy.purchase_actions, policy.refund_actions)",
    "environment": "development is skipped as environment_development (policy.skip_development)",
    "consent_state": "a purchase is skipped as consent_gdpr, consent_gdpr_not_asked or consent_ccpa, or told without "
    "its customer (policy.gdpr, policy.gdpr_not_asked, policy.ccpa_opt_out)",
    _ACTION + "products": "what a refund takes back (with product_action.total_amount); without a ledger, a refund "
    "that has either is partial_refund_unsupported",
}
"""Fields of the event that decide whether an order is told, besides what they may be told as."""

NOT_TOLD = (
    NotTold("total_as_decimal", "Button; Commanders Act partners.button.total_as_decimal", "never needed: amounts are "
            "exact integers of minor units, and a decimal would have to be parsed again"),
    NotTold("amount (of a line or an order)", "Button's older samples", "a legacy unit price; total is what counts"),
    NotTold("status", "Button", "read-only"),
    NotTold("X-Button-API-Version", "Button", "a header of the call, by button.api_version, off by default"),
    NotTold("ip_address", "Datafly context.ip", "no field of the Order API"),
    NotTold("user_agent", "Datafly context.user_agent", "no field of the Order API"),
    NotTold("application_id", "Datafly, mParticle", "belongs to Button's libraries for apps, not to the Order API"),
    NotTold("advertising_id (top level)", "Button's libraries for apps", "told as customer.device_id"),
    NotTold("add_to_cart and other actions", "Datafly, mParticle", "the Order API knows orders only; skipped and "
            "counted by name"),
    NotTold("btn_pub_user, btn_pub_ref, btn_url", "Button Links", "go from publisher to Button in the link itself"),
    NotTold("affiliation", "mParticle product_action.affiliation", "an order has no attributes of its own at Button"),
    NotTold("source_channel", "mParticle source_info.channel", "an app's web view is native, too: map order_channel to "
            "source_channel == 'native' && 'app' where that is known to be an app"),
    NotTold("custom_attributes", "mParticle event attributes", "an order has no attributes of its own at Button; any "
            "of them can be mapped to a field"),
    NotTold("user_attributes", "mParticle", "personal; any of them can be mapped to a field"),
    NotTold("source_message_id", "mParticle", "tells copies of an event apart"),
    NotTold("event_id", "mParticle", "tells copies of an event apart"),
)  # fmt: skip
