# SPDX-License-Identifier: Apache-2.0
"""From what fastavro reads to what the domain knows, one converter for each type that a writer may use.

Owns the choice: each function here is asked once per field of a writer's schema and returns the closure that then
runs for every record, or ``None`` when a value of that type cannot be taken. A converter is given ``None`` for an
absent field. Amounts never pass through a ``Decimal``, and through a float only where the writer wrote one and the
caller lets it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from connector.domain.money import Amount
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from connector.avro.writer_schema import AvroType

T = TypeVar("T")

Convert = Callable[[Any], T]

NOTHING: Mapping[str, Any] = MappingProxyType({})

_EARLIEST_MS = 100_000_000_000
"""1973. What is less are seconds that were written where milliseconds belong."""
_END_MS = 253_402_300_800_000
"""The year 10000, where ISO 8601 ends."""
MAX_DECIMAL_BYTES = 32
"""More digits than any money has; without a bound an amount could cost megabytes of arithmetic."""
_DECIMAL_TEXT = re.compile(r"([+-]?)([0-9]{1,60})(?:\.([0-9]{1,60}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII)


class BadValueError(Exception):
    """A value of one record cannot be taken; the message names the field and never the value."""

    def __init__(self, reject: Reject) -> None:
        """Keep what the record's dead letter will say."""
        super().__init__(reject.message)
        self.reject = reject


def text_converter(avro: AvroType) -> Convert[str | None] | None:
    """Take text, enums and whole numbers; blank text is absent and numbers are written in decimal."""
    kinds = {type_.kind for type_ in avro.alternatives()}
    if kinds and kinds <= {"string", "enum"}:
        return text_or_none
    return number_or_text if kinds and kinds <= {"string", "enum", "int", "long"} else None


def verbatim_converter(avro: AvroType) -> Convert[str | None] | None:
    """Take text and nothing else, blank text included."""
    return as_it_is if avro.only("string") else None


def flag_converter(avro: AvroType) -> Convert[bool | None] | None:
    """Take booleans."""
    return as_it_is if avro.only("boolean") else None


def time_converter(avro: AvroType, path: str) -> Convert[int] | None:
    """Take timestamps, and plain longs as milliseconds; gives Unix milliseconds and refuses what cannot be a time."""
    type_ = avro.only("long")
    per_ms = {"timestamp-millis": 1, None: 1, "timestamp-micros": 1_000, "timestamp-nanos": 1_000_000}
    if type_ is None or type_.logical not in per_ms:
        return None
    divisor = per_ms[type_.logical]

    def convert(value: int | None) -> int:
        if value is not None and _EARLIEST_MS <= (ms := value // divisor) < _END_MS:
            return ms
        problem = "is null" if value is None else "is not a time in milliseconds since 1970 (seconds, perhaps?)"
        raise BadValueError(Reject("bad_time", f"{path} {problem}; send Unix time in milliseconds"))

    return convert


def amount_converter(avro: AvroType, path: str) -> Convert[Amount | None] | None:
    """Take decimals, whole numbers, decimal text and doubles; which is decided by the schema, or its union's branch."""
    by_type: dict[type, Convert[Amount | None]] = {}
    for type_ in avro.alternatives():
        entry = _amount_of(type_, path)
        if entry is None or (entry[0] in by_type and entry[0] is not int):
            return None
        by_type[entry[0]] = entry[1]
    if len(by_type) == 1:
        return next(iter(by_type.values()))
    return _by_type(by_type) if by_type else None


def attributes_converter(avro: AvroType) -> Convert[Mapping[str, str]] | None:
    """Take maps of text, numbers and booleans as text; entries that are null or blank are left out."""
    values = _map_values(avro)
    if values is None:
        return None
    kinds = {type_.kind for type_ in values.alternatives()}
    if kinds and kinds <= {"string", "enum"}:
        return _text_attributes
    if kinds and kinds <= {"string", "enum", "int", "long", "boolean", "float", "double"}:
        return _attributes
    return None


def texts_converter(avro: AvroType) -> Convert[tuple[str, ...]] | None:
    """Take lists of text; what is null or blank is left out."""
    list_ = avro.only("array")
    if list_ is None or list_.items is None or {type_.kind for type_ in list_.items.alternatives()} != {"string"}:
        return None
    return lambda value: tuple([text for text in value if text_or_none(text)]) if value else ()


def nested_attributes_converter(avro: AvroType) -> Convert[Mapping[str, Mapping[str, str]]] | None:
    """Take maps of such maps."""
    values = _map_values(avro)
    inner = attributes_converter(values) if values else None
    if inner is None:
        return None

    def convert(value: dict[str, Any] | None) -> Mapping[str, Mapping[str, str]]:
        return {name: inner(attributes) for name, attributes in value.items()} if value else NOTHING

    return convert


def _map_values(avro: AvroType) -> AvroType | None:
    type_ = avro.only("map")
    return type_.items if type_ else None


def as_it_is(value: T) -> T:
    """Return the value."""
    return value


def text_or_none(value: str | None) -> str | None:
    """Return text as it is; blank text is absent."""
    return value if value and not value.isspace() else None


def number_or_text(value: str | int | None) -> str | None:
    """Return a whole number in decimal, text as it is; blank text is absent."""
    return text_or_none(value) if value is None or isinstance(value, str) else str(value)


def _attribute(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else text_or_none(str(value))


def _text_attributes(value: Mapping[str, Any] | None) -> Mapping[str, str]:
    texts = value or NOTHING
    # Seldom is anything to be left out, and then the map is as good as it is.
    if all(map(text_or_none, texts.values())):
        return texts
    return {name: text for name, text in texts.items() if text_or_none(text)}


def _attributes(value: dict[str, object] | None) -> Mapping[str, str]:
    texts = ((name, _attribute(attribute)) for name, attribute in (value or NOTHING).items())
    return {name: text for name, text in texts if text is not None} or NOTHING


def _amount_of(avro: AvroType, path: str) -> tuple[type, Convert[Amount | None]] | None:
    """Return the Python type that fastavro gives for this type, and its converter."""
    if avro.kind in {"bytes", "fixed"} and avro.logical == "decimal":
        return bytes, DecimalConverter(avro.scale, path)
    if avro.kind in {"int", "long"} and avro.logical is None:
        return int, _whole
    if avro.kind == "double":
        return float, _double(path)
    return (str, _decimal_text(path)) if avro.kind == "string" else None


def _by_type(converters: dict[type, Convert[Amount | None]]) -> Convert[Amount | None]:
    def convert(value: object) -> Amount | None:
        return None if value is None else converters[type(value)](value)

    return convert


def _whole(value: int | None) -> Amount | None:
    return None if value is None else Amount(value, 0)


@dataclass(frozen=True, slots=True)
class DecimalConverter:
    """Takes Avro's decimals of one scale, for the field at this path."""

    scale: int
    path: str

    def __call__(self, value: bytes | None) -> Amount | None:
        """Return the amount."""
        if value is None:
            return None
        if 0 < len(value) <= MAX_DECIMAL_BYTES:
            return Amount(int.from_bytes(value, "big", signed=True), self.scale)
        problem = f"{self.path} is a decimal of {len(value)} bytes; it must have 1 to {MAX_DECIMAL_BYTES}"
        raise BadValueError(Reject("bad_amount", problem))


def _double(path: str) -> Convert[Amount | None]:
    """Take the shortest digits that mean this double and no other: those that were written down before it was one."""
    from_text = _decimal_text(path)

    def convert(value: float | None) -> Amount | None:
        return None if value is None else from_text(repr(value))

    return convert


def _decimal_text(path: str) -> Convert[Amount | None]:
    def convert(value: str | None) -> Amount | None:
        stripped = text_or_none(value)
        if stripped is None:
            return None
        match = _DECIMAL_TEXT.fullmatch(stripped.strip())
        if match is None:
            problem = f"{path} is not a decimal number; write digits and a point, like 12.34"
            raise BadValueError(Reject("bad_amount", problem))
        sign, whole, fraction, exponent = match.groups(default="")
        return _scaled(int(f"{sign}{whole}{fraction}"), len(fraction) - int(exponent or 0))

    return convert


def _scaled(unscaled: int, scale: int) -> Amount:
    """Return the amount with a scale that is not negative."""
    return Amount(unscaled, scale) if scale >= 0 else Amount(unscaled * 10**-scale, 0)
