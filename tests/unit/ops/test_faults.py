# SPDX-License-Identifier: Apache-2.0
"""A bug is named by what it is and where it is, so that it can be found, and by nothing that it was about."""

from __future__ import annotations

import re

from connector.ops.faults import describe


def _fail(customer: str) -> None:
    raise KeyError(customer)


def _caught(customer: str) -> Exception:
    try:
        _fail(customer)
    except KeyError as error:
        return error
    raise AssertionError


def test_a_fault_is_told_by_type_and_place_and_without_its_message() -> None:
    """The innermost place comes first; what the message holds may be anybody's."""
    told = describe(_caught("customer-7f3a91"))
    here = r"tests/unit/ops/test_faults\.py:\d+"
    assert re.match(rf"KeyError at {here} \(_fail\), from {here} \(_caught\)$", told)
    assert "customer-7f3a91" not in told


def test_every_fault_of_a_group_is_told() -> None:
    """Tasks that fail together hide none of them."""
    group = ExceptionGroup("customer-1", [_caught("customer-2"), ExceptionGroup("inner", [ValueError("customer-3")])])
    told = describe(group)
    assert [part.split(" ")[0] for part in told.split("; ")] == ["KeyError", "ValueError"]
    assert "customer" not in told


def test_an_end_without_a_fault_is_told_as_such() -> None:
    """What runs for ever and ends all the same has no exception."""
    assert describe(None) == "it ended"
