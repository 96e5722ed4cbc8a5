# SPDX-License-Identifier: Apache-2.0
"""The sandbox's switches: each thing that Button does not document, and each fault, as one named value.

Owns the names, the allowed values, the defaults and what each means; the command line, the control endpoints, the page
and the documentation all read them from here. Must never hold state that changes while a request is served.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET_SWITCHES = frozenset({"api_key", "next_api_key"})
"""Switches whose value is never shown."""

MASK = "***"


class SwitchError(ValueError):
    """A switch that does not exist, or a value that it does not take; the message names both and the remedy."""


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value of a number."""

    least: float
    greatest: float = float("inf")

    def __str__(self) -> str:
        """Say the range as the documentation does."""
        return f"{self.least:g} or more" if self.greatest == float("inf") else f"{self.least:g} to {self.greatest:g}"


_SHARE = Range(0, 1)
_COUNT = Range(0)

AcceptOr400 = Literal["accept", "400"]
YesNo = Literal["yes", "no"]


@dataclass(frozen=True, slots=True)
class Switches:
    """How the sandbox behaves; the defaults are what the evidence about Button favours."""

    # What the Order API answers.
    create_of_known_id: Annotated[
        Literal["409", "200_echo", "200_upsert"],
        "create of an id that is known: refused, answered with what is held, or the body replaces the order",
    ] = "409"
    create_of_cancelled_id: Annotated[
        Literal["409", "200_new"],
        "create of a cancelled id: refused, or a new order takes its place",
    ] = "409"
    create_answers: Annotated[
        Literal["200", "202_validated_later", "202_dropped_later"],
        "200 with the object; or 202 without `button_order_id`, even for a bad body, which is then never seen; "
        "or 202, and every order vanishes later",
    ] = "200"
    vanish_after_ms: Annotated[int, _COUNT, "how long after its create a `202_dropped_later` order vanishes"] = 0
    update_of_unknown_id: Annotated[Literal["404", "400"], "update of an id that is not known"] = "404"
    update_of_cancelled_id: Annotated[Literal["404", "409", "410"], "update of a cancelled order"] = "404"
    update_missing_fields: Annotated[
        Literal["merge", "replace"],
        "fields that an update leaves out: kept, or lost (total, currency and purchase date are always kept)",
    ] = "merge"
    finalization_seconds: Annotated[
        float,
        _COUNT,
        "an order is final this long after it was reported; 0 is never (`finalization_date` is only stored)",
    ] = 0
    after_finalization: Annotated[Literal["403", "409", "422"], "update or cancel of a final order"] = "403"
    cancel_of_unknown_id: Annotated[Literal["404", "400"], "cancel of an id that is not known"] = "404"
    second_cancel: Annotated[Literal["404", "200", "409", "410"], "cancel of a cancelled order"] = "404"
    cancel_answers: Annotated[
        Literal["200_null", "200_object", "204"],
        "200 with `object: null`, 200 with the object, or 204 without a body",
    ] = "200_null"
    get_of_cancelled: Annotated[
        Literal["404", "200_cancelled"],
        "get of a cancelled order: unknown, or shown with status `cancelled`",
    ] = "404"
    get_includes_lines: Annotated[YesNo, "whether an order that is read back has its lines, or `line_items: []`"] = (
        "yes"
    )
    get_shows: Annotated[
        Literal["all", "id"],
        "what an order that is read back shows: all, or only `button_order_id`, as in a fixture of Button's own client",
    ] = "all"
    visible_after_ms: Annotated[int, _COUNT, "how long after its create an order cannot be read back"] = 0
    negative_line_total: Annotated[AcceptOr400, "a line whose total is below zero"] = "accept"
    zero_line_total: Annotated[AcceptOr400, "a line whose total is zero"] = "accept"
    line_sum_mismatch: Annotated[AcceptOr400, "lines that do not add up to the order's total"] = "accept"
    bad_order_id: Annotated[AcceptOr400, "an `order_id` that is not ASCII or is longer than 255"] = "400"
    path_slash: Annotated[Literal["decode", "404"], "`%2F` in the id of a path"] = "decode"
    absent_customer: Annotated[AcceptOr400, "a create without `customer`"] = "accept"
    absent_line_items: Annotated[AcceptOr400, "a create without `line_items`"] = "accept"
    first_purchase_flag: Annotated[
        Literal["is_new", "is_new_user", "both"],
        "the customer flag that is read; another name is ignored",
    ] = "is_new"
    other_order_channel: Annotated[AcceptOr400, "a `partner_order_channel` that is neither `app` nor `webview`"] = "400"
    error_body: Annotated[
        Literal["message", "typed", "string", "empty", "html", "malformed"],
        "an error's body: `error.message`; with `type` and `details`; `error` as a string; none; HTML; broken JSON",
    ] = "message"

    # Who may call, how often, and whether anybody answers.
    api_key: Annotated[str, "the one key that is valid; any other is answered 401"] = "sk-sandbox"
    next_api_key: Annotated[str, "the key that alone is valid after the rotation"] = ""
    rotate_key_after_seconds: Annotated[
        float,
        _COUNT,
        "the rotation, counted from the start or from when this is set; 0 is never",
    ] = 0
    forbidden_order_ids: Annotated[
        str,
        "403 for the order ids that match this pattern (`order-7`, `order-*`); `*` forbids every call",
    ] = ""
    rate_limit_per_second: Annotated[int, _COUNT, "calls per second before 429; 0 is no limit"] = 0
    rate_limit_headers: Annotated[
        Literal["retry_after_seconds", "retry_after_date", "button", "none"],
        "what a 429 says: `Retry-After` in seconds or as a date, `X-Button-Limit-Remaining` and "
        "`X-Button-Limit-Reset-Seconds`, or nothing",
    ] = "retry_after_seconds"
    availability: Annotated[
        Literal["up", "503", "refused"],
        "every call is answered 503, or connections are refused (the control port stays open)",
    ] = "up"

    # Faults by a seeded share of the calls.
    seed: Annotated[int, Range(float("-inf")), "decides which calls the shares below hit"] = 0
    fail_share: Annotated[float, _SHARE, "answered with `fail_status`, nothing taken"] = 0
    fail_after_share: Annotated[float, _SHARE, "taken, and answered with `fail_status` all the same"] = 0
    fail_status: Annotated[int, Range(400, 599), "the status of these answers"] = 503
    drop_before_share: Annotated[float, _SHARE, "connection reset, nothing taken"] = 0
    drop_after_share: Annotated[float, _SHARE, "a lost answer: taken, then the connection is closed"] = 0
    no_answer_before_share: Annotated[float, _SHARE, "not taken and never answered; the connection stays open"] = 0
    no_answer_share: Annotated[float, _SHARE, "taken and never answered; the connection stays open"] = 0
    half_body_share: Annotated[float, _SHARE, "taken; half of the answer's body, then the end"] = 0
    slow_drip_share: Annotated[float, _SHARE, "taken; the body comes byte by byte"] = 0
    slow_drip_ms: Annotated[int, Range(1), "the time between two bytes"] = 20
    huge_body_share: Annotated[float, _SHARE, "taken; the body is blown up"] = 0
    huge_body_bytes: Annotated[int, Range(1, 1 << 30), "to at least this size"] = 16 << 20
    redirect_share: Annotated[float, _SHARE, "not taken; 307 to `/redirected`, where there is nothing"] = 0
    meta_error_share: Annotated[float, _SHARE, "not taken; `meta.status: error` under HTTP 200"] = 0
    page_share: Annotated[float, _SHARE, "not taken; a web page under HTTP 200, as of something on the way"] = 0
    close_on_accept_share: Annotated[
        float,
        _SHARE,
        "connections (not calls) that are reset before anything is read, by the connection's number",
    ] = 0
    delay_share: Annotated[float, _SHARE, "calls that are delayed, whatever else happens to them"] = 0
    delay_ms: Annotated[int, _COUNT, "the delay"] = 0
    delay_mode: Annotated[
        Literal["fixed", "jitter", "load"],
        "as it is, between half and one and a half of it, or times the open calls",
    ] = "fixed"
    delay_when: Annotated[
        Literal["answer", "before"],
        "the order is taken at once and its answer is late; or it is taken late, even if the caller has gone",
    ] = "answer"

    def __post_init__(self) -> None:
        """Refuse shares that cannot be met together."""
        total = sum(getattr(self, name) for name in fault_shares())
        if total > 1 + 1e-9:
            message = f"The fault shares add up to {total:g}; they must not exceed 1: lower one of them."
            raise SwitchError(message)


@dataclass(frozen=True, slots=True)
class Description:
    """One row of the switches' table."""

    name: str
    type: type
    choices: tuple[str, ...]
    range: Range | None
    default: object
    meaning: str

    @property
    def values(self) -> str:
        """What the switch takes, in words."""
        if self.choices:
            return ", ".join(f"`{choice}`" for choice in self.choices)
        if self.range is None:
            return "text"
        kind = "whole number" if self.type is int else "number"
        return kind if self.range.least == float("-inf") else f"{kind}, {self.range}"


@cache
def catalogue() -> Mapping[str, Description]:
    """Every switch by its name, in the order of the documentation."""
    hints = get_type_hints(Switches, include_extras=True)
    return {field.name: _describe(field.name, hints[field.name], field.default) for field in fields(Switches)}


def _describe(name: str, hint: object, default: object) -> Description:
    kind, *notes = get_args(hint)
    choices = tuple(get_args(kind)) if get_origin(kind) is Literal else ()
    bounds = next((note for note in notes if isinstance(note, Range)), None)
    return Description(name, str if choices else kind, choices, bounds, default, notes[-1])


@cache
def fault_shares() -> tuple[str, ...]:
    """Name the shares that exclude each other: one call plays one fault at most."""
    apart = {"close_on_accept_share", "delay_share"}
    return tuple(field.name for field in fields(Switches) if field.name.endswith("_share") and field.name not in apart)


def changed(switches: Switches, values: Mapping[str, object]) -> Switches:
    """Return ``switches`` with other values, given as text or as what JSON makes of them.

    Raises :class:`SwitchError` for a name or a value that does not exist; then nothing is changed.
    """
    return replace(switches, **{name: _read(name, value) for name, value in values.items()})  # type: ignore[arg-type]  # each value was read by its field's own type


def _read(name: str, value: object) -> object:
    description = catalogue().get(name)
    if description is None:
        message = f"There is no switch {name!r}; the switches are {', '.join(catalogue())}."
        raise SwitchError(message)
    if description.type is str:
        return _read_text(description, str(value))
    return _read_number(description, value)


def _read_text(description: Description, value: str) -> str:
    if description.choices and value not in description.choices:
        message = f"{description.name}={value}: takes one of {', '.join(description.choices)}."
        raise SwitchError(message)
    return value


def _read_number(description: Description, value: object) -> float:
    try:
        number: float = description.type(str(value))
    except ValueError:
        number = float("nan")
    bounds = description.range
    if bounds is None or not bounds.least <= number <= bounds.greatest:
        message = f"{description.name}={value}: takes a {description.values.replace('`', '')}."
        raise SwitchError(message)
    return number


def shown(switches: Switches) -> dict[str, object]:
    """Every switch and its value, keys masked."""
    return {
        name: MASK if name in SECRET_SWITCHES and getattr(switches, name) else getattr(switches, name)
        for name in catalogue()
    }


def active(switches: Switches) -> dict[str, object]:
    """Only the switches that differ from their default, keys masked."""
    return {
        name: value for name, value in shown(switches).items() if getattr(switches, name) != catalogue()[name].default
    }
