# SPDX-License-Identifier: Apache-2.0
"""Which bodies the Order API takes.

Owns the rules for fields, as Button's reference states them; where it is silent a switch decides. Must never change a
body, nor look at what is held already (but for the sum of an order's lines, which an update may change by half).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from iso4217 import Currency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connector.sandbox.switches import Switches

MAX_TEXT = 255
MAX_TOTAL = 2**31 - 1
MAX_CATEGORIES = 7
REQUIRED = ("total", "currency", "order_id", "purchase_date")
OPTIONAL = ("btn_ref", "customer", "customer_order_id", "line_items", "partner_order_channel", "finalization_date")

_CURRENCIES = frozenset(currency.code for currency in Currency)
_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]{1,255}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def create_problem(body: Mapping[str, object], switches: Switches) -> str | None:
    """Say what is wrong with the body of a create, naming the field, or ``None``."""
    for name in REQUIRED:
        if body.get(name) is None:
            return f"{name}: is required"
    for name in ("customer", "line_items"):
        if body.get(name) is None and getattr(switches, f"absent_{name}") == "400":
            return f"{name}: is required"
    return fields_problem(body, switches)


def fields_problem(body: Mapping[str, object], switches: Switches) -> str | None:
    """Say what is wrong with the fields that a body has; a field that is absent is not judged."""
    for name, problem_of in _FIELDS.items():
        if name not in body:
            continue
        value = body[name]
        if value is None and name in OPTIONAL:
            continue
        problem = problem_of(value, switches)
        if problem is not None:
            return problem if problem.startswith(name) else f"{name}: {problem}"
    return None


def sum_problem(fields: Mapping[str, object], switches: Switches) -> str | None:
    """Say that an order's lines do not add up to its total, where the switch forbids it."""
    lines = fields.get("line_items")
    if switches.line_sum_mismatch == "accept" or not isinstance(lines, list) or not lines:
        return None
    total = sum(line["total"] for line in lines)
    return None if total == fields["total"] else f"line_items: add up to {total} and total is {fields['total']}"


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: object, longest: int = MAX_TEXT) -> str | None:
    if not isinstance(value, str) or not value:
        return "must be a string that is not empty"
    return f"must not be longer than {longest}" if len(value) > longest else None


def _total(value: object, _: Switches) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return "must be an integer in minor units"
    return None if 0 <= value <= MAX_TOTAL else f"must be from 0 to {MAX_TOTAL}"


def _currency(value: object, _: Switches) -> str | None:
    return None if value in _CURRENCIES else "must be a currency code of ISO 4217"


def _order_id(value: object, switches: Switches) -> str | None:
    if switches.bad_order_id == "accept":
        return _text(value, longest=1 << 20)
    problem = _text(value)
    return problem if problem or str(value).isascii() else "must be ASCII"


def _date(value: object, _: Switches) -> str | None:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return "must be an ISO 8601 date"
    return None


def _btn_ref(value: object, _: Switches) -> str | None:
    return None if isinstance(value, str) and _URL_SAFE.fullmatch(value) else "must be URL-safe and not longer than 255"


def _channel(value: object, switches: Switches) -> str | None:
    problem = _text(value)
    if problem or value in ("app", "webview") or switches.other_order_channel == "accept":
        return problem
    return "must be app or webview"


def _customer(value: object, switches: Switches) -> str | None:
    if not isinstance(value, dict):
        return "must be an object"
    flags = ("is_new", "is_new_user") if switches.first_purchase_flag == "both" else (switches.first_purchase_flag,)
    for name in ("id", "device_id"):
        problem = _text(value[name]) if value.get(name) is not None else None
        if problem:
            return f"customer.{name}: {problem}"
    email = value.get("email_sha256")
    if email is not None and not _SHA256.fullmatch(str(email)):
        return "customer.email_sha256: must be 64 hexadecimal digits"
    wrong = next((flag for flag in flags if not isinstance(value.get(flag), bool | None)), None)
    return f"customer.{wrong}: must be true or false" if wrong else None


def _lines(value: object, switches: Switches) -> str | None:
    if not isinstance(value, list):
        return "must be an array"
    known: set[object] = set()
    for index, line in enumerate(value):
        problem = _line(line, known, switches) if isinstance(line, dict) else "must be an object"
        if problem:
            return f"line_items[{index}]{problem if problem.startswith('.') else ': ' + problem}"
    return None


def _line(line: dict[str, object], known: set[object], switches: Switches) -> str | None:
    identifier, quantity = line.get("identifier"), line.get("quantity", 1)
    if _text(identifier) or identifier in known:
        return ".identifier: must be a string that is unique within the order"
    known.add(identifier)
    if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity <= 0:
        return ".quantity: must be an integer above 0"
    return _line_total(line.get("total"), switches) or _line_texts(line)


def _line_total(total: object, switches: Switches) -> str | None:
    if not isinstance(total, int) or isinstance(total, bool) or abs(total) > MAX_TOTAL:
        return f".total: must be an integer in minor units, at most {MAX_TOTAL}"
    if total < 0 and switches.negative_line_total == "400":
        return ".total: must not be negative"
    return ".total: must not be zero" if total == 0 and switches.zero_line_total == "400" else None


def _line_texts(line: dict[str, object]) -> str | None:
    for name in ("sku", "upc"):
        problem = _text(line[name]) if line.get(name) is not None else None
        if problem:
            return f".{name}: {problem}"
    if not isinstance(line.get("description"), str | None):
        return ".description: must be a string"
    if line.get("amount") is not None and not _is_integer(line["amount"]):
        return ".amount: must be an integer in minor units"
    return _category(line.get("category")) or _attributes(line.get("attributes"))


def _category(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return ".category: must be an array of strings"
    return None if len(value) <= MAX_CATEGORIES else f".category: must not have more than {MAX_CATEGORIES} entries"


def _attributes(value: object) -> str | None:
    if value is None:
        return None
    is_text = isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    return None if is_text else ".attributes: must be an object of strings"


_FIELDS: dict[str, Callable[[object, Switches], str | None]] = {
    "total": _total,
    "currency": _currency,
    "order_id": _order_id,
    "purchase_date": _date,
    "btn_ref": _btn_ref,
    "customer": _customer,
    "customer_order_id": lambda value, _: _text(value),
    "line_items": _lines,
    "partner_order_channel": _channel,
    "finalization_date": _date,
}
