# SPDX-License-Identifier: Apache-2.0
"""What Button shows of an order may hold refunds already: none is taken off twice, and none is lost."""

from __future__ import annotations

from connector.domain.folding import Status, fold
from connector.domain.known_orders import decide_purchase, decide_refund
from connector.domain.orders import Await, Cancel, Note, Update
from connector.domain.policy import DEFAULT_POLICY
from tests.support.commerce import product, purchase
from tests.support.order_facts import bought, fact, known, line, observed, order, refund, refunded, waiting

WHOLE, REST = order(line("a", 1000), line("b", 500)), order(line("b", 500))
BOUGHT = purchase(product("a", "10.00"), product("b", "5.00"))


def test_the_most_that_button_showed_is_what_refunds_are_taken_off() -> None:
    """What it showed later is the order less what was told since."""
    later = observed(REST)._replace(event_id="observed:500")
    told = fact("r", refund(refunded("a")))
    for facts in ([observed(WHOLE), later, told], [told, later, observed(WHOLE)]):
        assert fold(facts).order == REST


def test_nothing_is_computed_from_what_button_shows_while_a_refund_waits() -> None:
    """The purchase may have been told less that refund, by one who died before it could write so."""
    facts = [observed(REST), waiting("r", refund(refunded("a")))]
    assert fold(facts).status is Status.WAITING
    assert isinstance(decide_refund(BOUGHT, "1994", refund(refunded("b")), known(*facts), DEFAULT_POLICY), Await)


def test_a_purchase_that_button_has_is_cancelled_when_all_of_it_had_come_back_before() -> None:
    """That nothing is left of it says nothing of whether Button was told so."""
    facts = known(observed(WHOLE), waiting("r", refund()))
    assert isinstance(decide_purchase(BOUGHT, WHOLE, bought(WHOLE), facts, DEFAULT_POLICY), Cancel)


def test_a_purchase_that_comes_after_the_cancel_of_its_own_refund_is_no_new_purchase() -> None:
    """Button shows the order as cancelled because a refund of ours was told."""
    facts = known(observed(WHOLE), fact("r", refund(), call="cancel"), observed(WHOLE, is_cancelled=True))
    assert isinstance(decide_purchase(BOUGHT, WHOLE, bought(WHOLE), facts, DEFAULT_POLICY), Note)


def test_a_refund_is_taken_off_what_button_shows_where_none_waits() -> None:
    """An order that somebody else reported loses what came back."""
    decision = decide_refund(BOUGHT, "1994", refund(refunded("a")), known(observed(WHOLE)), DEFAULT_POLICY)
    assert isinstance(decision, Update)
    assert decision.order == REST
