# SPDX-License-Identifier: Apache-2.0
"""Rules of exact money; expected amounts are from ISO 4217 and what payment providers publish."""

from __future__ import annotations

import pytest

from connector.domain.money import Amount, Currency, MoneyProblem, find_currency, times, to_minor_units, to_whole
from tests.support.commerce import amount


def _currency(code: str) -> Currency:
    currency = find_currency(code)
    assert currency is not None
    return currency


@pytest.mark.parametrize(
    ("code", "major", "minor"),
    [
        ("JPY", "500", 500),
        ("KRW", "12000.00", 12_000),
        ("ISK", "1", 1),
        ("USD", "10", 1_000),
        ("EUR", "0.01", 1),
        ("HUF", "1.50", 150),
        ("KWD", "5.124", 5_124),
        ("BHD", "1.2", 1_200),
        ("TND", "0.001", 1),
        ("CLF", "0.0001", 1),
        ("UYW", "12.3456", 123_456),
    ],
)
def test_an_amount_becomes_the_minor_units_of_its_currency(code: str, major: str, minor: int) -> None:
    """The number of decimals is the currency's, not always two."""
    assert to_minor_units(amount(major), _currency(code)) == minor


@pytest.mark.parametrize(("code", "major"), [("JPY", "0.5"), ("USD", "1.005"), ("KWD", "1.0001"), ("CLF", "0.00001")])
def test_an_amount_finer_than_the_minor_unit_is_a_problem_and_never_rounded(code: str, major: str) -> None:
    """Half a cent is nobody's price."""
    assert to_minor_units(amount(major), _currency(code)) is MoneyProblem.AMOUNT_TOO_PRECISE


def test_decimals_that_are_zero_do_not_make_an_amount_finer() -> None:
    """A schema's scale is wider than most currencies."""
    assert to_minor_units(Amount(10_0000_000000, 10), _currency("JPY")) == 10


def test_a_negative_amount_is_a_problem() -> None:
    """Nothing that an order is told with may be below zero."""
    assert to_minor_units(amount("-0.01"), _currency("USD")) is MoneyProblem.NEGATIVE_AMOUNT


@pytest.mark.parametrize("text", ["usd", "Usd", " USD ", "USD"])
def test_a_currency_is_known_in_any_case_and_told_in_capitals(text: str) -> None:
    """The event's sender passes on what the shop typed; ISO 4217 writes capitals."""
    assert find_currency(text) == ("USD", 2)


@pytest.mark.parametrize("text", ["", "US", "USDT", "ZZZ", "XAU", "XXX", "XTS", "840", "US\u0130"])
def test_what_has_no_minor_unit_in_iso_4217_is_no_currency(text: str) -> None:
    """Neither typing mistakes nor gold can be told in minor units."""
    assert find_currency(text) is None


def test_price_times_quantity_is_exact() -> None:
    """A unit price may be finer than the minor unit as long as the line is not (3 x 0.335 = 1.005 is not)."""
    assert times(amount("0.335"), 200) == Amount(67_000, 3)
    assert to_minor_units(times(amount("0.335"), 200), _currency("USD")) == 6_700
    assert to_minor_units(times(amount("0.335"), 3), _currency("USD")) is MoneyProblem.AMOUNT_TOO_PRECISE


@pytest.mark.parametrize(("text", "whole"), [("2.0000", 2), ("0", 0), ("-3", -3), ("2.5", None)])
def test_a_whole_number_may_be_written_with_decimals(text: str, whole: int | None) -> None:
    """Quantities arrive as decimals."""
    assert to_whole(amount(text)) == whole


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (Amount(1005, 3), "1.005"),
        (Amount(-5, 2), "-0.05"),
        (Amount(70000, 4), "7"),
        (Amount(0, 4), "0"),
        (Amount(1200, 0), "1200"),
        (Amount(1 << 300, 2), "a number of 301 bits"),
    ],
)
def test_an_amount_is_shown_in_plain_digits(number: Amount, shown: str) -> None:
    """Messages quote the number as a person would write it; a monstrous one cannot fill a log."""
    assert str(number) == shown
