# SPDX-License-Identifier: Apache-2.0
"""Exact money: amounts as they arrive and the minor units that Button is told.

Owns the conversion between the two. Never rounds: an amount that is finer than the currency's minor unit is
refused, because a rounded order is not the merchant's order. Never uses floats.
"""

from __future__ import annotations

from typing import NamedTuple


class Amount(NamedTuple):
    """A decimal number as it arrived: ``unscaled * 10 ** -scale``.

    Avro's ``decimal`` in two integers, so that a hot path never pays for :class:`decimal.Decimal`. Not in any unit:
    what the digits mean follows from the field (a currency's major unit for money, pieces for a quantity).
    """

    unscaled: int
    scale: int
