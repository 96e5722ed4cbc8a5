# SPDX-License-Identifier: Apache-2.0
"""What is made of a writer's records: which tuple, of which of their fields, by which converters.

Owns the description, and the plain way to follow it: from a record that was read already. Code that follows it while
it reads is made of the same description, so that nothing is bound twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.avro.converters import Convert

Datum = dict[str, Any]
"""A record as fastavro reads it."""


class Shape(NamedTuple):
    """A named tuple, and for each of its fields where it comes from."""

    kind: type[Any]
    parts: Mapping[str, Part]


class Part(NamedTuple):
    """One field of a shape: where the record has it, and its converter.

    ``path`` are the names that lead there, through records; of one that is null everything is. The converter is given
    ``None`` for what is not there; what it gives depends on what it is given alone, and is changed by nobody.
    ``inner`` is what is made of the record that is there, or of each in an array or a map, before it is converted.
    """

    path: tuple[str, ...]
    convert: Convert[Any]
    inner: Inner | None = None


class Inner(NamedTuple):
    """What is made of records, and what holds them."""

    shape: Shape
    holder: Literal["field", "array", "map"]


def made_of(datum: Datum, shape: Shape) -> Any:  # noqa: ANN401  whatever the shape's kind is
    """Return the tuple; raises ``BadValueError`` for the first field that cannot be taken, in the tuple's order."""
    return shape.kind(*[_value(datum, shape.parts[field]) for field in shape.kind._fields])


def _value(datum: Datum, part: Part) -> object:
    value: Any = datum
    for name in part.path:
        value = None if value is None else value.get(name)
    return part.convert(value if value is None or part.inner is None else _made(value, part.inner))


def _made(value: Any, inner: Inner) -> object:  # noqa: ANN401  a record, a list or a map of them
    if inner.holder == "array":
        return [made_of(each, inner.shape) for each in value]
    if inner.holder == "map":
        return {name: made_of(each, inner.shape) for name, each in value.items()}
    return made_of(value, inner.shape)
