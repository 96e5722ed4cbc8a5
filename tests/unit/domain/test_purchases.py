# SPDX-License-Identifier: Apache-2.0
"""Rules of what the ledger keeps of a purchase."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from connector.domain.orders import Customer, Order
from connector.domain.purchases import purchase_from, says_the_same
from tests.support.commerce import amount, purchase
from tests.support.order_facts import line, order

_ORDER = order(line("a", 1000), line("b", 500, 2))


def test_nothing_of_the_customer_is_kept() -> None:
    """Who takes an order back need not know whose it is."""
    kept = purchase_from(purchase(), _ORDER._replace(customer=Customer("7", "f" * 64, "device", is_new=True)))
    assert kept.order == _ORDER
    assert kept.order.customer is None


def test_the_gross_total_is_kept_where_there_is_one() -> None:
    """In minor units."""
    assert purchase_from(purchase(total_amount=amount("18.15")), _ORDER).gross_total == 1815
    assert purchase_from(purchase(), _ORDER).gross_total is None
    assert purchase_from(purchase(total_amount=amount(-1)), _ORDER).gross_total is None
    assert purchase_from(purchase(total_amount=amount(10**30)), _ORDER).gross_total is None


def test_two_purchases_say_the_same_when_the_same_is_told_of_the_order() -> None:
    """Not of its customer, its token and its dates: all of these may change when a purchase is sent twice."""
    again = _ORDER._replace(
        customer=Customer("7"),
        btn_ref="srctok-1",
        purchase_date="2020",
        finalization_date="2021",
    )
    assert says_the_same(again, _ORDER)
    sized = [_ORDER._replace(line_items=(line("a", 1)._replace(attributes=each),)) for each in _SIZES]
    assert all(says_the_same(sized[0], each) for each in sized)


_SIZES = ({"x": "1", "y": "2"}, {"y": "2", "x": "1"}, MappingProxyType({"x": "1", "y": "2"}))


@pytest.mark.parametrize(
    "other",
    [
        _ORDER._replace(order_id="1995"),
        _ORDER._replace(total=1501),
        _ORDER._replace(currency="EUR"),
        _ORDER._replace(customer_order_id="no. 7"),
        _ORDER._replace(partner_order_channel="app"),
        _ORDER._replace(line_items=_ORDER.line_items[:1]),
        _ORDER._replace(line_items=_ORDER.line_items[::-1]),
        _ORDER._replace(line_items=(line("a", 1000), line("b", 500, 1))),
        _ORDER._replace(line_items=(line("a", 1000), line("b", 500, 2)._replace(attributes={"size": "L"}))),
        _ORDER._replace(line_items=(line("a", 1000), line("b", 500, 2)._replace(description="L"))),
    ],
)
def test_another_content_is_not_the_same(other: Order) -> None:
    """Whatever of it Button would see."""
    assert not says_the_same(other, _ORDER)
