# SPDX-License-Identifier: Apache-2.0
"""Reading records by code that is written for exactly their schema.

Owns the fast way through a record that is as it should be, and nothing else: whatever is unusual (a block that says
its size, a number of more bytes than it can have, an index out of bounds, bytes that end too early) raises, and whoever
called reads the same bytes with fastavro, which has the last word on what is wrong, or that nothing is. What is read
here is what fastavro reads, value for value; a property test holds the two together.

A general reader asks of every value what its type is; of a purchase's hundred fields most are null, so that the asking
costs several times what the reading does. Nothing of a schema gets into the code but the names of fields, as literals.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connector.avro.writer_schema import AvroType

Reader = Callable[[bytes, int], tuple[dict[str, Any], int]]
"""Takes the bytes and where the record begins; gives the record and where it ends, which may be past the bytes."""

_ONE_BYTE = 0x80
_NOT_A_SHORT_LENGTH = 0x81
_MOST_BITS = 63


class _UnusualError(Exception):
    """These bytes are for the general reader."""


def compile_reader(record: AvroType) -> Reader | None:
    """Return the reader of a record's schema, or ``None`` for one that Python's compiler will not nest so deeply."""
    names: dict[str, Any] = {
        "whole": _whole,
        "length": _length,
        "float_": struct.Struct("<f").unpack_from,
        "double": struct.Struct("<d").unpack_from,
        "Unusual": _UnusualError,
    }
    try:
        root = _Writer(names).function_of(record)
    except (SyntaxError, RecursionError, MemoryError):
        return None
    reader: Reader = names[root]
    return reader


def _whole(data: bytes, start: int) -> tuple[int, int]:
    """Return the unsigned number of several bytes that begins at ``start``, and where it ends."""
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < _ONE_BYTE:
            break
        shift += 7
        if shift > _MOST_BITS:
            raise _UnusualError
    if value >> (_MOST_BITS + 1):
        raise _UnusualError
    return value, start


def _length(data: bytes, start: int) -> tuple[int, int]:
    """Return the length, count or index that begins at ``start``, and where it ends; none is negative."""
    value, end = _whole(data, start)
    if value & 1:
        raise _UnusualError
    return value >> 1, end


class _Writer:
    """Writes the functions, one for each record of the schema; ``names`` is what they see."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._functions: dict[int, str] = {}
        self._lines: list[str] = []
        self._depth = 1
        self._variables = 0

    def function_of(self, record: AvroType) -> str:
        """Return the name of the function that reads such records, which is written where it is not yet."""
        known = self._functions.get(id(record))
        if known is not None:
            return known
        name = self._functions[id(record)] = f"record_{len(self._functions)}"
        kept, self._lines, depth, self._depth = self._lines, [f"def {name}(d, p):"], self._depth, 1
        terms = []
        for field, type_ in record.fields.items():
            variable = self._variable()
            self._read(type_, variable)
            terms.append(f"{field!r}: {variable}")
        self._line(f"return {{{', '.join(terms)}}}, p")
        exec("\n".join(self._lines), self._names)  # noqa: S102  see the module's first lines
        self._lines, self._depth = kept, depth
        return name

    def _line(self, text: str) -> None:
        self._lines.append(" " * self._depth + text)

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _read(self, type_: AvroType, into: str) -> None:
        """Write how a value of this type is read from ``p`` on, and ``p`` moved behind it."""
        write: Callable[[AvroType, str], None] = getattr(self, f"_{type_.kind}", self._number)
        write(type_, into)

    def _null(self, _: AvroType, into: str) -> None:
        self._line(f"{into} = None")

    def _boolean(self, _: AvroType, into: str) -> None:
        self._line(f"{into} = d[p]")
        self._line(f"if {into} > 1: raise Unusual")
        self._line(f"{into} = {into} == 1")
        self._line("p += 1")

    def _number(self, _: AvroType, into: str) -> None:
        """Write how an ``int`` or a ``long`` is read."""
        self._line("n = d[p]")
        self._line(f"if n < {_ONE_BYTE}: p += 1")
        self._line("else: n, p = whole(d, p)")
        self._line(f"{into} = (n >> 1) ^ -(n & 1)")

    def _count(self, into: str) -> None:
        """Write how a length, a count or an index is read."""
        self._line(f"{into} = d[p]")
        self._line(f"if {into} & {_NOT_A_SHORT_LENGTH}: {into}, p = length(d, p)")
        self._line("else:")
        self._line(f" {into} >>= 1")
        self._line(" p += 1")

    def _bytes(self, _: AvroType, into: str) -> None:
        self._count("n")
        # A slice that ends too early leaves ``p`` behind the end, for which there is no way back.
        self._line("q = p + n")
        self._line(f"{into} = d[p:q]")
        self._line("p = q")

    def _string(self, _: AvroType, into: str) -> None:
        self._count("n")
        self._line("q = p + n")
        self._line(f"{into} = d[p:q].decode()")
        self._line("p = q")

    def _fixed(self, type_: AvroType, into: str) -> None:
        self._line(f"q = p + {type_.min_bytes}")
        # Nothing of it is looked at, so without this an array of them would go on behind the end.
        self._line("if q > len(d): raise Unusual")
        self._line(f"{into} = d[p:q]")
        self._line("p = q")

    def _float(self, _: AvroType, into: str) -> None:
        self._line(f"{into} = float_(d, p)[0]")
        self._line("p += 4")

    def _double(self, _: AvroType, into: str) -> None:
        self._line(f"{into} = double(d, p)[0]")
        self._line("p += 8")

    def _enum(self, type_: AvroType, into: str) -> None:
        symbols = f"symbols_{len(self._names)}"
        self._names[symbols] = type_.symbols
        self._count("n")
        self._line(f"{into} = {symbols}[n]")

    def _union(self, type_: AvroType, into: str) -> None:
        self._line("n = d[p]")
        self._line("p += 1")
        for number, branch in enumerate(type_.branches):
            self._line(f"{'elif' if number else 'if'} n == {2 * number}:")
            self._depth += 1
            self._read(branch, into)
            self._depth -= 1
        self._line("else: raise Unusual")

    def _array(self, type_: AvroType, into: str) -> None:
        def append(items: AvroType, item: str) -> None:
            self._read(items, item)
            self._line(f"{into}.append({item})")

        self._line(f"{into} = []")
        self._blocks(type_, append)

    def _map(self, type_: AvroType, into: str) -> None:
        def entry(values: AvroType, value: str) -> None:
            key = self._variable()
            self._string(values, key)
            self._read(values, value)
            self._line(f"{into}[{key}] = {value}")

        self._line(f"{into} = {{}}")
        self._blocks(type_, entry)

    def _blocks(self, type_: AvroType, read_item: Callable[[AvroType, str], None]) -> None:
        """Write how blocks of items are read until an empty one."""
        count, item = self._variable(), self._variable()
        self._line("while True:")
        self._depth += 1
        self._count(count)
        self._line(f"if not {count}: break")
        self._line(f"for _ in range({count}):")
        self._depth += 1
        if type_.items is not None:
            read_item(type_.items, item)
        self._depth -= 2

    def _record(self, type_: AvroType, into: str) -> None:
        self._line(f"{into}, p = {self.function_of(type_)}(d, p)")
