# SPDX-License-Identifier: Apache-2.0
"""Parked orders: whose events wait among the dead letters for those before them."""

from __future__ import annotations

import pytest

from connector.domain.facts import Fact, Mark, MarkKind
from connector.domain.parking import ORDER_PARKED, has_mark, is_behind_refunds, is_parked, parking_purchase
from tests.support.order_facts import PURCHASED_AT_MS, bought, fact, order, refund, waiting

BOUGHT = fact("p", bought(order(total=2000)), call="create")
FAILED = Fact("p", Mark(MarkKind.PARKED, "missing_currency"), PURCHASED_AT_MS)
BEHIND = Fact("r", Mark(MarkKind.PARKED, ORDER_PARKED), PURCHASED_AT_MS)
OVER = Fact("g", Mark(MarkKind.GIVEN_UP, "refund_without_purchase"), PURCHASED_AT_MS)
EARLY = waiting("w", refund())


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], False),
        ([BOUGHT], False),
        ([EARLY], False),
        ([OVER], False),
        ([FAILED], True),
        ([FAILED, EARLY], True),
        ([BOUGHT._replace(event_id="p2"), FAILED], False),
        ([BEHIND], True),
        ([FAILED, BEHIND], True),
        ([BOUGHT._replace(event_id="p2"), FAILED, BEHIND], True),
    ],
)
def test_an_order_is_parked_by_its_failed_purchase_and_by_each_refund_behind_it(
    facts: list[Fact],
    expected: bool,  # noqa: FBT001  pytest passes it by name
) -> None:
    """A purchase that came all the same frees it of the former, not of the latter."""
    assert is_parked({each.event_id: each for each in facts}) is expected


def test_an_event_is_not_in_its_own_way() -> None:
    """Else nothing could ever be replayed."""
    facts = {"p": FAILED, "r": BEHIND}
    assert parking_purchase(facts, "r") == FAILED.said
    assert parking_purchase(facts, "p") is None
    assert is_behind_refunds(facts, "p")
    assert not is_behind_refunds(facts, "r")


def test_the_mark_of_an_event_is_found_beside_its_fact_too() -> None:
    """The ledger keeps both, each under a name of its own."""
    assert has_mark({"p": BOUGHT, "p (parked)": FAILED}, "p")
    assert not has_mark({"p": BOUGHT, "g": OVER}, "g")
