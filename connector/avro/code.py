# SPDX-License-Identifier: Apache-2.0
"""Code that reads values of one type, written line by line.

Owns how each Avro type is read, or passed over, by code that knows only what is usual: at anything else it raises. What
is passed over is looked at as closely as what is kept. Nothing of a schema gets into the code but the names of fields,
as literals, and sizes and scales, which are whole numbers.
"""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.avro.writer_schema import AvroType

    Write = Callable[[AvroType, str | None], None]
    """Writes how a value of this type is read into a variable, or passed over where none is named."""

_ONE_BYTE = 0x80
_NOT_A_SHORT_LENGTH = 0x81
_MOST_BYTES = 10
_BITS = 64
_BRANCHES_OF_ONE_BYTE = 64
"""The index of any further one takes two."""


class UnusualError(Exception):
    """These bytes are for the general reader."""


def _whole(data: bytes, start: int) -> tuple[int, int]:
    """Return the unsigned number of several bytes that begins at ``start``, and where it ends."""
    value = shift = 0
    for byte in data[start : start + _MOST_BYTES]:
        if byte < _ONE_BYTE:
            value |= byte << shift
            if value >> _BITS:
                break
            return value, start + shift // 7 + 1
        value |= (byte & 0x7F) << shift
        shift += 7
    raise UnusualError


def _length(data: bytes, start: int) -> tuple[int, int]:
    """Return the length or index that begins at ``start``, and where it ends; none is negative."""
    value, end = _whole(data, start)
    if value & 1:
        raise UnusualError
    return value >> 1, end


def _block(data: bytes, start: int) -> tuple[int, int]:
    """Return a block's count, which begins at ``start``, and where its items do; a size between them is passed over."""
    value, end = _whole(data, start)
    if value & 1:
        return (value >> 1) + 1, _whole(data, end)[1]
    return value >> 1, end


class Code:
    """Functions that take the bytes ``d`` and where they begin to read, ``p``, and the names that they see."""

    def __init__(self) -> None:
        """Begin with no function."""
        self.names: dict[str, Any] = {
            "whole": _whole,
            "length": _length,
            "block": _block,
            "float_": struct.Struct("<f").unpack_from,
            "double": struct.Struct("<d").unpack_from,
            "Unusual": UnusualError,
        }
        self._functions: dict[tuple[int, bool], str] = {}
        self._lines: list[str] = []
        self._depth = 1
        self._variables = self._named = 0

    def function(self, write_body: Callable[[], None]) -> str:
        """Define the function whose lines are written meanwhile, and return its name."""
        self._named += 1
        name = f"read_{self._named}"
        kept, self._lines, depth, self._depth = self._lines, [f"def {name}(d, p):"], self._depth, 1
        write_body()
        exec("\n".join(self._lines), self.names)  # noqa: S102  see the module's first lines
        self._lines, self._depth = kept, depth
        return name

    def line(self, text: str) -> None:
        """Write a line where the writing is."""
        self._lines.append(" " * self._depth + text)

    def block(self, opening: str, write_block: Callable[[], None]) -> None:
        """Write a line and a block below it."""
        self.line(opening)
        self._depth += 1
        write_block()
        self._depth -= 1

    def variable(self) -> str:
        """Return a variable's name that no other has."""
        self._variables += 1
        return f"v{self._variables}"

    def constant(self, value: object) -> str:
        """Return a name, or a literal, by which the code knows the value."""
        if value is None:
            return "None"
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def read(self, type_: AvroType, into: str | None) -> None:
        """Write how a value of this type is read from ``p`` on, and ``p`` moved behind it."""
        write: Write = getattr(self, f"_{type_.kind}", self._number)
        write(type_, into)

    def branches(self, type_: AvroType, write: Callable[[AvroType], None]) -> None:
        """Write how it is told which of a union's types a value has; anything else is its own only type."""
        if type_.kind != "union":
            write(type_)
            return
        self.line("n = d[p]")
        self.line("p += 1")
        for number, branch in enumerate(type_.branches[:_BRANCHES_OF_ONE_BYTE]):
            self.block(f"{'elif' if number else 'if'} n == {2 * number}:", partial(write, branch))
        self.line("else: raise Unusual")

    def _count(self, into: str, otherwise: str = "length") -> None:
        """Write how a length, a count or an index is read."""
        self.line(f"{into} = d[p]")
        self.line(f"if {into} & {_NOT_A_SHORT_LENGTH}: {into}, p = {otherwise}(d, p)")
        self.line("else:")
        self.line(f" {into} >>= 1")
        self.line(" p += 1")

    def items(self, type_: AvroType, into: str | None, read_item: Write) -> None:
        """Write how an array or a map is read: block for block, until an empty one."""
        count = self.variable()
        key, item = (self.variable(), self.variable()) if into else (None, None)
        if into:
            self.line(f"{into} = {'[]' if type_.kind == 'array' else '{}'}")
        assert type_.items is not None  # noqa: S101  only arrays and maps are read by this
        items = type_.items

        def one() -> None:
            if type_.kind == "map":
                self._string(items, key)
            read_item(items, item)
            if into:
                self.line(f"{into}.append({item})" if type_.kind == "array" else f"{into}[{key}] = {item}")

        def block() -> None:
            self._count(count, "block")
            self.line(f"if not {count}: break")
            self.block(f"for _ in range({count}):", one)

        self.block("while True:", block)

    def _keep(self, into: str | None, value: str) -> None:
        """Write how a value is kept, or only looked at."""
        self.line(f"{into} = {value}" if into else value)

    def _null(self, _: AvroType, into: str | None) -> None:
        self.line(f"{into} = None" if into else "pass")

    def _boolean(self, _: AvroType, into: str | None) -> None:
        self.line("n = d[p]")
        self.line("if n > 1: raise Unusual")
        self.line("p += 1")
        if into:
            self.line(f"{into} = n == 1")

    def _number(self, _: AvroType, into: str | None) -> None:
        """Write how an ``int`` or a ``long`` is read."""
        self.line("n = d[p]")
        self.line(f"if n < {_ONE_BYTE}: p += 1")
        self.line("else: n, p = whole(d, p)")
        if into:
            self.line(f"{into} = (n >> 1) ^ -(n & 1)")

    def _slice(self, into: str | None, value: str) -> None:
        """Write how the next ``n`` bytes are taken."""
        # A slice that ends too early leaves ``p`` behind the end, for which there is no way back.
        self.line("q = p + n")
        self._keep(into, value)
        self.line("p = q")

    def _bytes(self, _: AvroType, into: str | None) -> None:
        self._count("n")
        self._slice(into, "d[p:q]")

    def _string(self, _: AvroType, into: str | None) -> None:
        self._count("n")
        self._slice(into, "d[p:q].decode()")

    def _fixed(self, type_: AvroType, into: str | None) -> None:
        self.line(f"n = {type_.min_bytes:d}")
        # Nothing of it is looked at, so without this an array of them would go on behind the end.
        self.line("if p + n > len(d): raise Unusual")
        self._slice(into, "d[p:q]")

    def _float(self, _: AvroType, into: str | None) -> None:
        self._keep(into, "float_(d, p)[0]")
        self.line("p += 4")

    def _double(self, _: AvroType, into: str | None) -> None:
        self._keep(into, "double(d, p)[0]")
        self.line("p += 8")

    def _enum(self, type_: AvroType, into: str | None) -> None:
        symbols = self.constant(type_.symbols)
        self._count("n")
        self._keep(into, f"{symbols}[n]")

    def _union(self, type_: AvroType, into: str | None) -> None:
        self.branches(type_, lambda branch: self.read(branch, into))

    def _array(self, type_: AvroType, into: str | None) -> None:
        self.items(type_, into, self.read)

    _map = _array

    def _record(self, type_: AvroType, into: str | None) -> None:
        self.line(f"{into or '_'}, p = {self.record_function(type_, keeps=into is not None)}(d, p)")

    def record_function(self, record: AvroType, *, keeps: bool) -> str:
        """Return the name of the function that reads such records, which is written where it is not yet."""

        def body() -> None:
            variables = {name: self.variable() if keeps else None for name in record.fields}
            for name, type_ in record.fields.items():
                self.read(type_, variables[name])
            terms = ", ".join(f"{name!r}: {variable}" for name, variable in variables.items())
            self.line(f"return {{{terms}}}, p" if keeps else "return None, p")

        known = self._functions.get((id(record), keeps))
        if known is None:
            known = self._functions[id(record), keeps] = self.function(body)
        return known
