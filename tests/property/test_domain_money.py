# SPDX-License-Identifier: Apache-2.0
"""Money is exact for every amount and every number of decimals; :mod:`decimal` says what is right."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.money import Amount, Currency, MoneyProblem, minus, times, to_minor_units, to_whole

_EXACT = Context(prec=400)

_scales = st.integers(min_value=0, max_value=40)
_numbers = st.one_of(
    st.integers(min_value=-(10**40), max_value=10**40),
    # Multiples of powers of ten, so that many are as coarse as the minor unit although their scale is fine.
    st.builds(lambda digits, zeros: digits * 10**zeros, st.integers(-(10**6), 10**6), st.integers(0, 40)),
)
_amounts = st.builds(Amount, _numbers, _scales)


def _decimal(amount: Amount) -> Decimal:
    return Decimal(amount.unscaled).scaleb(-amount.scale)


@settings(deadline=None)
@given(amount=_amounts, exponent=st.integers(min_value=0, max_value=4))
def test_minor_units_are_exactly_the_amount_or_there_are_none(amount: Amount, exponent: int) -> None:
    """Never rounded, for exponents 0 to 4."""
    with localcontext(_EXACT):
        exact = _decimal(amount) * 10**exponent
        if exact != exact.to_integral_value():
            expected: int | MoneyProblem = MoneyProblem.AMOUNT_TOO_PRECISE
        elif exact < 0:
            expected = MoneyProblem.NEGATIVE_AMOUNT
        else:
            expected = int(exact)
    assert to_minor_units(amount, Currency("XYZ", exponent)) == expected


@settings(deadline=None)
@given(price=_amounts, quantity=st.integers(min_value=1, max_value=2**31 - 1))
def test_price_times_quantity_is_exact(price: Amount, quantity: int) -> None:
    """No digit is lost on the way to a line's total."""
    with localcontext(_EXACT):
        assert _decimal(times(price, quantity)) == _decimal(price) * quantity


@settings(deadline=None)
@given(amount=_amounts, other=_amounts)
def test_a_discount_is_taken_off_exactly(amount: Amount, other: Amount) -> None:
    """Whatever the numbers of decimals of the two."""
    with localcontext(_EXACT):
        assert _decimal(minus(amount, other)) == _decimal(amount) - _decimal(other)


@settings(deadline=None)
@given(amount=_amounts)
def test_a_whole_number_is_told_from_a_fraction(amount: Amount) -> None:
    """Whatever the number of zeros after the point."""
    with localcontext(_EXACT):
        exact = _decimal(amount)
        expected = int(exact) if exact == exact.to_integral_value() else None
    assert to_whole(amount) == expected


@settings(deadline=None)
@given(amount=_amounts)
def test_what_a_message_shows_is_the_amount(amount: Amount) -> None:
    """Read back it is the same number, without an exponent."""
    shown = str(amount)
    assert "E" not in shown
    with localcontext(_EXACT):
        assert Decimal(shown) == _decimal(amount)


@settings(deadline=None)
@given(bits=st.integers(min_value=257, max_value=60_000), scale=_scales)
def test_a_monstrous_number_can_be_shown_and_judged(bits: int, scale: int) -> None:
    """Thousands of digits, which Python refuses to print, raise nothing."""
    amount = Amount(1 << bits, scale)
    assert str(bits + 1) in str(amount)
    to_minor_units(amount, Currency("XYZ", 2))
