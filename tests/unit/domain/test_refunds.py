# SPDX-License-Identifier: Apache-2.0
"""Rules of what a refund says, and of what it leaves of its order."""

from __future__ import annotations

from typing import Any

import pytest

from connector.domain.balances import Balance, opened, order_left, take
from connector.domain.facts import Refund, RefundedLine
from connector.domain.orders import Order, Reject
from connector.domain.policy import DEFAULT_POLICY, AmountRefundLines, Policy, RefundAmountIs
from connector.domain.refunds import refund_from
from tests.support.commerce import amount, product, purchase
from tests.support.order_facts import line, order, refund, refunded

SHOES_AND_SOCKS = order(line("shoes", 6000), line("socks", 1500, 3))
"""75.00: a pair of shoes and three pairs of socks at 5.00."""


def taken(what: Order, *refunds: Refund, gross: int | None = None) -> tuple[Balance, bool]:
    """Return what all of the refunds leave, and whether the last one asked for more than was left."""
    balance, is_over = opened(what, gross), False
    for each in refunds:
        applied = take(balance, each)
        assert not isinstance(applied, Reject), applied
        balance, is_over = applied
    return balance, is_over


def left(what: Order, *refunds: Refund, gross: int | None = None) -> tuple[int, list[tuple[str, int, int]]]:
    """Return the total that is left, and of each line its identifier, total and pieces."""
    balance, is_over = taken(what, *refunds, gross=gross)
    assert not is_over
    state = order_left(balance)
    return state.total, [(each.identifier, each.total, each.quantity) for each in state.line_items]


# Products.


def test_a_line_without_a_quantity_goes_as_a_whole() -> None:
    """All pieces that are left of it."""
    assert left(SHOES_AND_SOCKS, refund(refunded("socks"))) == (6000, [("shoes", 6000, 1)])


def test_pieces_take_their_share_of_the_line_and_of_the_total() -> None:
    """Two of three pairs at 5.00."""
    assert left(SHOES_AND_SOCKS, refund(refunded("socks", 2))) == (6500, [("shoes", 6000, 1), ("socks", 500, 1)])


def test_the_refund_s_own_prices_do_not_decide_what_is_taken_off() -> None:
    """Commission was promised on what was told, not on what the shop paid back."""
    dear = RefundedLine("socks", None, 1, amount("9.99"), amount("9.99"))
    assert left(SHOES_AND_SOCKS, refund(dear))[0] == 7000


def test_pieces_of_an_uneven_line_come_to_all_of_it() -> None:
    """10.00 for three: 3.33, then 3.33, then what is left; and nothing at all when all came back."""
    uneven = order(line("a", 1000, 3), line("b", 1))
    one = refund(refunded("a", 1))
    assert left(uneven, one)[1][0] == ("a", 667, 2)
    assert left(uneven, one, one)[1][0] == ("a", 334, 1)
    assert left(uneven, one, one, one) == (1, [("b", 1, 1)])
    assert left(uneven, refund(refunded("a", 3))) == (1, [("b", 1, 1)])


def test_a_repeated_sku_is_taken_at_its_price_first_and_then_in_order() -> None:
    """Two lines of one SKU, the second one cheaper."""
    both = order(line("tee", 4000, 2), line("tee", 3000, 2, "tee-2"))
    assert left(both, refund(refunded("tee", 1, "15.00")))[1] == [("tee", 4000, 2), ("tee-2", 1500, 1)]
    assert left(both, refund(refunded("tee", 1, "20.00")))[1] == [("tee", 2000, 1), ("tee-2", 3000, 2)]
    assert left(both, refund(refunded("tee", 1, "7.00")))[1] == [("tee", 2000, 1), ("tee-2", 3000, 2)]
    assert left(both, refund(refunded("tee", 3, "15.00")))[1] == [("tee", 2000, 1)]


def test_a_line_s_total_tells_its_price_where_no_price_does() -> None:
    """Shops that send totals alone."""
    both = order(line("tee", 4000, 2), line("tee", 3000, 2, "tee-2"))
    by_total = RefundedLine("tee", None, 2, None, amount("30.00"))
    assert left(both, refund(by_total))[1] == [("tee", 4000, 2)]


def test_a_product_without_a_sku_is_found_by_its_name() -> None:
    """As its line was named in the purchase."""
    named = Order("1994", 300, "USD", "2017", (line("a", 100)._replace(sku=None, description="Tee"), line("b", 200)))
    assert left(named, refund(RefundedLine(None, "Tee", None, None, None))) == (200, [("b", 200, 1)])


def test_all_products_leave_nothing() -> None:
    """Whatever the total still says: discounts on the whole order are in the total alone."""
    dearer = order(line("a", 1000), line("b", 1000), total=2500)
    balance, is_over = taken(dearer, refund(refunded("a"), refunded("b")))
    assert (balance.is_empty, balance.total, is_over) == (True, 0, False)


def test_a_total_that_is_less_than_its_lines_never_falls_below_zero() -> None:
    """Discounted to 8.00; the line that came back was told as 10.00."""
    cheap = order(line("a", 1000), line("b", 1000), total=800)
    assert left(cheap, refund(refunded("a"))) == (0, [("b", 1000, 1)])


def test_more_pieces_than_are_left_are_told_and_taken_as_far_as_they_go() -> None:
    """What follows from it is the policy's business."""
    balance, is_over = taken(SHOES_AND_SOCKS, refund(refunded("socks", 4)))
    assert is_over
    assert order_left(balance) == order(line("shoes", 6000))


def test_an_unknown_product_takes_nothing_off_not_even_the_known_ones() -> None:
    """A refund is applied as a whole, or not at all."""
    found = take(opened(SHOES_AND_SOCKS, None), refund(refunded("shoes"), refunded("hat")))
    assert isinstance(found, Reject)
    assert found.reason == "unknown_product"
    assert "'hat'" in found.message


def test_products_decide_where_there_is_an_amount_too() -> None:
    """Shops repeat the order's total there, and a cancel could not be undone."""
    assert left(SHOES_AND_SOCKS, refund(refunded("shoes"), gross="75.00"))[0] == 1500
    assert left(order(total=7500), refund(refunded("shoes"), gross="60.00"))[0] == 1500


# Amounts.


def test_an_amount_is_spread_over_the_lines_by_largest_remainder() -> None:
    """10.00 off lines of 60.00 and 15.00 is 8.00 and 2.00; 0.01 goes to whom most of it belongs."""
    assert left(SHOES_AND_SOCKS, refund(gross="10.00")) == (6500, [("shoes", 5200, 1), ("socks", 1300, 3)])
    assert left(SHOES_AND_SOCKS, refund(gross="0.01")) == (7499, [("shoes", 5999, 1), ("socks", 1500, 3)])
    thirds = order(line("a", 100), line("b", 100), line("c", 100))
    assert left(thirds, refund(gross="1.00")) == (200, [("a", 66, 1), ("b", 67, 1), ("c", 67, 1)])


def test_an_amount_of_the_order_leaves_the_lines_alone() -> None:
    """Where the policy said so."""
    state = left(SHOES_AND_SOCKS, refund(gross="10.00", is_order_level=True))
    assert state == (6500, [("shoes", 6000, 1), ("socks", 1500, 3)])


def test_an_amount_is_netted_by_the_order_s_ratio() -> None:
    """Of 90.75 with 21 % tax, 12.10 is 10.00; half a cent is rounded up."""
    assert left(SHOES_AND_SOCKS, refund(gross="12.10"), gross=9075)[0] == 6500
    assert left(order(line("a", 100)), refund(gross="0.01"), gross=200) == (99, [("a", 99, 1)])


def test_amounts_that_come_to_all_of_the_gross_total_leave_nothing() -> None:
    """Rounded together, not one by one: 0.03 gross and 0.01 net in three parts."""
    part = refund(gross="0.01")
    totals = [taken(order(line("a", 1)), *[part] * count, gross=3)[0].total for count in (1, 2, 3)]
    assert totals == [1, 0, 0]
    assert left(order(line("a", 100)), refund(gross="1.21"), gross=121) == (0, [])


def test_an_amount_s_own_tax_and_shipping_go_before_the_ratio() -> None:
    """20.00 with 3.00 tax and 5.00 shipping takes 12.00."""
    assert left(SHOES_AND_SOCKS, refund(gross="20.00", tax="3.00", shipping="5.00"), gross=9075)[0] == 6300


def test_the_full_gross_total_takes_all() -> None:
    """Even though shipping in it was never told, and whatever was taken back before."""
    balance, is_over = taken(SHOES_AND_SOCKS, refund(refunded("socks")), refund(gross="90.75"), gross=9075)
    assert (balance.is_empty, is_over) == (True, False)


def test_more_than_is_left_is_told_and_leaves_nothing() -> None:
    """75.01 of 75.00."""
    balance, is_over = taken(SHOES_AND_SOCKS, refund(gross="75.01"))
    assert (balance.is_empty, balance.total, is_over) == (True, 0, True)


def test_a_new_total_is_what_the_order_is_worth_afterwards() -> None:
    """Gross, like every amount; nothing is all, and more than there was is too much."""
    assert left(SHOES_AND_SOCKS, refund(gross="78.65", is_new_total=True), gross=9075)[0] == 6500
    assert taken(SHOES_AND_SOCKS, refund(gross="0", is_new_total=True))[0].is_empty
    balance, is_over = taken(SHOES_AND_SOCKS, refund(gross="75.01", is_new_total=True))
    assert (balance.total, is_over) == (7500, True)


def test_minor_units_are_the_currency_s() -> None:
    """Yen have none, dinars three decimals."""
    assert left(order(line("a", 500), currency="JPY"), refund(gross="200"))[0] == 300
    assert left(order(line("a", 5000), currency="KWD"), refund(gross="2.001"))[0] == 2999


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (refund(gross="1.00", currency="EUR"), "refund_currency_mismatch"),
        (refund(refunded("shoes"), currency="EUR"), "refund_currency_mismatch"),
        (refund(gross="1.001"), "amount_too_precise"),
        (refund(gross="1.00", tax="0.001"), "amount_too_precise"),
        (refund(gross="1.00", tax="2.00"), "negative_total"),
    ],
)
def test_what_does_not_fit_the_order_is_refused_by_name(said: Refund, reason: str) -> None:
    """It may be right for another order; this one has no place for it."""
    found = take(opened(SHOES_AND_SOCKS, None), said)
    assert isinstance(found, Reject)
    assert found.reason == reason


def test_a_refund_of_everything_needs_no_currency() -> None:
    """A full cancel still goes through."""
    assert taken(SHOES_AND_SOCKS, refund(currency="EUR"))[0].is_empty


# What an event says.


def _read(policy: Policy = DEFAULT_POLICY, *products: Any, **fields: Any) -> Refund | Reject:  # noqa: ANN401  any field
    return refund_from(purchase(*products, **{"action": "refund", **fields}), policy)


def test_an_event_without_products_and_amount_takes_everything_back() -> None:
    """Whatever else it says."""
    assert _read(currency="no currency", tax_amount=amount("-1")) == Refund()


def test_an_event_s_products_and_amounts_are_kept_as_they_were_said() -> None:
    """With what an amount meant when it was read."""
    policy = Policy(refund_amount_is=RefundAmountIs.NEW_TOTAL, amount_refund_lines=AmountRefundLines.ORDER_LEVEL)
    said = _read(
        policy,
        product("a", "5.00", quantity=amount("2.0")),
        product(None, None, name="Tee"),
        currency=" eur ",
        total_amount=amount("12.10"),
        tax_amount=amount("2.10"),
    )
    assert said == Refund(
        (RefundedLine("a", None, 2, amount("5.00"), None), RefundedLine(None, "Tee", None, None, None)),
        amount("12.10"),
        amount("2.10"),
        None,
        "EUR",
        is_new_total=True,
        is_order_level=True,
    )
    assert _read(total_amount=amount("1"), currency=None) == Refund(amount=amount("1"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"total_amount": amount("0.00")}, "empty_refund"),
        ({"total_amount": amount("-5")}, "negative_amount"),
        ({"total_amount": amount("-5"), "currency": None}, "negative_amount"),
        ({"total_amount": amount("1.001")}, "amount_too_precise"),
        ({"total_amount": amount(2**64)}, "amount_out_of_range"),
        ({"total_amount": amount("1"), "shipping_amount": amount("-1")}, "negative_amount"),
        ({"total_amount": amount("1"), "currency": "XXX"}, "unknown_currency"),
        ({"products": (product("a", quantity=amount("1.5")),)}, "invalid_quantity"),
        ({"products": (product("a", quantity=amount("-1")),)}, "invalid_quantity"),
        ({"products": (product(None),)}, "unknown_product"),
    ],
)
def test_what_fits_no_order_is_refused_when_it_is_read(fields: dict[str, Any], reason: str) -> None:
    """It must not wait for a purchase first."""
    said = _read(**fields)
    assert isinstance(said, Reject)
    assert said.reason == reason


def test_nothing_is_a_new_total_like_any_other() -> None:
    """Only what is given back cannot be nothing."""
    said = _read(Policy(refund_amount_is=RefundAmountIs.NEW_TOTAL), total_amount=amount("0"))
    assert isinstance(said, Refund)
