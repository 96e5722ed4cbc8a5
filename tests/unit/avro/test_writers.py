# SPDX-License-Identifier: Apache-2.0
"""Writers' schemas that are not the bundled one: bound by name and by type, or refused with a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.avro.decoding import AvroDecoder
from connector.avro.writers import Writer, bind_writer, decode_events
from connector.domain.events import CommerceEvent, Product
from connector.domain.money import Amount
from connector.domain.orders import Reject
from connector.engine.ports import RawRecord, TopicPartition
from tests.support.avro_records import body, single_object, small_event, small_event_schema

DECIMAL_2 = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
DECIMAL_3_FIXED = {"type": "fixed", "name": "Money", "size": 9, "logicalType": "decimal", "precision": 18, "scale": 3}


def decode(datum: object, schema: dict[str, Any]) -> CommerceEvent | Reject:
    """Return what becomes of a record of this writer."""
    record = RawRecord(TopicPartition("orders", 0), 0, None, single_object(datum, schema), (), 0)
    decoded = AvroDecoder([schema]).decode(record)
    if isinstance(decoded, Reject):
        return decoded
    assert isinstance(decoded, list)
    (event,) = decoded
    assert isinstance(event, CommerceEvent | Reject)
    return event


def total(datum: object, schema: dict[str, Any]) -> Amount | None:
    """Return the total of the event that a record of this writer becomes."""
    event = decode(datum, schema)
    assert isinstance(event, CommerceEvent)
    return event.total_amount


@pytest.mark.parametrize(
    ("avro", "written", "amount"),
    [
        (DECIMAL_2, Decimal("-12.34"), Amount(-1234, 2)),
        (DECIMAL_3_FIXED, Decimal("12.345"), Amount(12345, 3)),
        ("int", 12, Amount(12, 0)),
        ("long", -(2**63), Amount(-(2**63), 0)),
        ("string", "12.340", Amount(12340, 3)),
        ("string", " -0.5 ", Amount(-5, 1)),
        ("string", "+7", Amount(7, 0)),
        ("string", "1.25E+3", Amount(1250, 0)),
        ("string", "125e-2", Amount(125, 2)),
        ("string", "  ", None),
        (["null", "string", "long", DECIMAL_2], None, None),
        (["null", "string", "long", DECIMAL_2], "1.5", Amount(15, 1)),
        (["null", "string", "long", DECIMAL_2], 3, Amount(3, 0)),
        (["null", "string", "long", DECIMAL_2], Decimal("4.25"), Amount(425, 2)),
    ],
)
def test_an_amount_is_taken_by_its_writers_type(avro: object, written: object, amount: Amount | None) -> None:
    """Decimals, whole numbers and text are exact; each has its own scale."""
    assert total(small_event(written), small_event_schema(avro)) == amount


@pytest.mark.parametrize(
    "text",
    ["12,34", "1 000", "0x10", "NaN", "inf", "1.", ".5", "--1", "1e999", "١٢", "1_000", "9" * 61],
)
def test_text_that_is_no_plain_decimal_is_refused_without_being_quoted(text: str) -> None:
    """What is not certain to be a number is never guessed; the message names the field, not the value."""
    result = decode(small_event(text), small_event_schema("string"))
    assert isinstance(result, Reject)
    assert result.reason == "bad_amount"
    assert result.message.startswith("product_action.total_amount is not a decimal number")
    assert text not in result.message


@pytest.mark.parametrize("size", [0, 33, 100_000])
def test_a_decimal_of_no_or_too_many_bytes_is_refused(size: int) -> None:
    """No bytes are no number, and thousands of digits are no money."""
    schema = small_event_schema(DECIMAL_2)
    plain = small_event_schema("bytes")  # the same fingerprint: logical types are not part of it
    record = RawRecord(TopicPartition("orders", 0), 0, None, single_object(small_event(b"\x01" * size), plain), (), 0)
    decoded = AvroDecoder([schema]).decode(record)
    assert isinstance(decoded, list)
    (result,) = decoded
    assert isinstance(result, Reject)
    assert result.reason == "bad_amount"


@pytest.mark.parametrize(
    ("avro", "reason"),
    [
        ("double", "double_amounts_refused"),
        (["null", "double"], "double_amounts_refused"),
        ("float", "float_amounts_refused"),
        (["string", "float"], "float_amounts_refused"),
    ],
)
def test_floating_point_amounts_are_refused_once_for_the_writer(avro: object, reason: str) -> None:
    """A floating-point number cannot say what was meant; the fields are named, with what to write instead."""
    products = {"type": "array", "items": {"type": "record", "name": "P", "fields": [{"name": "price", "type": avro}]}}
    schema = small_event_schema(avro)
    schema["fields"][0]["type"]["fields"].append({"name": "products", "type": products})
    refused = bind_writer(schema)
    assert isinstance(refused, Reject)
    assert refused.reason == reason
    assert "product_action.total_amount, product_action.products[].price" in refused.message
    assert "decimal" in refused.message
    assert ("avro.double_amounts" in refused.message) is (reason == "double_amounts_refused")


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (12.34, Amount(1234, 2)),
        (0.1 + 0.2, Amount(30000000000000004, 17)),
        (1e16, Amount(10**16, 0)),
        (1e-5, Amount(1, 5)),
        (-0.5, Amount(-5, 1)),
        (100.0, Amount(1000, 1)),
        (1234567.89, Amount(123456789, 2)),
        (None, None),
    ],
)
def test_a_double_is_its_shortest_decimal_when_it_is_allowed(written: float | None, amount: Amount | None) -> None:
    """Of all numbers that become this double it is the one that somebody wrote down."""
    schema = small_event_schema(["null", "double"])
    writer = bind_writer(schema, takes_doubles=True)
    assert isinstance(writer, Writer)
    decoded = decode_events(body(small_event(written), schema), 0, writer)
    assert isinstance(decoded, list)
    (event,) = decoded
    assert isinstance(event, CommerceEvent)
    assert event.total_amount == amount


@pytest.mark.parametrize("written", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_a_double_that_is_no_money_is_refused(written: float) -> None:
    """Infinity and its like are nobody's total."""
    schema = small_event_schema("double")
    writer = bind_writer(schema, takes_doubles=True)
    assert isinstance(writer, Writer)
    decoded = decode_events(body(small_event(written), schema), 0, writer)
    assert isinstance(decoded, list)
    (refused,) = decoded
    assert isinstance(refused, Reject)
    assert refused.reason == "bad_amount"


def test_floats_of_32_bits_are_refused_even_where_doubles_are_allowed() -> None:
    """Seven digits cannot hold a large order's cents."""
    refused = bind_writer(small_event_schema("float"), takes_doubles=True)
    assert isinstance(refused, Reject)
    assert refused.reason == "float_amounts_refused"


@pytest.mark.parametrize("missing", ["transaction_id", "action"])
def test_a_writer_without_what_every_order_needs_is_refused_by_name(missing: str) -> None:
    """No record of such a writer can be an order; the message names each missing field."""
    schema = small_event_schema("string")
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "occurred_at"]
    action = schema["fields"][0]["type"]
    action["fields"] = [field for field in action["fields"] if field["name"] != missing]
    refused = bind_writer(schema)
    assert isinstance(refused, Reject)
    assert refused.reason == "writer_schema_lacks_fields"
    assert f"occurred_at, product_action.{missing}" in refused.message


def test_a_writer_without_a_product_action_is_refused_by_name() -> None:
    """A topic of something else altogether is told for what it is."""
    refused = bind_writer({"type": "record", "name": "Click", "fields": [{"name": "occurred_at", "type": "long"}]})
    assert isinstance(refused, Reject)
    assert "product_action.action, product_action.transaction_id" in refused.message


@pytest.mark.parametrize(("action", "is_refused"), [("purchase", True), ("refund", False), ("view_detail", False)])
def test_only_purchases_need_a_total_and_a_currency(action: str, is_refused: bool) -> None:  # noqa: FBT001  a parameter
    """A writer of refunds may leave out what a refund does not need; its purchases are refused by name."""
    schema = small_event_schema("string")
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "currency_code"]
    action_type = schema["fields"][0]["type"]
    action_type["fields"] = [field for field in action_type["fields"] if field["name"] != "total_amount"]
    datum = {"product_action": {"action": action, "transaction_id": "order-1"}, "occurred_at": 1_767_225_600_000}
    result = decode(datum, schema)
    assert isinstance(result, Reject) is is_refused
    if isinstance(result, Reject):
        assert result.reason == "writer_schema_lacks_fields"
        assert "currency_code, product_action.total_amount" in result.message


def test_a_field_that_can_only_be_null_counts_as_missing() -> None:
    """A placeholder is no field."""
    refused = bind_writer(small_event_schema("string", occurred_at="null"))
    assert isinstance(refused, Reject)
    assert refused.reason == "writer_schema_lacks_fields"


def test_a_null_time_is_refused_by_record() -> None:
    """A writer may declare the time nullable; a record without one has no purchase date."""
    schema = small_event_schema("string", occurred_at=["null", "long"])
    result = decode(small_event("1", occurred_at=None), schema)
    assert isinstance(result, Reject)
    assert result.reason == "bad_time"
    assert isinstance(decode(small_event("1"), schema), CommerceEvent)


@pytest.mark.parametrize(("logical", "per_ms"), [("timestamp-micros", 1_000), ("timestamp-nanos", 1_000_000)])
def test_a_finer_timestamp_becomes_milliseconds(logical: str, per_ms: int) -> None:
    """The unit is the schema's."""
    schema = small_event_schema("string", occurred_at={"type": "long", "logicalType": logical})
    event = decode(small_event("1", occurred_at=1_767_225_600_123 * per_ms + 1), schema)
    assert isinstance(event, CommerceEvent)
    assert event.occurred_at_ms == 1_767_225_600_123


def test_what_a_writer_adds_is_read_over() -> None:
    """Fields of any type and in any place that the connector does not know do not disturb it."""
    nested = {
        "type": "record",
        "name": "Nested",
        "fields": [{"name": "a", "type": {"type": "array", "items": "double"}}],
    }
    schema = small_event_schema(
        "string",
        unknown=["null", nested],
        score="double",
        when={"type": "int", "logicalType": "date"},
    )
    event = decode(small_event("1.5", unknown={"a": [1.5, 2.5]}, score=0.5, when=1), schema)
    assert isinstance(event, CommerceEvent)
    assert (event.total_amount, event.order_id, event.products) == (Amount(15, 1), "order-1", ())


def test_enums_text_and_numbers_are_text_and_identities_may_be_a_map() -> None:
    """The forms in which mParticle's data is found at customers are taken as they are."""
    schema = small_event_schema(
        "string",
        environment={"type": "enum", "name": "Environment", "symbols": ["production", "development"]},
        mpid="int",
        user_identities={"type": "map", "values": ["null", "string"]},
        custom_attributes={"type": "map", "values": ["null", "boolean", "long", "double", "string"]},
    )
    datum = small_event(
        "1",
        environment="development",
        mpid=-5,
        user_identities={"email": "a", "other": None, "alias": ""},
        custom_attributes={"a": True, "b": 2**60, "c": 1.5, "d": "text", "e": None, "f": ""},
    )
    event = decode(datum, schema)
    assert isinstance(event, CommerceEvent)
    assert (event.environment, event.mpid, event.identities) == ("development", "-5", {"email": "a"})
    assert event.custom_attributes == {"a": "true", "b": "1152921504606846976", "c": "1.5", "d": "text"}


def test_products_are_found_by_name_through_references_and_unions() -> None:
    """A type may be named first and used later; a nullable array without a value is no products."""
    line = {
        "type": "record",
        "name": "Line",
        "namespace": "shop",
        "fields": [{"name": "id", "type": ["null", "string"]}],
    }
    schema = small_event_schema("string", first_line=["null", line])
    schema["fields"][0]["type"]["fields"].append(
        {"name": "products", "type": ["null", {"type": "array", "items": "shop.Line"}]},
    )
    # A reference must come after its definition, so the event's own fields are turned round.
    schema["fields"].reverse()
    datum = small_event("1", first_line=None)
    datum["product_action"]["products"] = [{"id": "sku"}, {"id": None}]
    event = decode(datum, schema)
    assert isinstance(event, CommerceEvent)
    assert [product.sku for product in event.products] == ["sku", None]
    assert event.products[1] == Product(None, None, None, None, None, None, None, {})
    datum["product_action"]["products"] = None
    event = decode(datum, schema)
    assert isinstance(event, CommerceEvent)
    assert event.products == ()


@pytest.mark.parametrize(
    ("field", "avro"),
    [
        ("currency_code", "double"),
        ("occurred_at", {"type": "long", "logicalType": "local-timestamp-millis"}),
        ("occurred_at", "string"),
        ("mpid", "bytes"),
        ("session_uuid", ["string", {"type": "array", "items": "string"}]),
        ("custom_attributes", {"type": "map", "values": {"type": "map", "values": "string"}}),
        ("integration_attributes", {"type": "map", "values": "string"}),
        ("device", "string"),
        ("consent_state", {"type": "map", "values": "boolean"}),
        ("user_identities", {"type": "array", "items": "string"}),
    ],
)
def test_a_field_of_a_type_that_cannot_be_taken_is_refused_by_name(field: str, avro: object) -> None:
    """A field that is meant for the connector and cannot be read is never silently left out."""
    refused = bind_writer(small_event_schema("string", **{field: avro}))
    assert isinstance(refused, Reject)
    assert refused.reason == "unsupported_writer_schema"
    assert f"{field} (" in refused.message


@pytest.mark.parametrize(
    "avro",
    ["bytes", {"type": "int", "logicalType": "date"}, "boolean", [DECIMAL_2, DECIMAL_3_FIXED]],
)
def test_an_amount_of_an_unclear_type_is_refused_by_name(avro: object) -> None:
    """Two decimals of one union cannot be told apart, and plain bytes have no scale."""
    refused = bind_writer(small_event_schema(avro))
    assert isinstance(refused, Reject)
    assert "product_action.total_amount (" in refused.message


def test_a_schema_that_contains_itself_is_refused() -> None:
    """The reader recurses in C: a record of some kilobytes would end the process."""
    tree = {"type": "record", "name": "Tree", "fields": [{"name": "child", "type": ["null", "Tree"]}]}
    refused = bind_writer(small_event_schema("string", tree=tree))
    assert isinstance(refused, Reject)
    assert refused.reason == "unsupported_writer_schema"
    assert "Tree contains itself" in refused.message


@pytest.mark.parametrize(
    "items",
    [
        "null",
        {"type": "record", "name": "Empty", "fields": []},
        {"type": "record", "name": "Nulls", "fields": [{"name": "a", "type": "null"}]},
        {"type": "fixed", "name": "None", "size": 0},
    ],
)
def test_an_array_whose_items_take_no_bytes_is_refused(items: object) -> None:
    """Six bytes could claim 2**40 of them, and each would take memory."""
    refused = bind_writer(small_event_schema("string", empties={"type": "array", "items": items}))
    assert isinstance(refused, Reject)
    assert refused.reason == "unsupported_writer_schema"


@pytest.mark.parametrize("size", ["0 if print('!') else 0", -1, True, 1.5, None, 2**31])
def test_a_fixed_whose_size_is_no_size_is_refused(size: object) -> None:
    """The library takes anything there, and code is written with it: what is no number must never get that far."""
    fixed = {"type": "fixed", "name": "Odd", "size": size}
    refused = bind_writer(small_event_schema("string", odd=["null", fixed]))
    assert isinstance(refused, Reject)
    assert refused.reason == "unsupported_writer_schema"
    assert "the size of Odd is " in refused.message
    assert "whole number" in refused.message


def test_a_scale_that_would_cost_seconds_is_refused() -> None:
    """Ten to the power of a scale is reckoned with."""
    refused = bind_writer(small_event_schema({**DECIMAL_2, "precision": 3_000_000, "scale": 3_000_000}))
    assert isinstance(refused, Reject)
    assert refused.reason == "unsupported_writer_schema"
    assert "the scale of a decimal is '3000000'" in refused.message


def test_a_scale_that_is_null_is_none() -> None:
    """A decimal without a scale has whole numbers; null is a way to give none."""
    writer = bind_writer(small_event_schema({**DECIMAL_2, "scale": None}))
    assert isinstance(writer, Writer)
    decoded = decode_events(body(small_event(b"\x01\x00"), small_event_schema("bytes")), 0, writer)
    assert isinstance(decoded, list)
    (event,) = decoded
    assert isinstance(event, CommerceEvent)
    assert event.total_amount == Amount(256, 0)


@pytest.mark.parametrize("number", [0, 63, 64, 65])
def test_a_union_of_more_types_than_a_byte_can_tell_apart_is_read(number: int) -> None:
    """From the 65th on the index takes two bytes."""
    one = [{"name": "a", "type": "long"}]
    union = [{"type": "record", "name": f"R{each}", "fields": one} for each in range(66)]
    event = decode(
        small_event("1.00", u=(f"R{number}", {"a": 2}), mpid="A"),
        small_event_schema("string", u=union, mpid="string"),
    )
    assert isinstance(event, CommerceEvent)
    assert event.mpid == "A"


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "recrod"}, {"type": "string"}, {"type": "map", "values": 1}],
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    """Whatever a registry holds, binding answers with data."""
    refused = bind_writer(schema)
    assert isinstance(refused, Reject)
    assert refused.reason == "unsupported_writer_schema"


def test_a_schema_of_very_deep_nesting_is_refused() -> None:
    """Depth that exhausts the stack is an answer, not a crash."""
    schema: dict[str, Any] = {"type": "array", "items": "string"}
    for _ in range(20_000):
        schema = {"type": "array", "items": schema}
    assert isinstance(bind_writer(small_event_schema("string", deep=schema)), Reject)


def test_two_schemas_that_differ_in_a_scale_only_stop_the_start() -> None:
    """Their values carry the same fingerprint, and one would be read a hundred times too large."""
    schemas = [small_event_schema({**DECIMAL_2, "scale": scale}) for scale in (2, 4)]
    with pytest.raises(ValueError, match="scale"):
        AvroDecoder(schemas)
    AvroDecoder([schemas[0], schemas[0]])
