# SPDX-License-Identifier: Apache-2.0
"""Rules of what an event means for its order at Button."""

from __future__ import annotations

import pytest

from connector.domain.lifecycle import decide, order_key
from connector.domain.money import Amount
from connector.domain.orders import Cancel, Create, Reject, Skip
from connector.domain.policy import DEFAULT_POLICY
from tests.support.commerce import product, purchase


@pytest.mark.parametrize("action", ["purchase", "PURCHASE"])
def test_a_purchase_is_created_with_its_token(action: str) -> None:
    """The token is told with the order."""
    decision = decide(purchase(product(), action=action), None, "srctok-1", DEFAULT_POLICY)
    assert isinstance(decision, Create)
    assert (decision.order.order_id, decision.order.btn_ref) == ("1994", "srctok-1")


@pytest.mark.parametrize("action", ["refund", "REFUND"])
def test_a_refund_with_neither_products_nor_a_total_cancels_the_order(action: str) -> None:
    """That is how mParticle's Button integration and its shop feeds write a cancellation; it needs only the id."""
    assert decide(purchase(action=action, currency=None), None, None, DEFAULT_POLICY) == Cancel("1994")


@pytest.mark.parametrize("total", [0, 500])
def test_a_refund_of_an_amount_is_refused_by_name(total: int) -> None:
    """How much of the order that is, nobody knows; a cancel cannot be undone."""
    refund = purchase(action="refund", total_amount=Amount(total, 2))
    decision = decide(refund, None, None, DEFAULT_POLICY)
    assert isinstance(decision, Reject)
    assert decision.reason == "partial_refund_unsupported"
    assert "product_action.total_amount" in decision.message
    assert "product_action.products" not in decision.message
    assert "ledger.enabled" in decision.message


@pytest.mark.parametrize("total", [None, Amount(500, 2)])
def test_a_refund_of_products_is_refused_by_name(total: Amount | None) -> None:
    """Cancelling all for the sake of a part, which cannot be undone, would be worse than asking."""
    decision = decide(purchase(product(), action="refund", total_amount=total), None, None, DEFAULT_POLICY)
    assert isinstance(decision, Reject)
    assert decision.reason == "partial_refund_unsupported"
    assert "product_action.products (1)" in decision.message
    assert ("product_action.total_amount" in decision.message) == (total is not None)
    assert "ledger.enabled" in decision.message


@pytest.mark.parametrize("name", ["tax_amount", "shipping_amount"])
def test_tax_or_shipping_of_a_refund_make_no_part_of_it(name: str) -> None:
    """As with the ledger, they say something only beside products or a total."""
    refund = purchase(action="refund", **{name: Amount(100, 2)})
    assert decide(refund, None, None, DEFAULT_POLICY) == Cancel("1994")


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("add_to_cart", "action_add_to_cart"),
        ("VIEW_DETAIL", "action_view_detail"),
        ("refund_initiated", "action_refund_initiated"),
        ("", "action_none"),
        ("unknown", "action_unknown"),
        ("something of the shop's own", "action_unknown"),
    ],
)
def test_every_other_action_is_skipped_under_a_bounded_name(action: str, reason: str) -> None:
    """Names of a shop's own must not become names of metrics."""
    assert decide(purchase(action=action, order_id=None), None, None, DEFAULT_POLICY) == Skip(reason)


@pytest.mark.parametrize("action", ["purchase", "refund"])
@pytest.mark.parametrize("order_id", [None, "", "  "])
def test_an_order_without_an_id_is_refused(action: str, order_id: str | None) -> None:
    """Nothing could ever be found, changed or repeated safely without it."""
    decision = decide(purchase(product(), action=action, order_id=order_id), None, None, DEFAULT_POLICY)
    assert isinstance(decision, Reject)
    assert decision.reason == "missing_transaction_id"


@pytest.mark.parametrize("action", ["purchase", "refund"])
@pytest.mark.parametrize("order_id", ["caf\u00e9", "x" * 256, ".", ".."])
def test_an_id_that_button_cannot_keep_or_address_is_refused(action: str, order_id: str) -> None:
    """ASCII, at most 255 characters, and nothing that a URL's path would resolve away."""
    decision = decide(purchase(product(), action=action, order_id=order_id), None, None, DEFAULT_POLICY)
    assert isinstance(decision, Reject)
    assert decision.reason == "invalid_transaction_id"
    assert len(decision.message) < 500


@pytest.mark.parametrize("order_id", ["x" * 255, "a/b?c#d", " 7", "...", "-1"])
def test_every_other_id_is_told_as_it_is(order_id: str) -> None:
    """The shop's id is Button's id, to the letter."""
    assert decide(purchase(action="refund", order_id=order_id), None, None, DEFAULT_POLICY) == Cancel(order_id)


def test_the_order_s_id_keeps_its_events_together() -> None:
    """Purchase and refund of one order share a key; an event without an order has none."""
    assert order_key(purchase()) == order_key(purchase(action="refund")) == "1994"
    assert order_key(purchase(order_id=None)) is None


def test_decisions_of_different_kinds_are_never_equal() -> None:
    """A cancel and a skip may hold the same text."""
    decisions: set[object] = {Cancel("x"), Skip("x")}
    assert len(decisions) == 2
