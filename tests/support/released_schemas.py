# SPDX-License-Identifier: Apache-2.0
"""The schemas as they were released, each with a value that was written by it, and with what that value means.

Owns ``tests/vectors/schemas``. ``python -m tests.support.released_schemas`` adds a version where the present schema is
another one than the last; with ``--replace`` it takes the last one's place, which is for schemas that nobody has yet.
"""

from __future__ import annotations

import base64
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.avro.decoding import AvroDecoder
from connector.avro.schemas import SCHEMA_NAMES, load_schema, schema_text
from connector.avro.session_decoding import SessionDecoder
from connector.engine.ports import RawRecord, TopicPartition
from tests.support.avro_records import body, single_object

RELEASED = Path(__file__).resolve().parents[1] / "vectors" / "schemas"
_SESSION = "session_attribution"
_TIME_MS = 1_767_225_600_000

Json = Any


def versions(name: str) -> list[int]:
    """Return the numbers of the released versions of a schema."""
    return sorted(int(file.stem) for file in (RELEASED / name).glob("*.avsc"))


def released(name: str, number: int) -> Json:
    """Return a released version."""
    return json.loads((RELEASED / name / f"{number}.avsc").read_text(encoding="utf-8"))


def value_of(name: str, number: int) -> tuple[bytes, Json]:
    """Return the value that was written by a released version, and its meaning."""
    kept = json.loads((RELEASED / name / f"{number}.json").read_text(encoding="utf-8"))
    return base64.b64decode(kept["value"]), kept["meaning"]


def meaning_of(name: str, value: bytes) -> Json:
    """Return what the connector, as it is started, finds in a value; of what is empty nothing is said."""
    if name == _SESSION:
        return _plain(SessionDecoder().decode(b"session_uuid", value))
    return _plain(AvroDecoder().decode(RawRecord(TopicPartition("orders", 0), 0, None, value, (), 0)))


def bare_example(name: str) -> bytes:
    """Return the bare encoding of an example by the present schema."""
    return body(example_of(load_schema(name)), load_schema(name))


def example_of(schema: Json) -> Json:
    """Return a datum that has every field of the schema, so that none is forgotten when one is added."""
    return _example(schema, "text", {})


def _example(schema: Json, name: str, records: dict[str, Json]) -> Json:  # noqa: PLR0911  one for each kind of schema
    match schema:
        case [*branches]:
            return _example(next(branch for branch in branches if branch != "null"), name, records)
        case {"type": "record", "fields": fields}:
            records[schema["name"]] = schema
            return {field["name"]: _example(field["type"], field["name"], records) for field in fields}
        case str() if schema in records:
            return _example(records[schema], name, records)
        case {"type": "array", "items": items}:
            return [_example(items, name, records)]
        case {"type": "map", "values": values}:
            return {"1022": _example(values, name, records)}
        case {"logicalType": "decimal"}:
            return Decimal("12.34")
        case {"logicalType": "timestamp-millis"} | "long":
            return _TIME_MS
        case "boolean":
            return True
        case "string":
            return name
        case _:
            message = f"no example for {schema}"
            raise NotImplementedError(message)


def _plain(decoded: object) -> Json:
    fields = decoded._asdict() if isinstance(decoded, tuple) and hasattr(decoded, "_asdict") else _attributes(decoded)
    if fields is not None:
        said = {field: _plain(each) for field, each in fields.items()}
        kind = {} if isinstance(decoded, dict) else {"kind": type(decoded).__name__}
        return kind | {field: each for field, each in said.items() if each not in (None, [], {})}
    match decoded:
        case list() | tuple():
            return [_plain(each) for each in decoded]
        case None | bool() | int() | str():
            return decoded
        case _:
            message = f"no plain form of {decoded!r}"
            raise NotImplementedError(message)


def _attributes(decoded: object) -> dict[str, object] | None:
    """Return the fields of a dataclass with slots, or the entries of a mapping."""
    if hasattr(decoded, "__dataclass_fields__"):
        return {field: getattr(decoded, field) for field in decoded.__dataclass_fields__}
    return dict(decoded) if isinstance(decoded, dict) else None


def _release(name: str, *, is_replacing: bool) -> None:
    known = versions(name)
    if known and released(name, known[-1]) == load_schema(name):
        return
    number = known[-1] if known and is_replacing else len(known) + 1
    folder = RELEASED / name
    folder.mkdir(parents=True, exist_ok=True)
    value = single_object(example_of(load_schema(name)), load_schema(name))
    kept = {"value": base64.b64encode(value).decode(), "meaning": meaning_of(name, value)}
    (folder / f"{number}.avsc").write_text(schema_text(name), encoding="utf-8")
    (folder / f"{number}.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for each in SCHEMA_NAMES:
        _release(each, is_replacing="--replace" in sys.argv)
