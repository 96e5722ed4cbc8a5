# SPDX-License-Identifier: Apache-2.0
"""Rules of taking fields from elsewhere in an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from connector.avro.decoding import AvroDecoder
from connector.avro.schemas import load_schema
from connector.avro.smart_mapping import SmartMapping, smart_mapping
from connector.avro.targets import TARGETS
from connector.avro.writer_schema import writer_schema
from connector.avro.writers import Elsewhere, Writer, bind_writer, decode_events
from connector.domain.events import CommerceEvent, Consent, Device, Product
from connector.domain.field_table import FIELDS
from connector.domain.money import Amount
from connector.domain.orders import Reject
from connector.engine.ports import RawRecord, TopicPartition
from tests.support.avro_records import body, encode_event, schema
from tests.support.field_docs import PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENT = {
    "occurred_at": 1_500_971_032_000,
    "mpid": -7636538281262557000,
    "source_channel": "native",
    "currency_code": "USD",
    "custom_attributes": {"n": "A-1", "shop_total": "12.34", "first": "TRUE", "at": "1500971032001", "eur": "EUR"},
    "user_attributes": {"first_order": "yes"},
    "user_identities": [
        {"identity_type": "customer", "identity": "old"},
        {"identity_type": "other_id_2", "identity": "c-2"},
    ],
    "product_action": {
        "action": "purchase",
        "transaction_id": "T",
        "total_amount": "9.99",
        "products": [
            {"id": "s", "price": "1.50", "category": "Tea", "custom_attributes": {"ean": "400000000001", "d": "Food"}},
            {"id": "t", "price": "2.50", "custom_attributes": {}},
        ],
    },
}


def _mapping(fields: Mapping[str, str]) -> SmartMapping:
    prepared = writer_schema(load_schema("commerce_event"))
    assert not isinstance(prepared, Reject)
    mapping = smart_mapping(fields, [prepared.root])
    assert isinstance(mapping, SmartMapping), mapping
    return mapping


def _mapped(fields: Mapping[str, str], event: Mapping[str, Any] = _EVENT) -> CommerceEvent | Reject:
    record = RawRecord(TopicPartition("orders", 0), 0, None, encode_event(event), (), 0)
    decoded = AvroDecoder(elsewhere=Elsewhere(_mapping(fields))).decode(record)
    assert isinstance(decoded, list)
    (only,) = decoded
    return only


def _decoded(value: bytes, start: int, writer: Writer) -> list[CommerceEvent | Reject]:
    decoded = decode_events(value, start, writer)
    assert isinstance(decoded, list), decoded
    return decoded


def _event(fields: Mapping[str, str], event: Mapping[str, Any] = _EVENT) -> CommerceEvent:
    mapped = _mapped(fields, event)
    assert isinstance(mapped, CommerceEvent), mapped
    return mapped


@pytest.mark.parametrize(
    ("path", "expression", "name", "value"),
    [
        ("product_action.transaction_id", "custom_attributes.n", "order_id", "A-1"),
        ("product_action.transaction_id", "custom_attributes.absent", "order_id", None),
        ("product_action.transaction_id", "custom_attributes.absent || mpid", "order_id", "-7636538281262557000"),
        ("product_action.total_amount", "custom_attributes.shop_total", "total_amount", Amount(1_234, 2)),
        ("product_action.total_amount", "product_action.products[0].price", "total_amount", Amount(15, 1)),
        ("product_action.total_amount", "to_number(custom_attributes.shop_total)", "total_amount", Amount(1_234, 2)),
        ("product_action.tax_amount", "`2`", "tax_amount", Amount(2, 0)),
        ("product_action.action", "custom_attributes.absent", "action", ""),
        ("currency_code", "custom_attributes.eur", "currency", "EUR"),
        ("is_new_customer", "custom_attributes.first", "is_new_customer", True),
        ("is_new_customer", "user_attributes.first_order == 'no'", "is_new_customer", False),
        ("is_new_customer", "custom_attributes.absent", "is_new_customer", None),
        ("order_channel", "source_channel == 'native' && 'app' || `null`", "order_channel", "app"),
        ("occurred_at", "to_number(custom_attributes.at)", "occurred_at_ms", 1_500_971_032_001),
        ("product_action.purchased_at", "occurred_at", "purchased_at_ms", 1_500_971_032_000),
        ("product_action.finalized_at", "custom_attributes.absent", "finalized_at_ms", None),
        ("device.ios_advertising_id", "custom_attributes.n", "device", Device(ios_advertising_id="A-1")),
        ("device.limit_ad_tracking", "custom_attributes.first", "device", Device(limit_ad_tracking=True)),
        ("consent_state.gdpr", "{advertising: custom_attributes.first}", "consent", Consent({"advertising": True})),
        ("consent_state.ccpa_data_sale_opt_out", "`true`", "consent", Consent({}, ccpa_opted_out=True)),
    ],
)
def test_a_field_is_what_its_expression_gives(path: str, expression: str, name: str, value: object) -> None:
    """In the form that the field has, exactly; and everything else stays as it was."""
    event = _event({path: expression})
    assert getattr(event, name) == value
    before = _event({})._asdict()
    assert event._asdict() == before | {name: value}


def test_a_field_of_products_is_asked_of_each_product() -> None:
    """Null for one of them is absent there."""
    path = "product_action.products[]."
    event = _event({path + "upc": "custom_attributes.ean", path + "categories": "[custom_attributes.d, category]"})
    assert [(product.upc, product.categories) for product in event.products] == [
        ("400000000001", ("Food", "Tea")),
        (None, ()),
    ]


def test_a_mapped_customer_replaces_all_of_its_names() -> None:
    """Otherwise an id of the other kind would stand in for one that is absent."""
    second = "user_identities[?identity_type=='other_id_2'].identity | [0]"
    assert _event({"user_identities.customer_id": second}).identities == {"other_id_2": "c-2", "customer_id": "c-2"}
    assert _event({"user_identities.customer_id": "custom_attributes.absent"}).identities == {"other_id_2": "c-2"}


@pytest.mark.parametrize(
    ("path", "expression", "gave", "wanted"),
    [
        ("product_action.transaction_id", "product_action", "an object", "text"),
        ("product_action.transaction_id", "`true`", "true or false", "text"),
        ("product_action.transaction_id", "`1.5`", "a number", "text"),
        ("product_action.transaction_id", '`"\\ud800"`', "text", "text that UTF-8 can hold"),
        ("product_action.total_amount", "custom_attributes", "an object", "an amount"),
        ("product_action.total_amount", "`true`", "true or false", "an amount"),
        ("occurred_at", "custom_attributes.at", "text", "a time in milliseconds (to_number()"),
        ("occurred_at", "custom_attributes.absent", "null", "a time"),
        ("is_new_customer", "custom_attributes.n", "text", "true or false"),
        ("product_action.products[].categories", "[[id]]", "a list", "text"),
        ("product_action.products[].categories", "custom_attributes", "an object", "a list of text"),
        ("product_action.products[].custom_attributes", "id", "text", "an object of text"),
        ("consent_state.gdpr", "mpid", "a number", "an object of true and false"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_without_being_shown(
    path: str,
    expression: str,
    gave: str,
    wanted: str,
) -> None:
    """Field, expression and kinds are named; the value may be anybody's."""
    reject = _mapped({path: expression})
    assert isinstance(reject, Reject)
    assert reject.reason == "bad_mapped_value"
    assert path in reject.message
    assert expression in reject.message or repr(expression)[1:-1] in reject.message
    assert f"gave {gave} where" in reject.message
    assert wanted in reject.message
    assert "A-1" not in reject.message


def test_text_that_is_no_amount_is_refused_as_in_any_other_field() -> None:
    """A mapped field has the rules of its own place."""
    reject = _mapped({"product_action.total_amount": "custom_attributes.n"})
    assert isinstance(reject, Reject)
    assert (reject.reason, "A-1" in reject.message) == ("bad_amount", False)


def test_a_function_that_fails_blames_the_event_and_quotes_nothing() -> None:
    """What JMESPath says of a wrong type would hold the value."""
    reject = _mapped({"product_action.transaction_id": "join('-', [custom_attributes.n, mpid])"})
    assert isinstance(reject, Reject)
    assert reject.reason == "bad_mapping"
    assert "JMESPathTypeError" in reject.message
    assert "7636538281262557000" not in reject.message


def test_what_is_wrong_with_a_mapping_is_all_told_by_field() -> None:
    """A field that cannot be mapped, too."""
    prepared = writer_schema(load_schema("commerce_event"))
    assert not isinstance(prepared, Reject)
    problems = smart_mapping(
        {"product_action.transaction": "mpid", "mpid": "mpidd", "btn_ref": "mpid", "nothing like it": "mpid"},
        [prepared.root],
    )
    assert isinstance(problems, tuple)
    assert [problem.path for problem in problems] == ["product_action.transaction", "mpid", "nothing like it"]
    assert "did you mean product_action.transaction_id?" in problems[0].what
    assert "character 1" in problems[1].what


def test_a_product_s_expression_does_not_see_the_event() -> None:
    """Nor does the event's see a product's fields; each is checked against what it is asked of."""
    prepared = writer_schema(load_schema("commerce_event"))
    assert not isinstance(prepared, Reject)
    for path, expression in (("product_action.products[].upc", "mpid"), ("mpid", "upc")):
        assert isinstance(smart_mapping({path: expression}, [prepared.root]), tuple)


def test_events_of_a_batch_see_what_the_batch_says() -> None:
    """What an event says itself goes before it; expressions are checked against both."""
    schemas = [writer_schema(load_schema(name)) for name in ("commerce_event", "commerce_event_batch")]
    mapping = smart_mapping(
        {"product_action.transaction_id": "mpid", "mpid": "session_uuid"},
        [each.root for each in schemas if not isinstance(each, Reject)],
    )
    assert isinstance(mapping, SmartMapping)
    writer = bind_writer(schema("commerce_event_batch"), elsewhere=Elsewhere(mapping))
    assert isinstance(writer, Writer)
    plain = {"occurred_at": 1_500_971_032_000, "product_action": {"action": "purchase", "products": []}}
    rows = [plain, {**plain, "mpid": "own"}, {**plain, "occurred_at": 0}]
    events = decode_events(body({"mpid": "shared", "events": rows}, schema("commerce_event_batch")), 0, writer)
    assert isinstance(events, list)
    assert [event.order_id for event in events[:2] if isinstance(event, CommerceEvent)] == ["shared", "own"]
    assert isinstance(events[2], Reject)


def test_a_writer_need_not_have_what_comes_from_elsewhere() -> None:
    """Mapped fields, and those with a default, are not missing from its schema."""
    lean = {
        "type": "record",
        "name": "Lean",
        "fields": [
            {"name": "occurred_at", "type": "long"},
            {"name": "order", "type": {"type": "record", "name": "O", "fields": [{"name": "id", "type": "string"}]}},
        ],
    }
    assert isinstance(bind_writer(lean), Reject)
    prepared = writer_schema(lean)
    assert not isinstance(prepared, Reject)
    fields = {
        "product_action.action": "'purchase'",
        "product_action.transaction_id": "order.id",
        "product_action.total_amount": "'1.00'",
    }
    mapping = smart_mapping(fields, [prepared.root])
    assert isinstance(mapping, SmartMapping)
    writer = bind_writer(lean, elsewhere=Elsewhere(mapping, frozenset({"currency_code"})))
    assert isinstance(writer, Writer)
    (event,) = _decoded(body({"occurred_at": 1_500_971_032_000, "order": {"id": "T"}}, lean), 0, writer)
    assert isinstance(event, CommerceEvent)
    assert (event.action, event.order_id, event.total_amount) == ("purchase", "T", Amount(100, 2))


def test_decimals_and_times_of_every_kind_look_plain_to_an_expression() -> None:
    """Exact text and milliseconds, inside unions, lists, maps and records; other bytes are null."""
    amount_type = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    micros = {"type": "long", "logicalType": "timestamp-micros"}
    own = schema("commerce_event")
    odd = {
        **own,
        "fields": [
            *own["fields"],
            {"name": "union", "type": ["null", amount_type, "string"]},
            {"name": "list", "type": {"type": "array", "items": amount_type}},
            {"name": "map", "type": {"type": "map", "values": ["null", amount_type]}},
            {"name": "at", "type": micros},
            {"name": "raw", "type": "bytes"},
            {
                "name": "either",
                "type": [amount_type, {**amount_type, "type": "fixed", "name": "F", "size": 2, "precision": 4}],
            },
        ],
    }
    prepared = writer_schema(odd)
    assert not isinstance(prepared, Reject)
    fields = {
        "product_action.total_amount": "union",
        "product_action.tax_amount": "list[0]",
        "product_action.shipping_amount": "map.x",
        "product_action.purchased_at": "at",
        "product_action.coupon_code": "raw",
        "order_channel": "either",
    }
    mapping = smart_mapping(fields, [prepared.root])
    assert isinstance(mapping, SmartMapping)
    writer = bind_writer(odd, elsewhere=Elsewhere(mapping))
    assert isinstance(writer, Writer)
    datum = {
        "occurred_at": 1_500_971_032_000,
        "product_action": {"action": "purchase", "products": []},
        "union": b"\x04\xd2",
        "list": [b"\xff"],
        "map": {"x": b"\x64"},
        "at": 1_500_971_032_001_999,
        "raw": b"marked",
        "either": b"\x04\xd2",
    }
    plain_types = {"type": "record", "name": "P", "fields": [
        {**field, "type": _without_logical(field["type"])} for field in odd["fields"]
    ]}  # fmt: skip
    (event,) = _decoded(body(datum, plain_types), 0, writer)
    assert isinstance(event, CommerceEvent)
    assert (event.total_amount, event.tax_amount) == (Amount(1_234, 2), Amount(-1, 2))
    assert (event.shipping_amount, event.purchased_at_ms) == (Amount(1, 0), 1_500_971_032_001)
    assert (event.coupon_code, event.order_channel) == (None, None)


def _without_logical(avro: Any) -> Any:  # noqa: ANN401  a schema is JSON
    if isinstance(avro, dict):
        return {name: _without_logical(each) for name, each in avro.items() if name != "logicalType"}
    return [_without_logical(each) for each in avro] if isinstance(avro, list) else avro


def test_every_source_of_the_table_can_be_mapped() -> None:
    """Under the name that the table has; the parts of maps by the map, the token as a whole."""
    prefix = "product_action.products[].custom_attributes"
    sources = {prefix if source.startswith(prefix) else source for row in FIELDS for source in row.sources}
    elsewhere_by = {"integration_attributes", "user_identities.customerid", "user_identities.customer", "consent_state"}
    assert sources - elsewhere_by <= set(TARGETS)


def test_every_target_is_a_field_of_the_domain() -> None:
    """A misspelt one would end the process at the first event."""
    owners: dict[str, Any] = {"event": CommerceEvent, "device": Device, "consent": Consent, "product": Product}
    for target in TARGETS.values():
        if target.owner in owners:
            assert target.name in owners[target.owner]._fields, target


def test_the_examples_of_the_documentation_are_accepted() -> None:
    """As they stand on the page."""
    example = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    _mapping(yaml.safe_load(example)["mapping"]["fields"])


def test_without_a_mapping_nothing_is_bound() -> None:
    """Who maps nothing pays nothing."""
    writer = bind_writer(schema("commerce_event"))
    assert isinstance(writer, Writer)
    assert writer.fill is None
