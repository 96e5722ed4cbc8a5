# SPDX-License-Identifier: Apache-2.0
"""Records as fastavro reads them, made plain: what JSON could say, so that expressions can be asked of them.

Owns how each type looks there: decimals are exact text, times are milliseconds, bytes that are no decimal are null.
Used only where smart mapping is configured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from connector.domain.money import Amount

if TYPE_CHECKING:
    from connector.avro.writer_schema import AvroType

ToPlain = Callable[[Any], Any]

_PER_MS = {"timestamp-micros": 1_000, "timestamp-nanos": 1_000_000}
_PYTHON = {"record": dict, "map": dict, "array": list, "bytes": bytes, "fixed": bytes, "long": int}


def to_plain(avro: AvroType) -> ToPlain | None:
    """Return what makes values of this type plain, ``None`` when they are plain already."""
    if avro.kind in {"bytes", "fixed"}:
        return _decimal(avro.scale) if avro.logical == "decimal" else lambda _: None
    if avro.kind == "long" and avro.logical in _PER_MS:
        divisor = _PER_MS[avro.logical]
        return lambda value: value // divisor
    if avro.kind == "record":
        return _record({name: change for name, type_ in avro.fields.items() if (change := to_plain(type_))})
    if avro.kind in {"map", "array"} and avro.items is not None:
        return _each(avro.kind, to_plain(avro.items))
    return _union(avro) if avro.kind == "union" else None


def _decimal(scale: int) -> ToPlain:
    return lambda value: str(Amount(int.from_bytes(value, "big", signed=True), scale))


def _record(changes: dict[str, ToPlain]) -> ToPlain | None:
    if not changes:
        return None
    return lambda value: value | {name: change(value[name]) for name, change in changes.items()}


def _each(kind: str, change: ToPlain | None) -> ToPlain | None:
    if change is None:
        return None
    if kind == "array":
        return lambda values: [change(value) for value in values]
    return lambda values: {name: change(value) for name, value in values.items()}


def _union(avro: AvroType) -> ToPlain | None:
    """Tell the branches apart by what fastavro makes of them; two that look alike stay as they are, bytes are null."""
    looks = [_PYTHON.get(type_.kind) for type_ in avro.alternatives()]
    changes: dict[type, ToPlain] = {bytes: lambda _: None} if looks.count(bytes) > 1 else {}
    changes |= {
        look: change
        for type_, look in zip(avro.alternatives(), looks, strict=True)
        if look is not None and looks.count(look) == 1 and (change := to_plain(type_))
    }

    def convert(value: object) -> object:
        change = changes.get(type(value))
        return value if change is None else change(value)

    return convert if changes else None
