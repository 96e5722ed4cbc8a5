# SPDX-License-Identifier: Apache-2.0
"""Functions that make one of the domain's tuples of one of a writer's records, written for exactly that schema.

Owns the one place where code is generated, as ``dataclasses`` and ``namedtuple`` do it: a loop over fields, each with
its look-up, its converter and its "is it there", would cost more than the conversions themselves, for every line of
every order. Nothing of a schema gets into the code but the names of fields, as literals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from connector.avro.converters import BadValueError, Convert, text_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connector.avro.fields import Fields

T = TypeVar("T", bound=tuple[Any, ...])


class Part(NamedTuple):
    """One field of the tuple: which record of the writer's it comes from, under which name, and its converter."""

    record: Fields
    name: str
    convert: Convert[Any]


def maker(kind: type[T], records: tuple[Fields, ...], parts: Mapping[str, Part]) -> Callable[..., T]:
    """Return a function that takes one datum for each of ``records`` and returns the tuple.

    ``parts`` says where the fields of ``kind`` come from; a field without a part has its default. What the writer does
    not have, and what is null, is what the converter makes of ``None``.
    """
    defaults: Mapping[str, object] = kind._field_defaults  # type: ignore[attr-defined]  # kind is a NamedTuple
    names: dict[str, object] = {"kind": kind, "new": tuple.__new__}
    terms = []
    for number, field in enumerate(kind._fields):  # type: ignore[attr-defined]  # as above
        if field in parts:
            terms.append(_term(number, parts[field], records, names))
        else:
            names[f"default_{number}"] = defaults[field]
            terms.append(f"default_{number}")
    arguments = ", ".join(f"datum_{number}" for number in range(len(records)))
    source = f"def make({arguments}):\n return new(kind, ({', '.join(terms)},))\n"
    exec(source, names)  # noqa: S102  see the module's first lines; field names are literals in it
    make: Callable[..., T] = names["make"]  # type: ignore[assignment]  # defined by the line above
    return make


def _term(number: int, part: Part, records: tuple[Fields, ...], names: dict[str, object]) -> str:
    convert = names[f"convert_{number}"] = part.convert
    value = f"datum_{records.index(part.record)}[{part.name!r}]" if part.record.has(part.name) else "None"
    try:
        names[f"absent_{number}"] = convert(None)
    except BadValueError:
        return f"convert_{number}({value})"  # What must be there says so itself.
    if value == "None":
        return f"absent_{number}"
    if convert is text_or_none:  # Written out, because the call would cost more than what it does.
        return f"(value if (value := {value}) and not value.isspace() else None)"
    return f"(convert_{number}(value) if (value := {value}) is not None else absent_{number})"
