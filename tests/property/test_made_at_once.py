# SPDX-License-Identifier: Apache-2.0
"""What code that was written for a schema makes of bytes is what is made of the record that they are read as."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.avro.converters import BadValueError
from connector.avro.shapes import made_of
from connector.avro.writer_schema import read
from connector.avro.writers import Writer, bind_writer
from connector.domain.orders import Reject
from tests.support.avro_records import body

_DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
_FINE = {**_DECIMAL, "scale": 3}
_TEXTS = {"type": "array", "items": "string"}
_ATTRIBUTES = {"type": "map", "values": "string"}
_TEXT = st.sampled_from(("string", ["null", "string"], ["string", "null"], "long", ["null", "long", "string"]))
_AMOUNT = st.sampled_from((_DECIMAL, ["null", _FINE], "string", "int", ["null", "string", "long", _DECIMAL]))
_TIME = st.sampled_from(("long", ["null", "long"], {"type": "long", "logicalType": "timestamp-micros"}))
_FLAG = st.sampled_from(("boolean", ["null", "boolean"]))
_ANY_ATTRIBUTES = st.sampled_from((_ATTRIBUTES, ["null", {"type": "map", "values": ["null", "long", "boolean"]}]))
_NOBODYS = st.sampled_from(
    ("string", "bytes", "double", ["null", "boolean", "float"], {"type": "map", "values": _TEXTS}),
)


@st.composite
def _record(
    draw: st.DrawFn,
    name: str,
    needed: dict[str, Any],
    /,
    **others: st.SearchStrategy[Any],
) -> dict[str, Any]:
    """Return a record's schema: what is needed, and any of the others, in any order."""
    drawn = draw(st.fixed_dictionaries(needed, optional={**others, "nobodys": _NOBODYS}))
    fields = [{"name": field, "type": type_} for field, type_ in drawn.items()]
    return {"type": "record", "name": name, "fields": draw(st.permutations(fields))}


def _list_of(record: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    lists = record.map(lambda items: {"type": "array", "items": items})
    return lists.flatmap(lambda list_: st.sampled_from((list_, ["null", list_])))


def _perhaps(record: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return record.flatmap(lambda type_: st.sampled_from((type_, ["null", type_])))


_AMOUNTS = dict.fromkeys(("price", "quantity", "total_product_amount", "discount"), _AMOUNT)
_PRODUCT = _record(
    "Product",
    {"id": _TEXT},
    **dict.fromkeys(("name", "category", "upc"), _TEXT),
    **_AMOUNTS,
    categories=st.just(_TEXTS),
    custom_attributes=_ANY_ATTRIBUTES,
)
_ACTION = _record(
    "Action",
    {"action": _TEXT, "transaction_id": _TEXT},
    **dict.fromkeys(("total_amount", "tax_amount"), _AMOUNT),
    **dict.fromkeys(("purchased_at", "finalized_at"), _TIME),
    products=_list_of(_PRODUCT),
)
_ANSWERS = _record("Answer", {"consented": _FLAG}).map(lambda answer: {"type": "map", "values": answer})


def _shared(prefix: str) -> dict[str, st.SearchStrategy[Any]]:
    """Return what events and batches may have; a named type is defined once in a schema."""

    def named(type_: dict[str, Any]) -> dict[str, Any]:
        return {**type_, "name": prefix + type_["name"]}

    return {
        "mpid": _TEXT,
        "user_identities": _list_of(_record("Identity", {"identity": _TEXT}, identity_type=_TEXT).map(named)),
        "device": _perhaps(_record("Device", {"platform": _TEXT}, limit_ad_tracking=_FLAG).map(named)),
    }


_EVENT = _record(
    "Event",
    {"occurred_at": _TIME, "product_action": _perhaps(_ACTION)},
    **_shared("Event"),
    **dict.fromkeys(("currency_code", "event_id", "btn_ref"), _TEXT),
    is_new_customer=_FLAG,
    consent_state=_perhaps(_record("Consent", {}, gdpr=_ANSWERS, ccpa_data_sale_opt_out=_FLAG)),
    custom_attributes=_ANY_ATTRIBUTES,
    integration_attributes=st.just({"type": "map", "values": _ATTRIBUTES}),
)
_BATCH = _record("Batch", {"events": _list_of(_EVENT)}, **_shared("Batch"))

_TIMES = st.integers(100_000_000_000, 253_402_300_799_999)
_LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": _TIMES | _TIMES.map(lambda ms: ms * 1_000) | st.sampled_from((0, 63, -64, 2**63 - 1, -(2**63))),
    "float": st.floats(width=32),
    "double": st.floats(),
    "bytes": st.binary(max_size=70),
    "string": st.sampled_from(("", " ", "purchase", "email", "größer", "12.50", "12,50", "a" * 70)),
}


def _value(type_: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  any JSON
    if isinstance(type_, str):
        return _LEAVES[type_]
    if isinstance(type_, list):
        return st.one_of([_value(branch) for branch in type_])
    match type_["type"]:
        case "record":
            return st.fixed_dictionaries({field["name"]: _value(field["type"]) for field in type_["fields"]})
        case "array":
            return st.lists(_value(type_["items"]), max_size=2)
        case "map":
            return st.dictionaries(_LEAVES["string"], _value(type_["values"]), max_size=2)
    return st.decimals(-(10**5), 10**5, places=type_["scale"]) if "scale" in type_ else _LEAVES[type_["type"]]


def _at_once(value: bytes, writer: Writer) -> object:
    """Return what is made while reading, nothing where it is left to what reads in general."""
    assert writer.make is not None
    try:
        made, end = writer.make(value, 0)
    except Exception:  # noqa: BLE001  whatever it raises
        return None
    return made if end == len(value) else None


def _in_general(value: bytes, writer: Writer) -> object:
    """Return what is made of the record that was read, nothing where there is something wrong."""
    datum = read(value, 0, writer.schema)
    if isinstance(datum, Reject):
        return None
    try:
        made: object = made_of(datum, writer.batch or writer.event)
    except BadValueError:
        return None
    return made


@given(st.data(), _EVENT | _BATCH)
def test_what_is_made_at_once_is_what_is_made_of_the_record(data: st.DataObject, schema: dict[str, Any]) -> None:
    """Whatever types a writer has, and in whatever order: the same event, type for type, or the same refusal."""
    writer = bind_writer(schema)
    assert isinstance(writer, Writer)
    value = body(data.draw(_value(schema)), schema)
    assert repr(_at_once(value, writer)) == repr(_in_general(value, writer))


@given(st.data(), _EVENT | _BATCH, st.binary(max_size=4))
def test_nothing_is_made_at_once_of_bytes_that_are_refused(
    data: st.DataObject,
    schema: dict[str, Any],
    noise: bytes,
) -> None:
    """Of bytes that were cut, or into which others got, an event is made only where they are one."""
    writer = bind_writer(schema)
    assert isinstance(writer, Writer)
    whole = body(data.draw(_value(schema)), schema)
    cut = data.draw(st.integers(0, len(whole)))
    for rubbish in (whole[:cut], whole[:cut] + noise, whole[:cut] + noise + whole[cut:]):
        made = _at_once(rubbish, writer)
        if made is not None:
            assert repr(made) == repr(_in_general(rubbish, writer))
