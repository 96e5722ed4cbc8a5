# SPDX-License-Identifier: Apache-2.0
"""Exact money: amounts as they arrive and the minor units that Button is told.

Owns the conversion between the two. Never rounds: an amount that is finer than the currency's minor unit is
refused, because a rounded order is not the merchant's order. Never uses floats.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import iso4217

MAX_MINOR_UNITS = 2_147_483_647
"""Button documents its totals as 32-bit integers."""

_MAX_SHOWN_BITS = 256


class Amount(NamedTuple):
    """A decimal number as it arrived: ``unscaled * 10 ** -scale``, where ``scale`` is at least 0.

    Avro's ``decimal`` in two integers, so that a hot path never pays for :class:`decimal.Decimal`. Not in any unit:
    what the digits mean follows from the field (a currency's major unit for money, pieces for a quantity).
    """

    unscaled: int
    scale: int

    def __str__(self) -> str:
        """Return the number in plain digits, for messages; of a monstrous one only its size."""
        if self.unscaled.bit_length() > _MAX_SHOWN_BITS:
            return f"a number of {self.unscaled.bit_length()} bits"
        digits = str(abs(self.unscaled)).zfill(self.scale + 1)
        whole, fraction = digits[: len(digits) - self.scale], digits[len(digits) - self.scale :].rstrip("0")
        return ("-" if self.unscaled < 0 else "") + (f"{whole}.{fraction}" if fraction else whole)


class Currency(NamedTuple):
    """A currency that has a minor unit; ``exponent`` is the number of decimals of its major unit (ISO 4217)."""

    code: str
    exponent: int


class MoneyProblem(StrEnum):
    """Why an amount cannot be told to Button; the values are reason codes."""

    AMOUNT_TOO_PRECISE = "amount_too_precise"
    NEGATIVE_AMOUNT = "negative_amount"


# Precious metals and test codes are in ISO 4217 but have no minor unit, so there is nothing to tell of them.
_CURRENCIES = {
    currency.value: Currency(currency.value, currency.exponent)
    for currency in iso4217.Currency
    if currency.exponent is not None
}


def find_currency(code: str) -> Currency | None:
    """Return the currency of an ISO 4217 code; mParticle passes on what the shop typed, so case and blanks are free."""
    return _CURRENCIES.get(code) or _CURRENCIES.get(code.strip().upper())


def to_minor_units(amount: Amount, currency: Currency, quantity: int = 1) -> int | MoneyProblem:
    """Return so many times an amount, which must not be negative, in minor units, exactly.

    The result may be greater than Button takes: a gross amount becomes a total only when it is netted.
    """
    unscaled, scale = amount
    minor_units = _shifted(unscaled * quantity, scale, currency.exponent)
    if minor_units is None:
        return MoneyProblem.AMOUNT_TOO_PRECISE
    return minor_units if minor_units >= 0 else MoneyProblem.NEGATIVE_AMOUNT


def to_whole(amount: Amount) -> int | None:
    """Return a number without its decimals if they are all zero, else ``None``."""
    unscaled, scale = amount
    return _shifted(unscaled, scale, 0)


def times(price: Amount, quantity: int) -> Amount:
    """Return price times quantity, exactly."""
    return Amount(price.unscaled * quantity, price.scale)


def minus(amount: Amount, other: Amount) -> Amount:
    """Return the difference, exactly."""
    scale = max(amount.scale, other.scale)
    first, second = (each.unscaled * 10 ** (scale - each.scale) for each in (amount, other))
    return Amount(first - second, scale)


def _shifted(unscaled: int, scale: int, places: int) -> int | None:
    """Return ``unscaled * 10 ** (places - scale)``, or ``None`` when that is not an integer."""
    if scale <= places:
        factor: int = 10 ** (places - scale)
        return unscaled * factor
    divisor: int = 10 ** (scale - places)
    # Two operators are quicker than one call of divmod.
    return None if unscaled % divisor else unscaled // divisor
