# SPDX-License-Identifier: Apache-2.0
"""Published payloads, from the record's bytes to the body, come out as their sources say."""

from __future__ import annotations

from typing import Any, cast

from connector.avro.decoding import AvroDecoder
from connector.domain.attribution import Missing, attribute
from connector.domain.bodies import create_body
from connector.domain.events import CommerceEvent
from connector.domain.lifecycle import decide
from connector.domain.orders import Create, Reject, Skip
from connector.domain.policy import Policy, WithoutConsent
from connector.engine.ports import RawRecord, TopicPartition
from tests.support.avro_records import encode_event
from tests.support.commerce import product, published, purchase

_UNIX_MS = {"2017-07-25T08:23:52Z": 1_500_971_032_000, "2017-08-02T19:26:08Z": 1_501_701_968_000}


def _decoded(event: dict[str, Any]) -> CommerceEvent:
    record = RawRecord(TopicPartition("orders", 0), 0, None, encode_event(event), (), 0)
    (decoded,) = cast("list[CommerceEvent]", AvroDecoder().decode(record))
    assert isinstance(decoded, CommerceEvent), decoded
    return decoded


def _body(event: CommerceEvent, policy: Policy) -> dict[str, Any]:
    decision = decide(event, None, attribute(event, Missing(), policy).token, policy)
    assert isinstance(decision, Create), decision
    return create_body(decision.order)


def _as_product(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of Button's documentation as the product that a shop would have sent."""
    return {
        "id": line["sku"],
        "name": line["description"],
        "upc": line.get("upc"),
        "categories": line["category"],
        "quantity": line["quantity"],
        "total_product_amount": f"{line['total'] // 100}.{line['total'] % 100:02}",
        "custom_attributes": line["attributes"],
    }


def test_button_s_sample_order_is_told_whole() -> None:
    """Every field of the published request, byte for byte, but the legacy unit price."""
    sample = cast("dict[str, Any]", published("button_create_order"))
    customer = sample["customer"]
    digest = "84059b07d4be67b806386c0aad8070a23f18836bbaae342275dc0a83414c32ee"
    event = _decoded(
        {
            "occurred_at": _UNIX_MS[sample["purchase_date"]],
            "currency_code": "USD",
            "btn_ref": sample["btn_ref"],
            "is_new_customer": customer["is_new"],
            "device": {"ios_advertising_id": customer["device_id"]},
            "user_identities": [
                {"identity_type": "customer_id", "identity": customer["id"]},
                {"identity_type": "email", "identity": "MyEmailAddress@example.com"},
            ],
            "product_action": {
                "action": "purchase",
                "transaction_id": sample["order_id"],
                "customer_order_id": sample["customer_order_id"],
                "finalized_at": _UNIX_MS[sample["finalization_date"]],
                "total_amount": "70.00",
                "products": [_as_product(line) for line in sample["line_items"]],
            },
        },
    )
    customer["email_sha256"] = digest  # the page has a shell substitution there
    for line in sample["line_items"]:
        del line["amount"]
    assert _body(event, Policy(sends_finalization_date=True)) == sample


def test_the_lines_of_button_s_mobile_web_page_are_told_as_they_are() -> None:
    """Attributes are the shop's own; the total of a line is for all of its pieces."""
    lines = cast("list[dict[str, Any]]", published("button_mobile_web_lines"))
    event = _decoded(
        {
            "occurred_at": 1_500_971_032_000,
            "currency_code": "USD",
            "product_action": {
                "action": "purchase",
                "transaction_id": "1",
                "products": [_as_product(line) for line in lines],
            },
        },
    )
    body = _body(event, Policy())
    assert body["line_items"] == lines
    assert body["total"] == sum(line["total"] for line in lines)


def _events_api_sample() -> dict[str, Any]:
    sample = cast("dict[str, Any]", published("mparticle_events_api_purchase"))
    data, device = sample["events"][0]["data"], sample["device_info"]
    fields = {"id", "name", "price", "quantity", "total_product_amount", "custom_attributes"}
    action = {
        name: data["product_action"][name]
        for name in ("action", "transaction_id", "total_amount", "tax_amount", "shipping_amount")
    }
    return {
        "occurred_at": data["timestamp_unixtime_ms"],
        "environment": sample["environment"],
        "source_message_id": data["source_message_id"],
        "event_id": data["event_id"],
        "session_id": data["session_id"],
        "session_uuid": data["session_uuid"],
        "mpid": sample["mpid"],
        "currency_code": data["currency_code"],
        "product_action": {
            **action,
            "products": [{name: each[name] for name in fields} for each in data["product_action"]["products"]],
        },
        "user_identities": [
            {"identity_type": kind, "identity": identity} for kind, identity in sample["user_identities"].items()
        ],
        "device": {
            name: device[name]
            for name in (
                "platform",
                "ios_advertising_id",
                "android_advertising_id",
                "limit_ad_tracking",
                "att_authorization_status",
            )
        },
    }


def test_mparticle_s_events_api_sample_is_of_development_and_has_no_currency() -> None:
    """By default it is skipped; told all the same it is refused, unless the policy knows the currency."""
    event = _decoded(_events_api_sample())
    assert decide(event, None, None, Policy()) == Skip("environment_development")
    refused = decide(event, None, None, Policy(skips_development=False))
    assert isinstance(refused, Reject)
    assert refused.reason == "missing_currency"
    body = _body(event, Policy(skips_development=False, default_currency="USD"))
    assert (body["order_id"], body["total"], body["currency"]) == ("foo transaction id", 12_300, "USD")
    assert body["customer"] == {"id": "123456", "device_id": "1cc8138f-8aaf-410a-b0b9-6465cfb2af6a"}
    (line,) = body["line_items"]
    assert (line["sku"], line["total"], line["quantity"]) == ("Product SKU", 12_300, 1)


def test_the_zeros_of_mparticle_s_sample_are_no_device() -> None:
    """Its Android, Roku and Fire ids are all zeros; only the one that is real is told."""
    sample = _events_api_sample()
    sample["device"]["ios_advertising_id"] = sample["device"]["android_advertising_id"]
    body = _body(_decoded(sample), Policy(skips_development=False, default_currency="USD"))
    assert body["customer"] == {"id": "123456"}


def test_mparticle_s_sample_of_consent_is_an_opt_out_of_sale() -> None:
    """Its ``consented: true`` under CCPA means opted out; neither of its purposes is advertising."""
    state = cast("dict[str, Any]", published("mparticle_consent_state"))
    event = _decoded(
        {
            "occurred_at": 1_523_039_002_083,
            "currency_code": "USD",
            "product_action": {"action": "purchase", "transaction_id": "1", "total_amount": "1"},
            "consent_state": {
                "gdpr": {name: {"consented": each["consented"]} for name, each in state["gdpr"].items()},
                "ccpa_data_sale_opt_out": state["ccpa"]["data_sale_opt_out"]["consented"],
            },
        },
    )
    assert decide(event, None, None, Policy()) == Skip("consent_ccpa")
    assert isinstance(decide(event, None, None, Policy(ccpa_opt_out=WithoutConsent.IGNORE)), Create)
    parental = {"parental": WithoutConsent.SKIP, "location_collection": WithoutConsent.SKIP}
    assert decide(event, None, None, Policy(ccpa_opt_out=WithoutConsent.IGNORE, gdpr=parental)) == Skip("consent_gdpr")


def test_mparticle_s_outgoing_identities_make_the_customer() -> None:
    """The address leaves as the hash that a hash tool outside of this project gave for it."""
    identities = cast("list[dict[str, Any]]", published("mparticle_outgoing_identities"))
    plain = {each["identity_type"]: each["identity"] for each in identities}
    assert _body(purchase(product(), identities=plain), Policy())["customer"] == {
        "id": "h.jekyll.md",
        "email_sha256": "929433c7d22ae03ec07f8f1098c77c0ece3b917880b3bb9ccae42b973cf11d1d",
    }
