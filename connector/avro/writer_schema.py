# SPDX-License-Identifier: Apache-2.0
"""A writer's schema as a tree, and reading what was written with it.

Owns what is refused before a single byte is read, because fastavro would not survive it: a schema that contains
itself (its reader recurses in C and a deep record ends the process) and an array whose items take no bytes (a few
bytes may then claim 2**62 of them). With those gone, every item that is read has cost the record at least a byte.
Logical types are kept in the tree and taken out of what fastavro reads by: building a ``Decimal`` or a ``datetime``
costs more than the rest of the record.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import fastavro

from connector.avro.compiled import Reader, compile_reader
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastavro.types import Schema

_NOT_FOR_THE_READER = frozenset({"logicalType", "precision", "scale", "doc", "default"})
_MOST_FIXED_BYTES = 2**31 - 1
_MOST_DIGITS = 80
"""More than the longest decimal that is taken has."""
_SHOWN_CHARACTERS = 40
_MIN_BYTES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}


@dataclass(frozen=True, slots=True)
class AvroType:
    """One type of a writer's schema, names resolved; ``kind`` is Avro's name of it, ``union`` for a union."""

    kind: str
    min_bytes: int
    logical: str | None = None
    scale: int = 0
    fields: Mapping[str, AvroType] = field(default_factory=dict)
    items: AvroType | None = None
    branches: tuple[AvroType, ...] = ()
    symbols: tuple[str, ...] = ()

    def alternatives(self) -> tuple[AvroType, ...]:
        """Return the types that a value may have, ``null`` left out."""
        types = self.branches if self.kind == "union" else (self,)
        return tuple(type_ for type_ in types if type_.kind != "null")

    def only(self, kind: str) -> AvroType | None:
        """Return the one alternative if it is of this kind, else ``None``."""
        types = self.alternatives()
        return types[0] if len(types) == 1 and types[0].kind == kind else None


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema that can be read by: the tree to bind to, what fastavro reads by, and the code made for it."""

    root: AvroType
    reader: Schema
    compiled: Reader[dict[str, Any]] | None = field(default=None, compare=False)


class _UnsupportedError(Exception):
    """A part of the schema cannot be read safely; the text says which."""


def writer_schema(schema: Any, references: Sequence[Any] = ()) -> WriterSchema | Reject:  # noqa: ANN401  any JSON
    """Return the schema made ready, or why no record that was written with it can be read; never raises.

    ``references`` are schemas whose names it uses, each behind those that it uses itself.
    """
    named: dict[str, Any] = {}
    plainly_named: dict[str, Any] = {}
    try:
        for reference in references:
            fastavro.parse_schema(_plain(fastavro.parse_schema(reference, named)), plainly_named)
        parsed = fastavro.parse_schema(schema, named)
        if isinstance(parsed, str):
            parsed = named.get(parsed, parsed)
        root = _Tree(named).build(parsed)
        compiled = compile_reader(root) if root.kind == "record" else None
        return WriterSchema(root, fastavro.parse_schema(_plain(parsed), plainly_named), compiled)
    except _UnsupportedError as error:
        return Reject("unsupported_writer_schema", f"the writer's schema cannot be used: {error}")
    except Exception as error:  # noqa: BLE001  a foreign schema may be any JSON; fastavro does not say what it raises
        problem = f"the writer's schema is not a valid Avro schema ({type(error).__name__})"
        return Reject("unsupported_writer_schema", problem)


def read(value: bytes, start: int, schema: WriterSchema) -> dict[str, Any] | Reject:
    """Return the record that fills the value from ``start`` to its end; never raises for foreign bytes."""
    if schema.compiled is not None:
        try:
            record, end = schema.compiled(value, start)
        except Exception:  # noqa: BLE001, S110  whatever it was, fastavro says it better
            pass
        else:
            if end == len(value):
                return record
    return _read_in_general(value, start, schema)


def _read_in_general(value: bytes, start: int, schema: WriterSchema) -> dict[str, Any] | Reject:
    data = io.BytesIO(value)
    data.seek(start)
    try:
        datum = fastavro.schemaless_reader(data, schema.reader, None)
    except Exception as error:  # noqa: BLE001  whatever the reader raises says that these bytes cannot be read
        return _unreadable(error, at_the_end=data.tell() >= len(value))
    if data.tell() != len(value):
        rest = len(value) - data.tell()
        problem = f"{rest} bytes follow the record; check that the producer writes with the schema its header names"
        return Reject("trailing_bytes", problem)
    return datum  # type: ignore[return-value]  # the binding refuses schemas whose root is not a record


def _unreadable(error: Exception, *, at_the_end: bool) -> Reject:
    # A number that is cut within its bytes is an IndexError of fastavro's.
    if isinstance(error, EOFError) or (at_the_end and isinstance(error, IndexError)):
        return Reject("truncated_avro", "the value ends in the middle of the record; check what the producer wrote")
    # The error's text may quote the record, so only its name is told.
    problem = "text that is not UTF-8" if isinstance(error, UnicodeDecodeError) else type(error).__name__
    return Reject("bad_avro", f"the value does not follow the schema that its header names ({problem})")


def _plain(schema: Any) -> Any:  # noqa: ANN401  any JSON
    """Return the schema without its logical types, and without what a reader does not need."""
    if isinstance(schema, dict):
        return {k: _plain(v) for k, v in schema.items() if k not in _NOT_FOR_THE_READER and not k.startswith("__")}
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema


class _Tree:
    """Builds the tree of a parsed schema; each named type is built once."""

    def __init__(self, named: dict[str, Any]) -> None:
        self._named = named
        self._built: dict[str, AvroType | None] = {}

    def build(self, schema: Any) -> AvroType:  # noqa: ANN401  any JSON that fastavro has parsed
        if isinstance(schema, list):
            branches = tuple(self.build(branch) for branch in schema)
            return AvroType("union", 1, branches=branches)
        if isinstance(schema, str):
            return self._by_name(schema) if schema in self._named else AvroType(schema, _MIN_BYTES[schema])
        if "name" in schema:
            return self._by_name(schema["name"])
        return self._unnamed(schema)

    def _by_name(self, name: str) -> AvroType:
        if name not in self._built:
            self._built[name] = None
            self._built[name] = self._definition(self._named[name])
        built = self._built[name]
        if built is None:
            msg = f"{name} contains itself; write the event without recursive types"
            raise _UnsupportedError(msg)
        return built

    def _definition(self, schema: dict[str, Any]) -> AvroType:
        kind, logical = schema["type"], schema.get("logicalType")
        if kind == "fixed":
            size = _whole_number(schema["size"], _MOST_FIXED_BYTES, f"the size of {schema['name']}")
            return AvroType(kind, size, logical, _scale_of(schema))
        if kind == "enum":
            return AvroType(kind, 1, logical, symbols=tuple(schema["symbols"]))
        fields = {part["name"]: self.build(part["type"]) for part in schema["fields"]}
        return AvroType("record", sum(part.min_bytes for part in fields.values()), fields=fields)

    def _unnamed(self, schema: dict[str, Any]) -> AvroType:
        kind = schema["type"]
        if not isinstance(kind, str):
            return self.build(kind)
        if kind == "array":
            items = self.build(schema["items"])
            if not items.min_bytes:
                msg = "an array's items take no bytes; give them a field"
                raise _UnsupportedError(msg)
            return AvroType(kind, 1, items=items)
        if kind == "map":
            return AvroType(kind, 1, items=self.build(schema["values"]))
        if kind in self._named:
            return self._by_name(kind)
        return AvroType(kind, _MIN_BYTES[kind], schema.get("logicalType"), _scale_of(schema))


def _scale_of(schema: dict[str, Any]) -> int:
    """Return the scale of what may be a decimal; it is 0 where none is given."""
    scale = schema.get("scale")
    if scale is None or schema.get("logicalType") != "decimal":
        return 0
    return _whole_number(scale, _MOST_DIGITS, "the scale of a decimal")


def _whole_number(value: object, most: int, what: str) -> int:
    """Return a number that the schema gives: fastavro takes anything there, and code is written with it."""
    if type(value) is not int or not 0 <= value <= most:
        msg = f"{what} is {str(value)[:_SHOWN_CHARACTERS]!r}; it must be a whole number from 0 to {most}"
        raise _UnsupportedError(msg)
    return value
