# SPDX-License-Identifier: Apache-2.0
"""Decoding of the bundled schema, with fastavro's writer as the oracle."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.avro.decoding import AvroDecoder
from connector.domain.events import CommerceEvent, Consent, Device, Product
from connector.domain.money import Amount
from connector.domain.orders import Reject
from connector.engine.ports import Decoder, RawRecord, TopicPartition
from tests.support import avro_records

DECODER: Decoder = AvroDecoder()


def record(value: bytes) -> RawRecord:
    """Return a record of the orders topic."""
    return RawRecord(TopicPartition("orders", 0), 7, b"key", value, (), 1_767_225_600_000)


def decode(value: bytes, decoder: Decoder = DECODER) -> CommerceEvent | Reject:
    """Return the one event of a value, or the one reason why there is none."""
    decoded = decoder.decode(record(value))
    if isinstance(decoded, Reject):
        return decoded
    assert isinstance(decoded, list)
    (event,) = decoded
    assert isinstance(event, CommerceEvent | Reject)
    return event


def decoded_event(event: dict[str, Any]) -> CommerceEvent:
    """Return the event after a way through the wire."""
    result = decode(avro_records.encode_event(event))
    assert isinstance(result, CommerceEvent)
    return result


def test_every_field_arrives() -> None:
    """Each field that a producer writes is in the event, under the domain's name."""
    event = avro_records.purchase(
        "order-9",
        event_id="event-1",
        session_id=12,
        user_identities=[{"identity_type": "customer_id", "identity": "c-1"}],
        device={
            "platform": "iOS",
            "ios_advertising_id": "IDFA",
            "android_advertising_id": "GAID",
            "limit_ad_tracking": False,
            "att_authorization_status": "denied",
        },
        consent_state={"gdpr": {"advertising": {"consented": False}}, "ccpa_data_sale_opt_out": True},
        integration_attributes={"1022": {"com.usebutton.source_token": "srctok-1"}},
        custom_attributes={"is_new": "true"},
        product_action={
            "action": "purchase",
            "transaction_id": "order-9",
            "affiliation": "Store 1",
            "total_amount": "34.5678",
            "tax_amount": "1.5",
            "shipping_amount": "0",
            "coupon_code": "ORDER10",
            "products": [
                {
                    "id": "sku",
                    "name": "Name",
                    "brand": "Brand",
                    "category": "A/B",
                    "variant": "Red",
                    "price": "12.34",
                    "quantity": "1.5",
                    "total_product_amount": "18.51",
                    "coupon_code": "LINE5",
                    "custom_attributes": {"upc": "012345678905"},
                },
            ],
        },
    )
    assert decoded_event(event) == CommerceEvent(
        action="purchase",
        order_id="order-9",
        occurred_at_ms=1_767_225_600_000,
        currency="USD",
        total_amount=Amount(345_678, 4),
        tax_amount=Amount(15_000, 4),
        shipping_amount=Amount(0, 4),
        coupon_code="ORDER10",
        products=(
            Product(
                sku="sku",
                name="Name",
                category="A/B",
                price=Amount(123_400, 4),
                quantity=Amount(15_000, 4),
                total=Amount(185_100, 4),
                coupon_code="LINE5",
                attributes={"upc": "012345678905"},
                brand="Brand",
                variant="Red",
            ),
        ),
        source_message_id="message-order-9",
        event_id="event-1",
        session_uuid="SESSION-order-9",
        session_id="12",
        mpid="-7636538281262557000",
        environment="production",
        identities={"customer_id": "c-1"},
        integration_attributes={"1022": {"com.usebutton.source_token": "srctok-1"}},
        custom_attributes={"is_new": "true"},
        device=Device("iOS", "IDFA", "GAID", limit_ad_tracking=False, att_authorization_status="denied"),
        consent=Consent({"advertising": False}, ccpa_opted_out=True),
        affiliation="Store 1",
    )


def test_an_event_of_nothing_but_its_time_has_everything_absent() -> None:
    """What a producer leaves out is absent, never a blank or a zero; such an event has no action."""
    assert decoded_event({"occurred_at": 1_767_225_600_123}) == CommerceEvent(
        action="",
        order_id=None,
        occurred_at_ms=1_767_225_600_123,
        currency=None,
        total_amount=None,
        tax_amount=None,
        shipping_amount=None,
        coupon_code=None,
        products=(),
        source_message_id=None,
        event_id=None,
        session_uuid=None,
        session_id=None,
        mpid=None,
        environment=None,
        identities={},
        integration_attributes={},
        custom_attributes={},
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (-2271448330363288817, "-2271448330363288817"),
        (-(2**63), "-9223372036854775808"),
        (2**63 - 1, "9223372036854775807"),
        (2**53 + 1, "9007199254740993"),
        (0, "0"),
        ("007", "007"),
        ("E3B0C442-98FC", "E3B0C442-98FC"),
        ("", None),
        (" \t", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("field", ["event_id", "session_id", "mpid"])
def test_an_id_keeps_every_digit_and_every_letter(field: str, written: object, read: str | None) -> None:
    """Signed 64-bit ids never pass through a float, text stays as it is, blank is absent."""
    event = {**avro_records.purchase(), field: written}
    assert getattr(decoded_event(event), field) == read


@pytest.mark.parametrize("amount", ["-0.0001", "0", "9999999999999999.9999", "-9999999999999999.9999", "1.28", "-1.28"])
def test_an_amount_is_exact_to_the_schemas_last_digit(amount: str) -> None:
    """Sign, scale and twenty digits survive; bytes with the high bit set are negative."""
    event = avro_records.purchase()
    event["product_action"]["total_amount"] = amount
    total = decoded_event(event).total_amount
    assert total is not None
    assert Decimal(total.unscaled).scaleb(-total.scale) == Decimal(amount)


def test_blank_text_is_absent_and_other_text_is_untouched() -> None:
    """A blank transaction id is no id [an SDK once made one up]; spaces around text stay where they are."""
    event = avro_records.purchase(currency_code="", session_uuid="  ", environment=" production ")
    event["product_action"]["transaction_id"] = " "
    event["custom_attributes"] = {"a": "", "b": " x "}
    read = decoded_event(event)
    assert (read.currency, read.session_uuid, read.order_id) == (None, None, None)
    assert read.environment == " production "
    assert read.custom_attributes == {"b": " x "}


def test_the_first_identity_that_is_not_blank_counts() -> None:
    """Of several identities of one type the order decides; blank ones are as if they were not there."""
    identities = [
        {"identity_type": "email", "identity": ""},
        {"identity_type": "email", "identity": "first"},
        {"identity_type": "email", "identity": "second"},
        {"identity_type": "customer_id"},
        {"identity_type": "", "identity": "nobody"},
    ]
    assert decoded_event(avro_records.purchase(user_identities=identities)).identities == {"email": "first"}


def test_a_zero_advertising_id_is_left_as_it_came() -> None:
    """What a zero id means is a rule of the domain; decoding does not hide it."""
    zeros = "00000000-0000-0000-0000-000000000000"
    device = decoded_event(avro_records.purchase(device={"ios_advertising_id": zeros})).device
    assert device is not None
    assert device.ios_advertising_id == zeros


@pytest.mark.parametrize("occurred_at", [1_767_225_600, 0, -1, 2**62, 1_767_225_600_000_000])
def test_a_time_in_another_unit_is_refused(occurred_at: int) -> None:
    """Seconds and microseconds in a field of milliseconds would date the purchase wrongly."""
    result = decode(avro_records.encode_event(avro_records.purchase(occurred_at=occurred_at)))
    assert isinstance(result, Reject)
    assert result.reason == "bad_time"
    assert "occurred_at" in result.message


def test_a_record_that_is_cut_anywhere_yields_no_event() -> None:
    """Every proper prefix of a record is refused, and none of them raises."""
    event = avro_records.purchase(
        custom_attributes={"a": "b"},
        device={"limit_ad_tracking": True},
        consent_state={"gdpr": {}},
    )
    value = avro_records.encode_event(event)
    results = [decode(value[:length]) for length in range(len(value))]
    assert all(isinstance(result, Reject) for result in results)
    reasons = [result.reason for result in results if isinstance(result, Reject)]
    assert reasons == ["not_avro"] * 2 + ["truncated_avro"] * (len(value) - 2)


@pytest.mark.parametrize("extra", [b"\x00", b"\xc3\x01", b"more"])
def test_bytes_behind_the_record_are_refused(extra: bytes) -> None:
    """What is left over says that the value was not written with the schema that it names."""
    result = decode(avro_records.encode_event(avro_records.purchase()) + extra)
    assert isinstance(result, Reject)
    assert result.reason == "trailing_bytes"
    assert f"{len(extra)} bytes" in result.message


def test_bytes_that_do_not_follow_the_schema_are_refused_without_being_quoted() -> None:
    """A wrong union branch and broken text are bad Avro; a message never holds a part of the record."""
    value = avro_records.encode_event(avro_records.purchase("order-1"))
    broken_text = value.replace(b"order-1", b"\xff\xfeder-1")
    broken_branch = value[:16] + b"\x7e" + value[17:]
    for bad in (broken_text, broken_branch):
        result = decode(bad)
        assert isinstance(result, Reject)
        assert result.reason == "bad_avro"
        assert "der-1" not in result.message


def zigzag(number: int) -> bytes:
    """Return a number as Avro writes it."""
    rest = (number << 1) ^ (number >> 63)
    rest &= (1 << 64) - 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


@pytest.mark.parametrize("count", [2**40, 2**62, -(2**40), -(2**63), 2**63 - 1])
@pytest.mark.parametrize("tail", [b"", b"\x00" * 64])
def test_a_count_that_the_record_cannot_hold_costs_nothing(count: int, tail: bytes) -> None:
    """A few bytes that claim 2**62 attributes are refused at once, with no memory taken for them."""
    value = avro_records.encode_event({"occurred_at": 1_767_225_600_000})
    assert value.endswith(b"\x00\x00\x00")
    result = decode(value[:-1] + zigzag(count) + tail)
    assert isinstance(result, Reject)
