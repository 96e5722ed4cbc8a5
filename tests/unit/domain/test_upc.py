# SPDX-License-Identifier: Apache-2.0
"""Rules of product codes."""

from __future__ import annotations

import pytest

from connector.domain.upc import check_digit, to_upc


@pytest.mark.parametrize(
    ("short", "expanded"),
    [
        # Pairs as the standard's explanations have them.
        ("01234565", "012345000065"),
        ("04252614", "042100005264"),
        ("02345673", "023456000073"),
    ],
)
def test_a_upc_e_is_expanded(short: str, expanded: str) -> None:
    """To the code that it abbreviates, with the same check digit."""
    assert to_upc(short) == expanded


@pytest.mark.parametrize(
    ("last", "eleven"),
    [
        ("0", "01200000345"),
        ("1", "01210000345"),
        ("2", "01220000345"),
        ("3", "01230000045"),
        ("4", "01234000005"),
        ("5", "01234500005"),
        ("9", "01234500009"),
    ],
)
def test_the_last_digit_says_where_the_zeros_were(last: str, eleven: str) -> None:
    """The standard's table, row by row."""
    check = check_digit(eleven)
    assert to_upc(f"012345{last}{check}") == eleven + check


def test_the_check_digit_is_that_of_the_standard() -> None:
    """Of a code that is printed on goods everywhere."""
    assert check_digit("03600029145") == "2"


@pytest.mark.parametrize("text", ["400000000001", " 036000291452 ", "0036000291452", "00036000291452"])
def test_twelve_digits_are_taken_as_they_are(text: str) -> None:
    """Button's own sample has a wrong check digit; a GTIN of zeros and a UPC is that UPC."""
    assert to_upc(text) == text.strip()[-12:]


@pytest.mark.parametrize(
    "text",
    ["", "1", "01234560", "21234565", "4006381333931", "12345678901", "abcdefghijkl", "\u0661" * 12, "10036000291459"],
)
def test_everything_else_is_none(text: str) -> None:
    """Also an EAN that is no UPC, a wrong check digit of a UPC-E, and digits that are not ASCII."""
    assert to_upc(text) is None
