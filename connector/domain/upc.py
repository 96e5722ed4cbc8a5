# SPDX-License-Identifier: Apache-2.0
"""Universal Product Codes in the form that Button takes: UPC-A, 12 digits.

Owns which other forms are the same code. A check digit is verified only where it is needed to recognize a form: in
codes of 12 digits it is not, because Button takes an industry's own unique codes there, too.
"""

from __future__ import annotations

import re

_UPC_A = re.compile(r"0{0,2}([0-9]{12})", re.ASCII)
"""GTIN-13 and GTIN-14 are UPC-A with zeros before it, where the zeros are all there is before it."""

_UPC_E = re.compile(r"([01])([0-9]{6})([0-9])", re.ASCII)


def to_upc(text: str) -> str | None:
    """Return the 12 digits of a product code, ``None`` when it is not one that can be written with them."""
    stripped = text.strip()
    if upc_a := _UPC_A.fullmatch(stripped):
        return upc_a[1]
    if upc_e := _UPC_E.fullmatch(stripped):
        number_system, digits, check = upc_e.groups()
        expanded = number_system + _expanded(digits)
        return expanded + check if check_digit(expanded) == check else None
    return None


def check_digit(eleven: str) -> str:
    """Return the check digit of the first eleven digits of a UPC-A (GS1's modulo 10)."""
    total = 3 * sum(map(int, eleven[::2])) + sum(map(int, eleven[1::2]))
    return str(-total % 10)


def _expanded(six: str) -> str:
    """Return the ten digits that six of a UPC-E stand for; the last one says where the zeros were taken out."""
    last = six[5]
    if last in "012":
        return f"{six[:2]}{last}0000{six[2:5]}"
    if last == "3":
        return f"{six[:3]}00000{six[3:5]}"
    if last == "4":
        return f"{six[:4]}00000{six[4]}"
    return f"{six[:5]}0000{last}"
