# SPDX-License-Identifier: Apache-2.0
"""From pydantic's errors to problems that name key, value, source and remedy.

Owns the wording for each kind of error. Never passes on pydantic's own text together with a value that may be secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from connector.settings.base import REFUSED
from connector.settings.environment import variable
from connector.settings.problems import Problem, dotted, shown
from connector.settings.root import Settings
from connector.settings.schema import example, is_secret, leaves, nearest, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from connector.settings.document import KeyPath

_NOT_A = {
    "int_parsing": ("is not a whole number", "Give a whole number"),
    "int_parsing_size": ("is not a whole number", "Give a whole number"),
    "int_type": ("is not a whole number", "Give a whole number"),
    "int_from_float": ("is not a whole number", "Give a whole number"),
    "float_parsing": ("is not a number", "Give a number"),
    "float_type": ("is not a number", "Give a number"),
    "finite_number": ("is not a finite number", "Give a number"),
    "string_type": ("is not text", "Put it in quotes"),
    "string_too_short": ("is empty", "Give a text"),
    "bool_parsing": ("is neither true nor false", "Give true or false"),
    "bool_type": ("is neither true nor false", "Give true or false"),
    "tuple_type": ("is not a list", "Give a list"),
    "path_type": ("is not a path", "Give the path of a file"),
    "date_type": ("is not a date", "Write it as year-month-day"),
    "date_parsing": ("is not a date", "Write it as year-month-day"),
    "date_from_datetime_parsing": ("is not a date", "Write it as year-month-day"),
    "date_from_datetime_inexact": ("is not a date", "Write it as year-month-day"),
}
_BOUNDS = {
    "greater_than": ("is too small", "above", "gt"),
    "greater_than_equal": ("is too small", "of at least", "ge"),
    "less_than": ("is too large", "below", "lt"),
    "less_than_equal": ("is too large", "of at most", "le"),
}
_NOT_A_MAPPING = {"model_type", "model_attributes_type", "dict_type", "mapping_type"}
_UNKNOWN = "extra_forbidden"


class Origins(Protocol):
    """Says where a value came from."""

    def source_of(self, path: KeyPath) -> str:
        """Return the place to look at; empty when the value was not given."""


def translate(error: ValidationError, origins: Origins) -> tuple[Problem, ...]:
    """Return one problem for each of pydantic's errors."""
    return tuple(_problem(detail, origins) for detail in error.errors(include_url=False))


def _problem(detail: ErrorDetails, origins: Origins) -> Problem:
    path: KeyPath = detail["loc"]
    context: Mapping[str, object] = detail.get("ctx", {})
    if detail["type"] == REFUSED and context["key"]:
        path = (*path, str(context["key"]))
    what, remedy = _judge(detail["type"], path, context, detail["msg"])
    value = _value(detail, path)
    # Of a missing value only the area is there, and that is no place to look at.
    source = "" if detail["type"] == "missing" else origins.source_of(path)
    return Problem((dotted(path),), f"{value} {what}".strip(), remedy, source)


def _value(detail: ErrorDetails, path: KeyPath) -> str:
    """Return the value as it may be shown; empty when it would say nothing, or may be anything."""
    info = setting(path)
    if info is None or detail["type"] == "missing":
        return ""
    if detail["type"] == REFUSED and detail.get("ctx", {}).get("key"):
        return ""
    return "the value (hidden)" if is_secret(info) else shown(detail["input"])


def _judge(kind: str, path: KeyPath, context: Mapping[str, object], message: str) -> tuple[str, str]:
    match kind:
        case _ if kind == REFUSED:
            what, remedy = str(context["what"]), str(context["remedy"])
        case "missing":
            what, remedy = "is required and not given", f"Set it in the file or by {variable(path)}{_such_as(path)}."
        case _ if kind == _UNKNOWN:
            what, remedy = "there is no such setting", _known_names(path)
        case _ if kind in _NOT_A_MAPPING:
            what, remedy = _not_a_mapping(path)
        case "literal_error" | "enum":
            what, remedy = f"is not one of {context['expected']}", "Use one of them."
        case _ if kind in _BOUNDS:
            what, relation, limit = _BOUNDS[kind]
            remedy = f"Give a value {relation} {context[limit]}{_such_as(path)}."
        case _ if kind in _NOT_A:
            what, remedy = _NOT_A[kind][0], f"{_NOT_A[kind][1]}{_such_as(path)}."
        case _:
            what, remedy = f"cannot be used ({message})", f"Give another value{_such_as(path)}."
    return what, remedy


def _not_a_mapping(path: KeyPath) -> tuple[str, str]:
    if setting(path) is None:
        return "is not a mapping of settings", f"Write its settings indented below it: {_names_in(path)}."
    return "is not a mapping", f"Write names and values indented below it, or in a variable as JSON{_such_as(path)}."


def _such_as(path: KeyPath) -> str:
    info = setting(path)
    text = "" if info is None else example(info)
    return f", for example {text}" if text else ""


def _known_names(path: KeyPath) -> str:
    near = nearest(path)
    return f"Did you mean {near}?" if near else f"What there is: {_names_in(path[:-1])}."


def _names_in(path: KeyPath) -> str:
    if not path:
        return ", ".join(Settings.model_fields)
    return ", ".join(name for area, name in leaves() if area == path[0])
