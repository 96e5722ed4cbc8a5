# SPDX-License-Identifier: Apache-2.0
"""Rules of reading the order that a lookup shows."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.button.answers import read_answer, with_order
from connector.button.observed import observed_order
from connector.button.transport import HttpAnswer
from connector.domain.orders import LineItem, Order
from connector.domain.outcomes import ObservedOrder
from tests.support.commerce import published

LINE = {"identifier": "sku-1", "total": 4000, "quantity": 2}
SHOWN: dict[str, Any] = {
    "button_order_id": "btnorder-XXX",
    "total": 4000,
    "currency": "USD",
    "order_id": "1989",
    "btn_ref": "srctok-XXX",
    "line_items": [LINE],
    "status": "open",
    "purchase_date": "2017-07-25T08:23:52Z",
}
ORDER = Order("1989", 4000, "USD", "2017-07-25T08:23:52Z", (LineItem("sku-1", 4000, 2),), btn_ref="srctok-XXX")
UNREADABLE = ObservedOrder(None)


def _read(shown: object, *, under: str = "object") -> ObservedOrder | None:
    return observed_order({"meta": {"status": "ok"}, under: shown}, "1989")


def test_the_order_of_button_s_own_client_is_read() -> None:
    """Its fixture has no token and no lines, which is no reason to doubt it."""
    answers = cast("list[dict[str, Any]]", published("button_client_answers"))
    (created,) = (answer["body"] for answer in answers if answer["call"] == "create")
    assert observed_order(created, "1989") == ObservedOrder(Order("1989", 50, "USD", "2017-07-25T08:23:52Z", ()))


def test_an_order_is_read_whole() -> None:
    """Alone, or as the only one of a list that is the one that was asked for."""
    assert _read(SHOWN) == ObservedOrder(ORDER)
    assert _read([{**SHOWN, "order_id": "other"}, SHOWN], under="objects") == ObservedOrder(ORDER)
    assert _read([SHOWN]) == ObservedOrder(ORDER)


def test_the_details_of_a_line_are_kept() -> None:
    """An update tells the lines as a whole, so what is not kept here would be lost at Button."""
    details = {
        "sku": "s",
        "upc": "012345678905",
        "description": "d",
        "category": ["a", "b"],
        "attributes": {"size": "M"},
    }
    observed = _read({**SHOWN, "line_items": [{**LINE, **details}]})
    line = LineItem("sku-1", 4000, 2, "s", "d", ("a", "b"), {"size": "M"}, "012345678905")
    assert observed == ObservedOrder(ORDER._replace(line_items=(line,)))


@pytest.mark.parametrize("status", ["cancelled", "canceled", "Cancelled", "CANCELED"])
def test_a_cancelled_order_is_seen_as_one_however_it_is_spelled(status: str) -> None:
    """Also where the rest cannot be read."""
    assert _read({**SHOWN, "status": status}) == ObservedOrder(ORDER, is_cancelled=True)
    assert _read({"status": status}) == ObservedOrder(None, is_cancelled=True)


@pytest.mark.parametrize("status", ["open", "pending", "finalized", None, 7, ["cancelled"]])
def test_any_other_status_is_not_cancelled(status: object) -> None:
    """A refund must not be dropped for a word that nobody knows."""
    assert _read({**SHOWN, "status": status}) == ObservedOrder(ORDER)


@pytest.mark.parametrize(
    ("shown", "under"),
    [(None, "object"), ([], "objects"), (None, "objects"), ([None], "objects")],
)
def test_null_and_an_empty_list_show_nothing(shown: object, under: str) -> None:
    """Button answers a cancel with null, so a lookup may be answered so, too."""
    assert _read(shown, under=under) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"total": None},
        {"total": "40.00"},
        {"total": 40.0},
        {"total": True},
        {"total": -1},
        {"total": 2**31},
        {"total": 10**400},
        {"currency": None},
        {"currency": "US Dollar"},
        {"order_id": "1990"},
        {"order_id": None},
        {"order_id": 1989},
    ],
)
def test_an_order_that_would_have_to_be_guessed_is_unreadable(changes: dict[str, object]) -> None:
    """What is computed from it is money."""
    assert _read({**SHOWN, **changes}) == UNREADABLE


@pytest.mark.parametrize("shown", ["order", 7, True, ["order"], [7]])
def test_what_is_no_object_is_unreadable(shown: object) -> None:
    """There is something, and nobody knows what."""
    assert _read(shown) == UNREADABLE


def test_an_envelope_that_does_not_say_is_unreadable() -> None:
    """Neither object nor objects: a stand-in answers, or a new version."""
    assert observed_order({"meta": {"status": "ok"}}, "1989") == UNREADABLE
    assert _read({"button_order_id": "btnorder-XXX"}) == UNREADABLE


@pytest.mark.parametrize(
    "bad",
    [{"identifier": None}, {"identifier": ""}, {"total": "1"}, {"total": 2**31}, {"quantity": 0}, {"quantity": "2"}],
)
def test_lines_are_read_whole_or_not_at_all(bad: dict[str, object]) -> None:
    """An update from half of them would take the others away."""
    lines = [LINE, {**LINE, "identifier": "sku-2", **bad}]
    assert _read({**SHOWN, "line_items": lines}) == ObservedOrder(ORDER._replace(line_items=()))


@pytest.mark.parametrize("lines", [None, {}, "x", [None], [[]], [{}]])
def test_lines_of_another_type_count_as_not_shown(lines: object) -> None:
    """Button's own fixture has none."""
    assert _read({**SHOWN, "line_items": lines}) == ObservedOrder(ORDER._replace(line_items=()))


def test_a_line_without_quantity_is_one_piece() -> None:
    """That is Button's default."""
    observed = _read({**SHOWN, "line_items": [{"identifier": "sku-1", "total": -4000}]})
    assert observed == ObservedOrder(ORDER._replace(line_items=(LineItem("sku-1", -4000, 1),)))


def test_a_detail_of_another_type_is_left_out_and_the_line_kept() -> None:
    """Only what the money depends on must be there."""
    details = {"sku": 7, "upc": [], "description": {}, "category": ["a", 7], "attributes": {"size": 7}}
    assert _read({**SHOWN, "line_items": [{**LINE, **details}]}) == ObservedOrder(ORDER)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1989", "USD"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*SHOWN, *LINE, "object", "objects", "category", "attributes"]), inner)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["meta", "object", "objects"]), _JSON))
def test_no_json_is_an_exception_and_every_order_is_one_that_could_be_told(envelope: dict[str, object]) -> None:
    """Whatever is shown, what comes out has money in whole minor units."""
    observed = observed_order(envelope, "1989")
    if observed is not None and observed.order is not None:
        order = observed.order
        assert order.order_id == "1989"
        assert type(order.total) is int
        assert 0 <= order.total < 2**31
        assert all(type(line.total) is int and line.quantity >= 1 for line in order.line_items)


_DEEP = b'{"meta":{"status":"ok"},"object":' + b'{"line_items":[' * 50_000
_HUGE_NUMBER = b'{"meta":{"status":"ok"},"object":{"total":' + b"9" * 5_000 + b"}}"
_REPEATED = b'{"meta":{"status":"ok"},"object":{"total":1,"total":[]}}'


@given(st.binary(max_size=300) | st.sampled_from([_DEEP, _HUGE_NUMBER, _REPEATED]), st.integers(100, 599))
def test_no_bytes_are_an_exception(body: bytes, status: int) -> None:
    """Deep nesting, huge numbers, names twice: an answer of that status comes of it, and at most an order."""
    http = HttpAnswer(status, {}, body)
    answer = with_order(read_answer(http, 0, str), http, "1989")
    assert answer.status == status
    assert answer.order is None or 200 <= status < 300


def test_a_lookup_that_is_no_success_shows_no_order() -> None:
    """Only what Button says is so."""
    for status, meta in ((200, "error"), (404, "error"), (500, "ok"), (200, None)):
        body = json.dumps({"meta": {"status": meta}, "object": SHOWN}).encode()
        http = HttpAnswer(status, {}, body)
        assert with_order(read_answer(http, 0, str), http, "1989").order is None


@pytest.mark.parametrize(
    ("error", "slug"),
    [({"type": "Gone"}, "Gone"), ({"type": 7}, None), ("Gone", None), ({}, None)],
)
def test_the_type_of_an_error_is_kept_for_the_settings(error: object, slug: str | None) -> None:
    """Nothing else rests on it, because Button does not document it."""
    body = json.dumps({"meta": {"status": "error"}, "error": error}).encode()
    assert read_answer(HttpAnswer(409, {}, body), 0, str).error_type == slug
