# SPDX-License-Identifier: Apache-2.0
"""Rules of an order's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from connector.domain.lines import identifiers_of, lines_from
from connector.domain.money import Currency
from connector.domain.orders import LineItem, Reject
from connector.domain.policy import DEFAULT_POLICY
from tests.support.commerce import amount, product, purchase

if TYPE_CHECKING:
    from connector.domain.events import Product

_USD = Currency("USD", 2)


def _line(only: Product) -> LineItem:
    lines = lines_from(purchase(only), _USD, DEFAULT_POLICY)
    assert not isinstance(lines, Reject), lines
    return lines[0]


@pytest.mark.parametrize(
    ("skus", "identifiers"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a-2", "a-3"]),
        (["a", "a", "a-2"], ["a", "a-3", "a-2"]),
        (["a-2", "a", "a", "a"], ["a-2", "a", "a-3", "a-4"]),
        (["a", "a", "a-2", "a-2"], ["a", "a-3", "a-2", "a-2-2"]),
    ],
)
def test_lines_of_one_sku_are_told_apart_without_taking_another_line_s_name(
    skus: list[str],
    identifiers: list[str],
) -> None:
    """Whoever is first keeps the SKU; a suffix that is another line's SKU is passed over."""
    assert identifiers_of([product(sku) for sku in skus]) == identifiers


def test_a_line_without_a_sku_is_identified_by_its_name_or_its_position() -> None:
    """Some identifier is required, and it must be the same when the event is read again."""
    nameless = product(None)
    assert identifiers_of([nameless._replace(name="Tea"), nameless, product("line-2")]) == ["Tea", "line-2", "line-2-2"]


def test_a_line_carries_sku_name_and_category_as_they_are() -> None:
    """A category is one string; its slashes may mean anything."""
    line = _line(product("s", name="Tea", category="Food/Drinks"))
    assert (line.sku, line.description, line.category) == ("s", "Tea", ("Food/Drinks",))


def test_the_line_s_own_total_goes_before_price_times_quantity() -> None:
    """It is net of the line's discount."""
    assert _line(product(price="10.00", quantity=amount("2"), total=amount("18.00"))).total == 1_800


def test_quantity_is_one_where_none_is_given() -> None:
    """As at Button."""
    assert (_line(product(price="10.00")).quantity, _line(product(price="10.00")).total) == (1, 1_000)


def test_a_gift_is_a_line_of_zero() -> None:
    """Nothing is a price."""
    assert _line(product(price="0")).total == 0


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        ({"quantity": amount("1.5")}, "invalid_quantity", "1.5"),
        ({"quantity": amount("0")}, "invalid_quantity", "is 0"),
        ({"quantity": amount("-1")}, "invalid_quantity", "-1"),
        ({"quantity": amount("2147483648")}, "invalid_quantity", "2147483648"),
        ({"price": None}, "missing_line_total", "price"),
        ({"price": amount("1.005")}, "amount_too_precise", "1.005"),
        ({"price": amount("-1")}, "negative_amount", "-1"),
        ({"total": amount("-0.01")}, "negative_amount", "total_product_amount"),
        ({"quantity": amount("3000000")}, "total_out_of_range", "price times quantity"),
        ({"sku": "x" * 256}, "sku_too_long", "256"),
    ],
)
def test_a_line_that_cannot_be_told_is_refused_and_its_product_named(
    changes: dict[str, Any],
    reason: str,
    named: str,
) -> None:
    """The message says which product, which field and what is in it."""
    bad = product("bad-sku")._replace(**changes)
    reject = lines_from(purchase(product("good"), bad), _USD, DEFAULT_POLICY)
    assert isinstance(reject, Reject)
    assert reject.reason == reason
    assert named in reject.message
    assert "product_action.products[1]" in reject.message
    assert (bad.sku or "")[:60] in reject.message


def test_names_in_messages_are_short_and_plain() -> None:
    """A product's name may hold anything."""
    reject = lines_from(purchase(product(None, None, name="\u202e\n" * 1000)), _USD, DEFAULT_POLICY)
    assert isinstance(reject, Reject)
    assert reject.message.isascii()
    assert reject.message.isprintable()
    assert len(reject.message) < 800
