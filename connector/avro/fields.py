# SPDX-License-Identifier: Apache-2.0
"""The fields of a writer's schema, found by name and bound to converters.

Owns what is wrong with a schema: fields that are not there, fields of types that cannot be taken. All of it is
collected before it is told, so that whoever owns the writer mends it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from connector.avro.converters import (
    NOTHING,
    Convert,
    amount_converter,
    attributes_converter,
    flag_converter,
    nested_attributes_converter,
    text_converter,
    texts_converter,
    time_converter,
    verbatim_converter,
)
from connector.avro.writer_schema import AvroType
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connector.domain.money import Amount

T = TypeVar("T")


def always(value: T) -> Convert[T]:
    """Return the converter of a field that the writer does not have."""

    def convert(_: object) -> T:
        return value

    return convert


class Findings:
    """What is wrong with a writer's schema."""

    def __init__(self, *, takes_doubles: bool = False, supplied: frozenset[str] = frozenset()) -> None:
        """Begin with nothing; ``takes_doubles`` if amounts as doubles are not wrong.

        ``supplied`` are the fields of events that need not be there, because their values come from elsewhere.
        """
        self.takes_doubles = takes_doubles
        self.supplied = supplied
        self.missing: list[str] = []
        self.lacks: list[str] = []
        self.doubles: list[str] = []
        self.floats: list[str] = []
        self.unreadable: list[str] = []

    def reject(self) -> Reject | None:
        """Return why no record of the writer can be used, ``None`` when they can."""
        found = list(self._rejects())
        return Reject(found[0].reason, "; ".join(reject.message for reject in found)) if found else None

    def _rejects(self) -> Iterator[Reject]:
        if self.unreadable:
            yield Reject(
                "unsupported_writer_schema",
                f"the writer's schema has fields of types that cannot be read: {', '.join(self.unreadable)}",
            )
        if self.missing:
            yield writer_lacks(self.missing)
        if self.doubles:
            yield Reject(
                "double_amounts_refused",
                f"the writer's schema has amounts as floating-point numbers: {', '.join(self.doubles)}; "
                "write them as decimal, or as text like 12.34, or set avro.double_amounts to shortest",
            )
        if self.floats:
            yield Reject(
                "float_amounts_refused",
                f"the writer's schema has amounts as floating-point numbers of 32 bits, which hold seven digits: "
                f"{', '.join(self.floats)}; write them as decimal, or as text like 12.34",
            )


def writer_lacks(names: Sequence[str]) -> Reject:
    """Say that a writer's schema lacks fields."""
    return Reject(
        "writer_schema_lacks_fields",
        f"the writer's schema lacks what an order needs: {', '.join(names)}; write the event with these fields",
    )


class Fields:
    """The fields of one record of a writer's schema; ``path`` is what messages put before their names."""

    def __init__(self, record: AvroType, path: str, findings: Findings) -> None:
        """Take the record; a field that can only be null counts as not there."""
        self._fields = {name: avro for name, avro in record.fields.items() if avro.alternatives()}
        self._path = path
        self._findings = findings

    def no_record(self, name: str) -> Fields:
        """Return the fields of a record that the writer does not have."""
        return Fields(AvroType("record", 0), f"{self._path}{name}.", self._findings)

    def has(self, name: str) -> bool:
        """Tell whether the writer has the field."""
        return name in self._fields

    def needed(self, name: str) -> Fields:
        """Blame the writer when the field is not there."""
        if name not in self._fields and not self._is_supplied(name):
            self._findings.missing.append(self._path + name)
        return self

    def needed_by_purchases(self, name: str) -> Fields:
        """Blame the writer's purchases when the field is not there."""
        if name not in self._fields and not self._is_supplied(name):
            self._findings.lacks.append(self._path + name)
        return self

    def _is_supplied(self, name: str) -> bool:
        return (self._path + name).removeprefix("events[].") in self._findings.supplied

    def text(self, name: str) -> Convert[str | None]:
        """Bind text or an id."""
        return self._bind(name, "text", text_converter, None)

    def verbatim(self, name: str) -> Convert[str | None]:
        """Bind text of which even a blank one says something."""
        return self._bind(name, "text", verbatim_converter, None)

    def flag(self, name: str) -> Convert[bool | None]:
        """Bind a boolean."""
        return self._bind(name, "a boolean", flag_converter, None)

    def time(self, name: str) -> Convert[int]:
        """Bind a time."""
        return self._bind(name, "a timestamp", lambda avro: time_converter(avro, self._path + name), 0)

    def amount(self, name: str) -> Convert[Amount | None]:
        """Bind an amount; a floating-point one has its own refusal."""
        avro = self._fields.get(name)
        kinds = {type_.kind for type_ in avro.alternatives()} if avro else set()
        if "float" in kinds:
            self._findings.floats.append(self._path + name)
            return always(None)
        if "double" in kinds and not self._findings.takes_doubles:
            self._findings.doubles.append(self._path + name)
            return always(None)
        return self._bind(
            name,
            "an amount (decimal, whole number or text)",
            lambda avro: amount_converter(avro, self._path + name),
            None,
        )

    def attributes(self, name: str) -> Convert[Mapping[str, str]]:
        """Bind a map of text."""
        return self._bind(name, "a map of text", attributes_converter, NOTHING)

    def texts(self, name: str) -> Convert[tuple[str, ...]]:
        """Bind a list of text."""
        return self._bind(name, "a list of text", texts_converter, ())

    def nested_attributes(self, name: str) -> Convert[Mapping[str, Mapping[str, str]]]:
        """Bind a map of maps of text."""
        return self._bind(name, "a map of maps of text", nested_attributes_converter, NOTHING)

    def record(self, name: str) -> Fields | None:
        """Return the fields of a record, ``None`` when the writer has no such field."""
        return self._inner(name, "a record", lambda avro: avro.only("record"), ".")

    def rows(self, name: str) -> Fields | None:
        """Return the fields of the records of an array."""
        return self._inner(name, "an array of records", lambda avro: _record_items(avro, "array"), "[].")

    def records_by_name(self, name: str) -> Fields | None:
        """Return the fields of the records of a map."""
        return self._inner(name, "a map of records", lambda avro: _record_items(avro, "map"), "{}.")

    def is_map(self, name: str) -> bool:
        """Tell whether the field is a map."""
        return name in self._fields and self._fields[name].only("map") is not None

    def _inner(
        self,
        name: str,
        wanted: str,
        choose: Callable[[AvroType], AvroType | None],
        separator: str,
    ) -> Fields | None:
        found = self._choose(name, wanted, choose)
        return Fields(found, f"{self._path}{name}{separator}", self._findings) if found else None

    def _bind(self, name: str, wanted: str, choose: Callable[[AvroType], Convert[T] | None], absent: T) -> Convert[T]:
        return self._choose(name, wanted, choose) or always(absent)

    def _choose(self, name: str, wanted: str, choose: Callable[[AvroType], T | None]) -> T | None:
        avro = self._fields.get(name)
        if avro is None:
            return None
        chosen = choose(avro)
        if chosen is None:
            types = ", ".join(type_.logical or type_.kind for type_ in avro.alternatives()) or "null"
            self._findings.unreadable.append(f"{self._path}{name} ({types} where {wanted} is expected)")
        return chosen


def _record_items(avro: AvroType, kind: str) -> AvroType | None:
    type_ = avro.only(kind)
    return type_.items if type_ and type_.items and type_.items.kind == "record" else None
