# SPDX-License-Identifier: Apache-2.0
"""Product codes come out as 12 digits or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.upc import check_digit, to_upc

_digits = st.text(alphabet="0123456789", min_size=6, max_size=6)


@given(text=st.text(max_size=16) | st.text(alphabet="0123456789", max_size=16))
def test_a_code_is_twelve_digits_or_none(text: str) -> None:
    """Whatever was written there; what comes out stays as it is."""
    upc = to_upc(text)
    assert upc is None or (len(upc) == 12 and upc.isascii() and upc.isdecimal() and to_upc(upc) == upc)


@given(system=st.sampled_from("01"), six=_digits, check=st.sampled_from("0123456789"))
def test_a_upc_e_is_expanded_by_its_right_check_digit_only(system: str, six: str, check: str) -> None:
    """What it keeps of its digits stands in the long form, in the same order."""
    upc = to_upc(system + six + check)
    if upc is None:
        return
    assert (upc[0], upc[-1]) == (system, check)
    assert check_digit(upc[:-1]) == check
    assert upc[1:11].replace("0", "") in {(six[:5] + last).replace("0", "") for last in ("", six[5])} | {
        (six[:2] + six[5] + six[2:5]).replace("0", ""),
    }


@given(eleven=st.text(alphabet="0123456789", min_size=11, max_size=11))
def test_the_weighted_sum_with_the_check_digit_is_a_multiple_of_ten(eleven: str) -> None:
    """As GS1 defines it."""
    twelve = eleven + check_digit(eleven)
    assert sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(twelve)) % 10 == 0
