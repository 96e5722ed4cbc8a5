# SPDX-License-Identifier: Apache-2.0
"""Amounts of an event as minor units, or the reject that says what is wrong with them.

Owns the words and the reason codes for money that Button cannot be told. Fields are named as in the schema of the
input. Messages hold amounts, which are not personal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from connector.domain.money import MAX_MINOR_UNITS, MoneyProblem, to_minor_units
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from connector.domain.money import Amount, Currency


def minor_units_of(name: str, amount: Amount, currency: Currency) -> int | Reject:
    """Return the amount of the field ``name``, which must not be negative, in minor units."""
    minor_units = to_minor_units(amount, currency)
    if isinstance(minor_units, MoneyProblem):
        return Reject(minor_units.value, f"{name} is {amount}{_remedy(minor_units, currency)}")
    return minor_units


def total_of(what: str, minor_units: int) -> int | Reject:
    """Return a total that Button takes: neither negative nor more than 32 bits; ``what`` says how it came about."""
    if minor_units < 0:
        return Reject("negative_total", f"{what} is less than nothing; send what the order is worth, 0 or more")
    if minor_units > MAX_MINOR_UNITS:
        return Reject(
            "total_out_of_range",
            f"{what} is more than the {MAX_MINOR_UNITS} minor units that Button takes; check the amount and its "
            "currency, and agree with Button on how to report it if they are right",
        )
    return minor_units


def is_near_limit(total: int) -> bool:
    """Tell whether a total is more than half of what Button takes: an amount or a currency may be wrong."""
    return total > MAX_MINOR_UNITS // 2


def _remedy(problem: MoneyProblem, currency: Currency) -> str:
    match problem:
        case MoneyProblem.AMOUNT_TOO_PRECISE:
            return (
                f", which is finer than the minor unit of {currency.code} ({currency.exponent} decimals) and is never "
                "rounded here; send amounts in whole minor units"
            )
        case MoneyProblem.NEGATIVE_AMOUNT:
            return "; send an amount that is 0 or more"
        case _:
            assert_never(problem)
