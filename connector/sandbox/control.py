# SPDX-License-Identifier: Apache-2.0
"""The endpoints under ``/_sandbox/`` and the page at ``/``: how tests and people look inside and change things.

Owns their paths and shapes. They need no key, meet no fault and are not in the request log.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import orjson

from connector.sandbox.answers import Answer, error_answer, json_answer
from connector.sandbox.faults import Fault, FaultRule
from connector.sandbox.page import page
from connector.sandbox.routes import Operation
from connector.sandbox.switches import SwitchError, shown
from connector.sandbox.views import orders_view, rules_view, stats_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connector.sandbox.request_log import Request
    from connector.sandbox.service import Service

PREFIX = "/_sandbox/"
DEFAULT_PAGE_OF_REQUESTS = 1_000


def is_control(path: str) -> bool:
    """Tell whether a path is not the API's."""
    return path == "/" or path.startswith(PREFIX)


def respond(service: Service, request: Request, now: float) -> Answer:
    """Answer a control request."""
    method = "GET" if request.method == "HEAD" else request.method
    path = request.path
    if path.startswith(_FORGET) and path != _FORGET:
        return _forget(service, request, now) if method == "POST" else _not_allowed(("POST",))
    methods = _HANDLERS.get(path)
    if methods is None:
        return error_answer(404, f"There is nothing at this path; try {', '.join(_HANDLERS)}")
    handler = methods.get(method)
    if handler is None:
        return _not_allowed(tuple(methods))
    try:
        return handler(service, request, now)
    except ValueError as error:
        return error_answer(400, str(error))


def fault_rule(values: Mapping[str, object]) -> FaultRule:
    """Read a fault by order id from what JSON makes of it; raises :class:`ValueError` naming the field."""
    unknown = values.keys() - {"order_id", "fault", "operation", "times", "status", "delay_ms"}
    if unknown:
        message = f"{min(unknown)}: is not a field; take order_id, fault, operation, times, status, delay_ms."
        raise ValueError(message)
    operation = values.get("operation")
    return FaultRule(
        order_id=_one_of("order_id", str(values.get("order_id") or ""), None),
        fault=Fault(_one_of("fault", str(values.get("fault")), tuple(Fault))),
        operation=None if operation is None else _one_of("operation", str(operation), tuple(Operation)),
        times=None if values.get("times") is None else _number("times", values["times"], 1),
        status=_number("status", values.get("status", 503), 400),
        delay_ms=_number("delay_ms", values.get("delay_ms", 0), 0),
    )


def _one_of(name: str, value: str, allowed: tuple[str, ...] | None) -> str:
    if not value or (allowed is not None and value not in allowed):
        message = (
            f"{name}: must be {'an order id or a pattern' if allowed is None else 'one of ' + ', '.join(allowed)}."
        )
        raise ValueError(message)
    return value


def _number(name: str, value: object, least: int) -> int:
    greatest = 599 if name == "status" else 1 << 31
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
        message = f"{name}: must be a whole number from {least} to {greatest}."
        raise ValueError(message)
    return value


def _not_allowed(allowed: tuple[str, ...]) -> Answer:
    return error_answer(405, f"Only {' and '.join(allowed)} here", headers={"Allow": ", ".join(allowed)})


def _object(request: Request) -> dict[str, object]:
    value = orjson.loads(request.body or b"{}")
    if not isinstance(value, dict):
        message = "The body must be a JSON object."
        raise SwitchError(message)
    return value


def _page(service: Service, _: Request, now: float) -> Answer:
    headers = (("Cache-Control", "no-store"), ("Content-Security-Policy", "default-src 'self' 'unsafe-inline'"))
    return Answer(200, page(service, now).encode(), "text/html; charset=utf-8", headers)


def _orders(service: Service, _: Request, now: float) -> Answer:
    return json_answer({"orders": orders_view(service, now)})


def _requests(service: Service, request: Request, _: float) -> Answer:
    since, limit = _asked(request, "since", 0), _asked(request, "limit", DEFAULT_PAGE_OF_REQUESTS)
    records = list(service.log.since(since, limit))
    newest = records[-1].sequence if records else since
    return json_answer(
        {
            "requests": [asdict(record) for record in records],
            "next_since": newest,
            "more": newest < service.log.total,
            "lost": max(0, service.log.oldest - since - 1),
        },
    )


def _asked(request: Request, name: str, default: int) -> int:
    text = parse_qs(request.query).get(name, [str(default)])[0]
    return _number(name, int(text) if text.isdecimal() else text, 0)


def _stats(service: Service, _: Request, now: float) -> Answer:
    return json_answer(stats_view(service, now))


def _switches(service: Service, _: Request, __: float) -> Answer:
    return json_answer({"switches": shown(service.switches)})


def _set_switches(service: Service, request: Request, now: float) -> Answer:
    service.set(_object(request))
    return _switches(service, request, now)


def _faults(service: Service, _: Request, __: float) -> Answer:
    return json_answer({"faults": rules_view(service)})


def _add_fault(service: Service, request: Request, now: float) -> Answer:
    service.faults.add(fault_rule(_object(request)))
    return _faults(service, request, now)


def _clear_faults(service: Service, request: Request, now: float) -> Answer:
    service.faults.rules.clear()
    return _faults(service, request, now)


def _reset(service: Service, _: Request, __: float) -> Answer:
    service.reset()
    return json_answer({"reset": True})


def _forget(service: Service, request: Request, _: float) -> Answer:
    order_id = unquote(request.path.removeprefix(_FORGET))
    if service.orders.forget(order_id):
        return json_answer({"forgotten": order_id})
    return error_answer(404, f"There is no order {order_id}")


_FORGET = PREFIX + "forget/"
_HANDLERS: Mapping[str, Mapping[str, Callable[[Service, Request, float], Answer]]] = {
    "/": {"GET": _page},
    PREFIX + "orders": {"GET": _orders},
    PREFIX + "requests": {"GET": _requests},
    PREFIX + "stats": {"GET": _stats},
    PREFIX + "switches": {"GET": _switches, "POST": _set_switches},
    PREFIX + "faults": {"GET": _faults, "POST": _add_fault, "DELETE": _clear_faults},
    PREFIX + "reset": {"POST": _reset},
}
