# SPDX-License-Identifier: Apache-2.0
"""Events that somebody wrote down as JSON, made into records of a schema.

Owns how each Avro type is written in JSON by people: amounts as numbers or text, times as milliseconds or ISO 8601.
For trying out only; a problem names the field and never shows its value.
"""

from __future__ import annotations

import difflib
import io
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import fastavro

_INT64 = 2**63
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


class JsonEvent(NamedTuple):
    """A record as its schema encodes it, without a header, and what of the JSON the schema has no place for."""

    body: bytes
    notes: tuple[str, ...]


class JsonProblemError(Exception):
    """The JSON is no record of the schema; the text names the field and what to do."""


def encode_json(value: object, schema: Any) -> JsonEvent:  # noqa: ANN401  any JSON
    """Return the record; raises :class:`JsonProblemError`."""
    named: dict[str, Any] = {}
    parsed = fastavro.parse_schema(schema, named)
    conversion = _Conversion(named)
    datum = conversion.convert(value, parsed, "")
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed, datum)
    return JsonEvent(out.getvalue(), tuple(conversion.notes))


class _Conversion:
    """Goes through a value and its schema side by side."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self.notes: list[str] = []

    def convert(self, value: Any, schema: Any, path: str) -> Any:  # noqa: ANN401  any JSON
        """Return the value as fastavro writes it."""
        if isinstance(schema, list):
            return self._union(value, schema, path)
        if isinstance(schema, str):
            schema = self._named.get(schema, {"type": schema})
        match schema["type"]:
            case "record":
                return self._record(_checked(value, dict, path, "an object"), schema, path)
            case "array":
                items = _checked(value, list, path, "a list")
                return [self.convert(item, schema["items"], f"{path}[{index}]") for index, item in enumerate(items)]
            case "map":
                entries = _checked(value, dict, path, "an object")
                return {
                    _text(name, path): self.convert(each, schema["values"], f"{path}.{name}")
                    for name, each in entries.items()
                }
            case kind:
                return _plain(value, schema, kind, path)

    def _union(self, value: object, branches: list[Any], path: str) -> object:
        if value is None and "null" in branches:
            return None
        others = [branch for branch in branches if branch != "null"]
        for branch in others[:-1]:
            try:
                return self.convert(value, branch, path)
            except JsonProblemError:
                continue
        return self.convert(value, others[-1], path)

    def _record(self, value: dict[str, Any], schema: dict[str, Any], path: str) -> dict[str, Any]:
        fields = {field["name"]: field for field in schema["fields"]}
        for name in value.keys() - fields.keys():
            self.notes.append(f"{_at(path, name)} is not in the schema and was left out{_meant(name, list(fields))}")
        datum = {}
        for name, field in fields.items():
            if name in value:
                datum[name] = self.convert(value[name], field["type"], _at(path, name))
            elif "default" in field:
                datum[name] = self._default(field, path)
            else:
                raise _problem(_at(path, name), "is required and not there", "Add it")
        return datum

    def _default(self, field: dict[str, Any], path: str) -> object:
        default, kind = field["default"], field["type"]
        return default if default is None else self.convert(default, kind, _at(path, field["name"]))


def _plain(value: Any, schema: dict[str, Any], kind: str, path: str) -> object:  # noqa: ANN401  any JSON
    match kind, schema.get("logicalType"):
        case (("bytes" | "fixed"), "decimal"):
            return _decimal(value, schema["precision"], schema.get("scale", 0), path)
        case "long", ("timestamp-millis" | "timestamp-micros") as logical:
            return _time(value, path, 1_000 if logical == "timestamp-micros" else 1)
        case (("int" | "long"), _):
            if isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64:
                return value
            raise _problem(path, f"is {_kind(value)}, a whole number of 64 bits is needed", "Correct it")
        case (("float" | "double"), _):
            return float(_number(value, path))
        case "boolean", _:
            return _checked(value, bool, path, "true or false")
        case _:
            return _text(value, path)


def _text(value: object, path: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | Decimal):
        text = str(value)
        if _HALF_A_PAIR.search(text):
            raise _problem(path, "holds half of a character (a surrogate)", "Write the whole of it")
        return text
    raise _problem(path, f"is {_kind(value)}, text is needed", "Correct it")


def _number(value: object, path: str) -> Decimal:
    try:
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
            if number.is_finite():
                return number
    except InvalidOperation:
        pass
    raise _problem(path, f"is {_kind(value)} that is no number", "Write an amount such as 12.34")


def _decimal(value: object, precision: int, scale: int, path: str) -> Decimal:
    number = _number(value, path)
    if number and number.adjusted() + 1 + scale > precision:
        raise _problem(path, f"has more than the {precision} digits that the schema holds", "Correct it")
    if -int(number.normalize().as_tuple().exponent) > scale:
        raise _problem(path, f"has more than the {scale} decimals that the schema holds", "Shorten it")
    return number


def _time(value: object, path: str, per_ms: int) -> int:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return round(moment.timestamp() * 1000) * per_ms
    elif isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value * per_ms < _INT64:
        return value * per_ms
    what = f"is {_kind(value)}, a time is needed"
    raise _problem(path, what, "Write Unix milliseconds, or a time like 2026-01-31T12:00:00Z")


def _checked(value: Any, type_: type, path: str, wanted: str) -> Any:  # noqa: ANN401  any JSON
    if isinstance(value, type_):
        return value
    raise _problem(path or "the event", f"is {_kind(value)}, {wanted} is needed", "Correct it")


def _kind(value: object) -> str:
    kinds = {"dict": "an object", "list": "a list", "str": "text", "bool": "true or false", "NoneType": "null"}
    return kinds.get(type(value).__name__, "a number")


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _problem(path: str, what: str, remedy: str) -> JsonProblemError:
    return JsonProblemError(f"{path} {what}. {remedy}.")


def _meant(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else ""
