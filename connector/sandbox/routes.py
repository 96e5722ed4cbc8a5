# SPDX-License-Identifier: Apache-2.0
"""Which call of the Order API a request is.

Owns the paths. Must never decode a path before it is split: an id may hold an encoded slash.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.sandbox.switches import Switches

PREFIX: Final = "/v1/order"


class Operation(StrEnum):
    """A call of the Order API."""

    CREATE = "create"
    GET = "get"
    GET_BY_BTN_REF = "get_by_btn_ref"
    UPDATE = "update"
    CANCEL = "cancel"


class Call(NamedTuple):
    """An operation on an id: an order's, or an attribution token; a create has its id in the body."""

    operation: Operation
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class NoSuchPath:
    """Nothing is there."""


@dataclass(frozen=True, slots=True)
class NoSuchMethod:
    """Something is there, which takes other methods."""

    allowed: tuple[str, ...]


_COLLECTION: Mapping[str, Operation] = {"POST": Operation.CREATE}
_ORDER: Mapping[str, Operation] = {
    "GET": Operation.GET,
    "HEAD": Operation.GET,
    "POST": Operation.UPDATE,
    "DELETE": Operation.CANCEL,
}
_BY_BTN_REF: Mapping[str, Operation] = {"GET": Operation.GET_BY_BTN_REF, "HEAD": Operation.GET_BY_BTN_REF}


def call_of(method: str, path: str, switches: Switches) -> Call | NoSuchPath | NoSuchMethod:
    """Read method and raw path, without its query."""
    if path == PREFIX:
        return _choose(_COLLECTION, method, None)
    match path.removeprefix(PREFIX + "/").split("/") if path.startswith(PREFIX + "/") else []:
        case ["btn-ref", btn_ref] if btn_ref:
            return _choose(_BY_BTN_REF, method, unquote(btn_ref))
        case [order_id] if order_id and not (switches.path_slash == "404" and "%2f" in order_id.lower()):
            return _choose(_ORDER, method, unquote(order_id) if "%" in order_id else order_id)
        case _:
            return NoSuchPath()


def _choose(operations: Mapping[str, Operation], method: str, order_id: str | None) -> Call | NoSuchMethod:
    operation = operations.get(method)
    return NoSuchMethod(tuple(operations)) if operation is None else Call(operation, order_id)
