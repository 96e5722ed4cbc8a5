# SPDX-License-Identifier: Apache-2.0
"""The reader that is written for a schema reads what fastavro reads, whatever the schema; fastavro is the measure."""

from __future__ import annotations

import io
import itertools
import math
from typing import Any

import fastavro
from hypothesis import given, reject
from hypothesis import strategies as st

from connector.avro.compiled import compile_reader
from connector.avro.writer_schema import WriterSchema, writer_schema

_PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1) | st.sampled_from((63, 64, -64, -65, 2**62, -(2**63))),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=200),
    "string": st.text(max_size=80),
}
_names = itertools.count()


def _named(kind: str, **rest: Any) -> dict[str, Any]:  # noqa: ANN401  any JSON
    return {"type": kind, "name": f"Named{next(_names)}", **rest}


_LEAVES = (
    st.sampled_from(sorted(_PLAIN))
    | st.builds(lambda size: _named("fixed", size=size), st.integers(1, 20))
    | st.builds(lambda count: _named("enum", symbols=[f"S{n}" for n in range(count)]), st.integers(1, 70))
)


def _record(types: list[Any]) -> dict[str, Any]:
    return _named("record", fields=[{"name": f"f{number}", "type": type_} for number, type_ in enumerate(types)])


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(lambda values: {"type": "map", "values": values}, inner)
        | st.builds(lambda type_: ["null", type_], inner.filter(lambda type_: type_ != "null" and _is_no_union(type_)))
        | st.builds(_record, st.lists(inner, max_size=4))
    )


def _is_no_union(type_: object) -> bool:
    return not isinstance(type_, list)


_TYPES = st.recursive(_LEAVES, _around, max_leaves=8)
_SCHEMAS = st.builds(_record, st.lists(_TYPES, min_size=1, max_size=5))


def _value(type_: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401, PLR0911  one return for each kind
    if isinstance(type_, str):
        return _PLAIN[type_]
    if isinstance(type_, list):
        return st.one_of([_value(branch) for branch in type_])
    match type_["type"]:
        case "fixed":
            return st.binary(min_size=type_["size"], max_size=type_["size"])
        case "enum":
            return st.sampled_from(type_["symbols"])
        case "array":
            return st.lists(_value(type_["items"]), max_size=3)
        case "map":
            return st.dictionaries(st.text(max_size=70), _value(type_["values"]), max_size=3)
    return st.fixed_dictionaries({field["name"]: _value(field["type"]) for field in type_["fields"]})


def _prepared(schema: dict[str, Any]) -> WriterSchema:
    prepared = writer_schema(schema)
    if not isinstance(prepared, WriterSchema):
        reject()  # An array of what takes no bytes is refused.
    return prepared


def _by_fastavro(schema: WriterSchema, data: bytes) -> object:
    """Return the record, or nothing where fastavro finds something wrong, or leaves something over."""
    stream = io.BytesIO(data)
    try:
        datum: object = fastavro.schemaless_reader(stream, schema.reader, None)
    except Exception:  # noqa: BLE001  whatever it raises
        return None
    return datum if stream.tell() == len(data) else None


@given(st.data(), _SCHEMAS)
def test_what_is_read_is_what_fastavro_reads(data: st.DataObject, schema: dict[str, Any]) -> None:
    """Any record of any schema comes out value for value, type for type."""
    prepared = _prepared(schema)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), data.draw(_value(schema)))
    written = out.getvalue()
    assert prepared.compiled is not None
    record, end = prepared.compiled(b"head" + written, 4)
    assert end == 4 + len(written)
    assert repr(record) == repr(_by_fastavro(prepared, written))


@given(st.data(), _SCHEMAS, st.binary(max_size=60))
def test_no_bytes_are_taken_that_fastavro_refuses(data: st.DataObject, schema: dict[str, Any], noise: bytes) -> None:
    """Of bytes that nobody wrote, a record is either what fastavro makes of them or left to it."""
    prepared = _prepared(schema)
    assert prepared.compiled is not None
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(schema), data.draw(_value(schema)))
    whole = written.getvalue()
    cut = data.draw(st.integers(0, len(whole)))
    for rubbish in (noise, whole[:cut], whole[:cut] + noise, whole[:cut] + noise + whole[cut:]):
        try:
            record, end = prepared.compiled(rubbish, 0)
        except Exception:  # noqa: BLE001, S112  it is left to fastavro
            continue
        if end == len(rubbish):
            assert _alike(record, _by_fastavro(prepared, rubbish))


def _alike(one: object, other: object) -> bool:
    """Compare by what is shown, because a number that is none is not equal to itself."""
    return repr(one) == repr(other) or (isinstance(one, float) and math.isnan(one))


def test_a_claim_of_many_items_is_not_believed() -> None:
    """An array that says it holds 2**61 items ends with the bytes, at once."""
    for items in (
        "string",
        "long",
        {"type": "fixed", "name": "Four", "size": 4},
        "double",
        {"type": "map", "values": "string"},
    ):
        prepared = _prepared(_record([{"type": "array", "items": items}]))
        assert prepared.compiled is not None
        try:
            _, end = prepared.compiled(b"\xfe\xff\xff\xff\xff\xff\xff\xff\x3f" + bytes(8), 0)
        except Exception:  # noqa: BLE001, S112  it is left to fastavro
            continue
        assert end != 17


def test_a_schema_that_is_nested_too_deeply_for_the_compiler_is_read_by_fastavro() -> None:
    """What cannot be compiled is no reason to refuse a schema."""
    type_: Any = "string"
    for _ in range(60):
        type_ = {"type": "array", "items": type_}
    prepared = _prepared(_record([type_]))
    assert prepared.compiled is None
    assert compile_reader(prepared.root) is None
