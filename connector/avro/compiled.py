# SPDX-License-Identifier: Apache-2.0
"""Reading records by code that is written for exactly their schema, and for what is made of them.

Owns the fast way through a record that is as it should be, and nothing else: whatever is unusual (a number of more
bytes than it can have, an index out of bounds, bytes that end too early, a value that a converter refuses) raises, and
whoever called reads the same bytes in general, which has the last word on what is wrong, or that nothing is. What is
made here is what is made there, value for value; property tests hold the two together.

A general reader asks of every value what its type is; of a purchase's hundred fields most are null, so that the asking
costs several times what the reading does. And values that are read first and converted afterwards pass through dicts
that nobody else wants: here each becomes what the domain knows where it is read, and what nobody wants becomes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from connector.avro.code import Code
from connector.avro.converters import (
    MAX_DECIMAL_BYTES,
    BadValueError,
    DecimalConverter,
    as_it_is,
    number_or_text,
    text_or_none,
)
from connector.domain.money import Amount

if TYPE_CHECKING:
    from connector.avro.shapes import Part, Shape
    from connector.avro.writer_schema import AvroType

T = TypeVar("T")

Reader = Callable[[bytes, int], tuple[T, int]]
"""Takes the bytes and where the record begins; gives what it reads and where it ends, which may be past the bytes."""


def compile_reader(record: AvroType) -> Reader[dict[str, Any]] | None:
    """Return what reads records as fastavro does, ``None`` where Python's compiler will not nest so deeply."""
    code = Code()
    return _compiled(code, lambda: code.record_function(record, keeps=True))


def compile_maker(record: AvroType, shape: Shape) -> Reader[Any] | None:
    """Return what reads records and makes tuples of this shape of them, ``None`` as above."""
    code = Code()
    return _compiled(code, lambda: _Maker(code).function_of(record, shape))


def _compiled(code: Code, write: Callable[[], str]) -> Reader[Any] | None:
    try:
        reader: Reader[Any] = code.names[write()]
    except (SyntaxError, RecursionError, MemoryError):
        return None
    return reader


class _Wanted(NamedTuple):
    """A part, and the variable that it is made in."""

    part: Part
    into: str


_Wishes = Mapping[tuple[str, ...], _Wanted]
"""What is wanted of a record, by the path where it is."""


class _Maker:
    """Writes how tuples are made: the fields that are wanted are converted where they are read, others passed over."""

    def __init__(self, code: Code) -> None:
        code.names |= {"new": tuple.__new__, "Amount": Amount, "from_bytes": int.from_bytes}
        self._code = code

    def function_of(self, record: AvroType, shape: Shape) -> str:
        def body() -> None:
            self._tuple(record, "made", shape=shape)
            self._code.line("return made, p")

        return self._code.function(body)

    def _tuple(self, record: AvroType, into: str, *, shape: Shape) -> None:
        wanted = {field: _Wanted(shape.parts[field], self._code.variable()) for field in shape.kind._fields}
        self._fields(record, at=(), wishes={each.part.path: each for each in wanted.values()})
        variables = "".join(f"{each.into}, " for each in wanted.values())
        # Straight to the tuple: a named tuple's own constructor takes twice as long.
        self._code.line(f"{into} = new({self._code.constant(shape.kind)}, ({variables}))")

    def _fields(self, record: AvroType, *, at: tuple[str, ...], wishes: _Wishes) -> None:
        """Write how the record at this path is read, so that all that is wanted of it has a value."""
        below = {path: wanted for path, wanted in wishes.items() if path[: len(at)] == at}
        for path, wanted in below.items():
            if path[len(at)] not in record.fields:
                self._absent(*wanted)
        for name, type_ in record.fields.items():
            path = (*at, name)
            if path in below:
                self._code.branches(type_, partial(self._value, *below[path]))
            elif any(longer[: len(path)] == path for longer in below):
                self._code.branches(type_, partial(self._fields, at=path, wishes=wishes))
            else:
                self._code.read(type_, None)

    def _value(self, part: Part, into: str, type_: AvroType) -> None:
        if type_.kind == "null":
            self._absent(part, into)
        elif type_.kind in {"array", "map"}:
            self._items(part, into, type_)
        elif part.inner is not None:
            self._tuple(type_, into, shape=part.inner.shape)
            self._convert(part, into)
        else:
            self._code.read(type_, into)
            self._converted(part, into, type_)

    def _absent(self, part: Part, into: str) -> None:
        try:
            absent = part.convert(None)
        except BadValueError:  # Something must be there.
            self._code.line("raise Unusual")
        else:
            self._code.line(f"{into} = {self._code.constant(absent)}")

    def _items(self, part: Part, into: str, type_: AvroType) -> None:
        empty = self._code.constant(part.convert([] if type_.kind == "array" else {}))
        read_item = self._code.read if part.inner is None else partial(self._tuple, shape=part.inner.shape)
        self._code.line(f"if d[p] == 0: {into}, p = {empty}, p + 1")

        def some() -> None:
            self._code.items(type_, into, read_item)
            self._convert(part, into)

        self._code.block("else:", some)

    def _converted(self, part: Part, into: str, type_: AvroType) -> None:
        """Write the most frequent conversions out, because the call would cost more than what it does."""
        if part.convert in {text_or_none, number_or_text}:
            is_text = type_.kind in {"string", "enum"}
            blank_to_none = f"if not {into} or {into}.isspace(): {into} = None"
            self._code.line(blank_to_none if is_text else f"{into} = str({into})")
        elif isinstance(part.convert, DecimalConverter):
            self._code.line(f"if not 0 < n <= {MAX_DECIMAL_BYTES}: raise Unusual")  # Its length was the last ``n``.
            amount = f'from_bytes({into}, "big", signed=True), {part.convert.scale:d}'
            self._code.line(f"{into} = new(Amount, ({amount}))")
        else:
            self._convert(part, into)

    def _convert(self, part: Part, into: str) -> None:
        if part.convert is not as_it_is:
            self._code.line(f"{into} = {self._code.constant(part.convert)}({into})")
