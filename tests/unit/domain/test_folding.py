# SPDX-License-Identifier: Apache-2.0
"""Rules of the state that the facts of an order add up to."""

from __future__ import annotations

from connector.domain.facts import Fact, Mark, MarkKind
from connector.domain.folding import Status, fold
from tests.support.order_facts import bought, fact, line, observed, order, refund, refunded, waiting

A, B = line("a", 1000), line("b", 2000, 2)
P = fact("p", bought(order(A, B)), call="create")


def mark(kind: MarkKind, event_id: str = "x") -> Fact:
    """Return a mark."""
    return fact(event_id, Mark(kind, "why"), call="")


def test_no_facts_are_an_order_of_which_nothing_is_known() -> None:
    """And marks are none that count."""
    assert fold({}).status is Status.UNKNOWN
    assert fold([mark(MarkKind.PARKED), mark(MarkKind.GIVEN_UP, "y")]).status is Status.UNKNOWN


def test_refunds_alone_wait() -> None:
    """Nothing can be told of them."""
    state = fold([waiting("r", refund()), mark(MarkKind.PARKED)])
    assert (state.status, state.order) == (Status.WAITING, None)


def test_a_purchase_is_told_as_it_is() -> None:
    """Marks do not matter, and neither does whether facts come by name."""
    assert fold([P, mark(MarkKind.GIVEN_UP)]).order == order(A, B)
    assert fold({"p": P}).order == order(A, B)


def test_a_purchase_is_told_less_its_refunds() -> None:
    """Lines, pieces and total."""
    state = fold([waiting("r1", refund(refunded("a"))), P, fact("r2", refund(refunded("b", 1)), 5)])
    assert state.status is Status.OPEN
    assert state.order == order(line("b", 1000))


def test_nothing_left_is_a_cancel() -> None:
    """By one refund, or by several, even if none of them was told as a cancel."""
    assert fold([P, waiting("r", refund())]).status is Status.CANCELLED
    parts = [fact("r1", refund(refunded("a")), 1), fact("r2", refund(refunded("b")), 2)]
    assert fold([P, *parts]).status is Status.CANCELLED
    assert fold([P, fact("r", refund(gross="30.00"), 1)]).status is Status.CANCELLED


def test_the_last_purchase_is_the_current_one() -> None:
    """By the time of the event, then by its identity; not by when it arrived."""
    later = fact("p2", bought(order(A)), 1)
    same_time = fact("q", bought(order(B)))
    assert fold([later, P]).order == order(A)
    assert fold([same_time, P]).order == order(B)


def test_what_button_showed_stands_in_until_a_purchase_comes() -> None:
    """And never takes lines away that events gave."""
    seen = observed(order(total=3000))
    assert fold([seen]).order == order(total=3000)
    assert fold([seen, fact("r", refund(gross="10.00"))]).order == order(total=2000)
    assert fold([seen, P]).order == order(A, B)


def test_an_order_that_button_showed_as_cancelled_is() -> None:
    """Whatever events say."""
    assert fold([observed(order(A), is_cancelled=True), P]).status is Status.CANCELLED


def test_a_cancel_is_for_ever() -> None:
    """Neither a later purchase nor one that makes the refund a part brings the order back."""
    cancel = fact("r", refund(refunded("a")), 1, call="cancel")
    assert fold([P, cancel, fact("p2", bought(order(A, B, line("c", 5))), 2)]).status is Status.CANCELLED
    assert fold([cancel]).status is Status.CANCELLED


def test_refunds_of_more_than_is_left_stop_at_nothing() -> None:
    """Two replicas may each have told one, knowing nothing of the other."""
    both = [fact("r1", refund(refunded("b", 2)), 1), fact("r2", refund(refunded("b", 1)), 2)]
    assert fold([P, *both]).order == order(A)


def test_a_refund_that_has_no_place_is_left_out_and_named() -> None:
    """So that it can become a dead letter; the others count."""
    state = fold(
        [
            P,
            waiting("r1", refund(refunded("hat"))),
            waiting("r2", refund(gross="1.00", currency="EUR")),
            waiting("r3", refund(gross="1.001")),
            waiting("r4", refund(refunded("a"))),
        ],
    )
    assert [(each.event_id, each.reject.reason) for each in state.inapplicable] == [
        ("r1", "unknown_product"),
        ("r2", "refund_currency_mismatch"),
        ("r3", "amount_too_precise"),
    ]
    assert state.order == order(B)


def test_refunds_count_in_the_order_in_which_they_happened() -> None:
    """A new total says what is left after those before it."""
    down = fact("r2", refund(gross="5.00", is_new_total=True), 2)
    one = fact("r1", refund(gross="10.00"), 1)
    state = fold([down, one, P])
    assert state.order is not None
    assert state.order.total == 500
    late = fact("r3", refund(gross="1.00"), 3)
    state = fold([late, down, one, P])
    assert state.order is not None
    assert state.order.total == 400
