# SPDX-License-Identifier: Apache-2.0
"""Rules of an order's life where there is a memory of it: what is known, what comes, what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from connector.domain.events import Consent
from connector.domain.facts import Fact, Known, Mark, MarkKind, Observed, Purchase
from connector.domain.lifecycle import decide
from connector.domain.orders import Await, Cancel, Create, Lookup, Note, Reject, Skip, Update
from connector.domain.policy import DEFAULT_POLICY, ChangedPurchase, MissingToken, OverRefund, Policy
from tests.support.commerce import amount, product, purchase
from tests.support.order_facts import (
    DAY_MS,
    PURCHASED_AT_MS,
    bought,
    fact,
    known,
    line,
    observed,
    order,
    refund,
    refunded,
    waiting,
)

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Decision, Order

A, B = product("a"), product("b", "5.00", quantity=amount(2))
AB = order(line("a", 1000), line("b", 1000, 2))
"""What a purchase of A and B is told as: 20.00."""
P = fact("p", bought(AB), call="create")
PARKED = fact("p", Mark(MarkKind.PARKED, "missing_currency"), call="")


def buys(*products: Any, **fields: Any) -> CommerceEvent:  # noqa: ANN401  any product and field
    """Return a purchase of the products, of A and B if none is given."""
    return purchase(*(products or (A, B)), **fields)


def refunds(*products: Any, **fields: Any) -> CommerceEvent:  # noqa: ANN401  any product and field
    """Return a refund a minute after the purchase."""
    return purchase(*products, **{"action": "refund", "occurred_at_ms": PURCHASED_AT_MS + 60_000, **fields})


def of(event: CommerceEvent, *facts: Fact, policy: Policy = DEFAULT_POLICY, **what: Any) -> Decision:  # noqa: ANN401  see ``known``
    """Return the decision about an event when these facts are known."""
    return decide(event, known(*facts, **what), None, policy)


def told(decision: Decision, *others: str, call: str, last: int = 41) -> Order | None:
    """Check that a call comes with a fact that says so, and return the order that is told."""
    assert isinstance(decision, Create | Update | Cancel), decision
    made = decision.fact
    assert made is not None
    assert (set(made.told), made.base, made.call) == ({*others, "m:new"}, last, call)
    assert type(decision).__name__.lower() == call
    return None if isinstance(decision, Cancel) else decision.order


def reason(decision: Decision) -> str:
    """Return why an event is not told."""
    assert isinstance(decision, Skip | Reject), decision
    return decision.reason


# A purchase.


def test_the_first_event_of_an_order_is_created_without_a_lookup() -> None:
    """With its customer and token; the fact has no customer."""
    event = buys(identities={"customer_id": "7"}, total_amount=amount("24.20"), tax_amount=amount("4.20"))
    decision = decide(event, known(), "srctok-1", DEFAULT_POLICY)
    without_ledger = decide(event, None, "srctok-1", DEFAULT_POLICY)
    assert isinstance(decision, Create)
    assert isinstance(without_ledger, Create)
    assert told(decision, call="create", last=-1) == without_ledger.order
    assert decision.order.customer is not None
    kept = AB._replace(btn_ref="srctok-1")
    assert decision.fact == Fact(
        "m:new", Purchase(kept, 2420), PURCHASED_AT_MS, ("m:new",), -1, "create",
    )  # fmt: skip


def test_the_ledger_s_offset_is_the_base_even_of_an_order_without_facts() -> None:
    """What is past the horizon still lies in the log."""
    facts = known(PARKED)
    assert told(decide(buys(), facts, None, DEFAULT_POLICY), call="create") == AB


def test_the_same_purchase_is_told_once() -> None:
    """At any time, under any identity, refunded or cancelled since."""
    later = buys(occurred_at_ms=PURCHASED_AT_MS + DAY_MS, identities={"customer": "8"})
    for facts in ([P], [P, fact("r", refund(refunded("a")))], [P, fact("r", refund(), call="cancel")]):
        assert of(later, *facts) == Skip("duplicate_purchase")


def test_another_content_updates_the_order_or_what_the_policy_says() -> None:
    """The later purchase is the current one, as a whole."""
    later = buys(A, occurred_at_ms=PURCHASED_AT_MS + 1, purchased_at_ms=PURCHASED_AT_MS)
    assert told(of(later, P), "p", call="update") == order(line("a", 1000))
    assert reason(of(later, P, policy=Policy(changed_purchase=ChangedPurchase.REJECT))) == "changed_purchase"
    assert of(later, P, policy=Policy(changed_purchase=ChangedPurchase.SKIP)) == Skip("changed_purchase")


def test_another_content_after_a_refund_is_refused_unless_the_policy_takes_it() -> None:
    """Whether the refund is in it already, nobody can tell."""
    later = buys(A, B, product("c"), occurred_at_ms=PURCHASED_AT_MS + 1, purchased_at_ms=PURCHASED_AT_MS)
    refunded_a = fact("r", refund(refunded("a")), 5)
    assert reason(of(later, P, refunded_a)) == "changed_after_refund"
    taken = of(later, P, refunded_a, policy=Policy(changed_after_refund=ChangedPurchase.UPDATE))
    assert told(taken, "p", "r", call="update") == order(line("b", 1000, 2), line("c", 1000))
    skips = Policy(changed_after_refund=ChangedPurchase.SKIP)
    assert of(later, P, refunded_a, policy=skips) == Skip("changed_purchase")


def test_a_purchase_after_a_cancel_is_refused() -> None:
    """Nothing brings an order back at Button."""
    later = buys(A, occurred_at_ms=PURCHASED_AT_MS + 1, purchased_at_ms=PURCHASED_AT_MS)
    takes_all = Policy(changed_after_refund=ChangedPurchase.UPDATE)
    assert reason(of(later, P, fact("r", refund(), 1, call="cancel"), policy=takes_all)) == "purchase_after_cancel"
    assert reason(of(later, observed(AB, is_cancelled=True))) == "purchase_after_cancel"


def test_an_earlier_purchase_that_comes_late_changes_nothing() -> None:
    """What happened last is what counts."""
    assert of(buys(A, occurred_at_ms=PURCHASED_AT_MS - 1), P) == Skip("superseded")


def test_a_purchase_folds_in_the_refunds_that_waited_for_it() -> None:
    """Created as what is left of it, with its customer, or cancelled when nothing is."""
    event = buys(identities={"customer_id": "7"})
    decision = of(event, waiting("r", refund(refunded("b", 1)), 5))
    created = told(decision, "r", call="create")
    assert created is not None
    assert created.customer is not None
    assert created._replace(customer=None) == order(line("a", 1000), line("b", 500, 1))
    assert of(event, waiting("r", refund(), 5)) == Cancel(
        "1994",
        Fact("m:new", bought(AB), PURCHASED_AT_MS, ("r", "m:new"), 41, "cancel"),
    )


def test_a_purchase_that_button_has_already_is_only_noted() -> None:
    """Equal total and currency mean that it is the same order."""
    decision = of(buys(), observed(order(total=2000)))
    assert isinstance(decision, Note)
    assert (decision.reason, decision.fact.call) == ("exists", "")
    assert set(decision.fact.told) == {"observed", "m:new"}
    assert decision.fact.said == bought(AB)


def test_a_purchase_that_button_has_otherwise_is_refused() -> None:
    """Somebody else reports orders, too, and who is right is not for the connector to say."""
    for seen in (order(total=1999), order(total=2001), order(total=2000, currency="EUR")):
        assert reason(of(buys(), observed(seen))) == "exists_with_other_total"


def test_a_purchase_that_button_has_is_told_with_the_refunds_that_are_known() -> None:
    """They may be in what Button showed, or not: the fold says what is right."""
    back = fact("r", refund(refunded("a")), 5)
    for total in (2000, 1000):
        told_of = told(of(buys(), observed(order(total=total)), back), "observed", "r", call="update")
        assert told_of == order(line("b", 1000, 2))
    assert reason(of(buys(), observed(order(total=2001)), back)) == "exists_with_other_total"


def test_a_purchase_that_comes_after_its_order_was_seen_and_cancelled_is_only_noted() -> None:
    """It is the purchase that the refund was of, not a new one."""
    decision = of(buys(), observed(order(total=2000)), fact("r", refund(), 5, call="cancel"))
    assert isinstance(decision, Note)


def test_consent_and_tokens_are_asked_of_purchases_as_ever() -> None:
    """The ledger changes nothing about who may be told of."""
    assert of(buys(consent=Consent({"advertising": False}))) == Skip("consent_gdpr")
    assert of(buys(environment="development")) == Skip("environment_development")
    assert of(buys(), policy=Policy(missing_token=MissingToken.SKIP)) == Skip("missing_token")
    assert reason(of(buys(currency=None), P)) == "missing_currency"


# A refund.


def test_a_refund_of_products_tells_what_is_left() -> None:
    """The full current state."""
    decision = of(refunds(product("b", "5.00")._replace(quantity=amount(1))), P)
    assert told(decision, "p", call="update") == order(line("a", 1000), line("b", 500, 1))


@pytest.mark.parametrize(
    "event",
    [refunds(), refunds(A, B), refunds(total_amount=amount("20.00")), refunds(consent=Consent({"advertising": False}))],
)
def test_a_refund_of_everything_cancels(event: CommerceEvent) -> None:
    """Without products, of all products, of the whole amount, and even though consent now says no."""
    decision = of(event, P)
    assert told(decision, "p", call="cancel") is None
    assert isinstance(decision, Cancel)
    assert decision.order_id == "1994"


def test_the_last_part_cancels() -> None:
    """Nothing is left of the order."""
    assert told(of(refunds(B), P, fact("r", refund(refunded("a")))), "p", "r", call="cancel") is None


def test_a_refund_of_more_than_is_left_is_refused_or_clamped() -> None:
    """And a later full cancel still goes through."""
    back = fact("r", refund(refunded("b", 1)))
    event = refunds(product("b")._replace(quantity=amount(2)))
    assert reason(of(event, P, back)) == "over_refund"
    clamps = Policy(over_refund=OverRefund.CLAMP)
    assert told(of(event, P, back, policy=clamps), "p", "r", call="update") == order(line("a", 1000))
    none_left = fact("r", refund(refunded("b", 2)))
    assert of(event, P, none_left, policy=clamps) == Skip("changes_nothing")
    assert told(of(refunds(), P, back), "p", "r", call="cancel") is None


def test_a_refund_that_does_not_fit_its_order_is_refused() -> None:
    """By its own reason."""
    assert reason(of(refunds(product("hat")), P)) == "unknown_product"
    assert reason(of(refunds(total_amount=amount(1), currency="EUR"), P)) == "refund_currency_mismatch"
    assert reason(of(refunds(product("a", quantity=amount("0.5"))), P)) == "invalid_quantity"


def test_a_refund_after_a_cancel_says_nothing_new_or_is_too_much() -> None:
    """Whole once more, in any form: nothing. A part of nothing: too much."""
    cancel = fact("r", refund(), call="cancel")
    for event in (refunds(), refunds(A, B), refunds(total_amount=amount("20.00"))):
        assert of(event, P, cancel) == Skip("already_cancelled")
        assert of(event, observed(AB, is_cancelled=True)) == Skip("already_cancelled")
    assert reason(of(refunds(A), P, cancel)) == "over_refund"
    assert of(refunds(A), P, cancel, policy=Policy(over_refund=OverRefund.CLAMP)) == Skip("already_cancelled")


def test_a_refund_without_its_purchase_is_looked_up_first_and_then_waits() -> None:
    """Others that wait make no difference."""
    assert of(refunds(A)) == Lookup("1994")
    assert of(refunds(A), waiting("r", refund())) == Lookup("1994")
    decision = of(refunds(A), waiting("r", refund()), is_absent=True)
    assert isinstance(decision, Await)
    assert (decision.fact.event_id, decision.fact.told, decision.fact.call) == ("m:new", (), "")


def test_a_refund_is_taken_off_what_button_showed() -> None:
    """As if that had been the purchase."""
    decision = of(refunds(A), fact("observed", Observed(AB), call=""))
    assert told(decision, "observed", call="update") == order(line("b", 1000, 2))
    only_total = observed(order(total=2000))
    assert told(of(refunds(total_amount=amount("5")), only_total), "observed", call="update") == order(total=1500)
    assert reason(of(refunds(A), only_total)) == "unknown_product"


@pytest.mark.parametrize("is_absent", [True, False])
def test_a_refund_of_a_parked_purchase_is_parked_behind_it(*, is_absent: bool) -> None:
    """With a reason of its own, that of its purchase in its words; a purchase that came all the same goes before."""
    decision = of(refunds(A), PARKED, is_absent=is_absent)
    assert reason(decision) == "order_parked"
    assert isinstance(decision, Reject)
    assert "missing_currency" in decision.message
    other = fact("other", Mark(MarkKind.PARKED), call="")
    assert told(of(refunds(A), P, other), "p", call="update") == order(line("b", 1000, 2))


def test_a_parked_event_that_is_replayed_is_decided_anew() -> None:
    """Its own mark is not in its way."""
    own = fact("m:new", Mark(MarkKind.PARKED), call="")
    assert told(of(buys(), own), call="create") == AB
    assert isinstance(of(refunds(A), own, is_absent=True), Await)


# Again, and too late.


def test_an_event_that_is_its_order_s_only_fact_is_not_told_again() -> None:
    """Every call that was ever made said the same."""
    assert of(buys(), P, PARKED._replace(event_id="x"), identity="p") == Skip("already_told")


def test_a_refund_that_waits_still_waits() -> None:
    """Alone, or with others."""
    for others in ([], [waiting("r2", refund())]):
        assert of(refunds(A), waiting("r", refund(refunded("a"))), *others, identity="r") == Skip("awaits_purchase")


def test_a_refund_that_was_given_up_stays_so() -> None:
    """It is a dead letter."""
    given_up = fact("r", Mark(MarkKind.GIVEN_UP), call="")
    assert of(refunds(A), P, given_up, identity="r") == Skip("given_up")


@pytest.mark.parametrize("identity", ["p", "r"])
def test_an_event_among_others_is_told_once_more_with_all_that_is_known(identity: str) -> None:
    """Whose call landed last is not known; what it says is what it said."""
    back = fact("r", refund(refunded("a")), 60_000)
    decision = of(buys() if identity == "p" else refunds(A), P, back, identity=identity)
    assert isinstance(decision, Update)
    assert decision.order == order(line("b", 1000, 2))
    own = P if identity == "p" else back
    assert decision.fact is not None
    assert decision.fact._replace(told=()) == own._replace(told=(), base=41, call="update")
    assert set(decision.fact.told) == {"p", "r"}


def test_a_cancelled_order_is_cancelled_once_more() -> None:
    """By whichever of its events comes again; the fact says so, too."""
    cancel = fact("r", refund(), 1, call="cancel")
    for identity in ("p", "r"):
        decision = of(buys(), P, cancel, identity=identity)
        assert isinstance(decision, Cancel)
        assert decision.fact is not None
        assert (decision.fact.event_id, decision.fact.call) == (identity, "cancel")


def test_a_refund_that_waited_is_told_by_itself_when_its_purchase_came_meanwhile() -> None:
    """Its entry was not clean: the purchase had been written before it."""
    decision = of(refunds(A), P, waiting("r", refund(refunded("a"))), identity="r")
    assert isinstance(decision, Update)
    assert decision.order == order(line("b", 1000, 2))


def test_an_event_that_is_older_than_the_horizon_is_refused() -> None:
    """Purchases and refunds, known or not; at the horizon itself it is still taken."""
    for event in (buys(), refunds(A, occurred_at_ms=PURCHASED_AT_MS)):
        assert reason(of(event, P, horizon_ms=DAY_MS - 1)) == "too_old"
        assert reason(of(event, P, identity="p", horizon_ms=DAY_MS - 1)) == "too_old"
        assert of(event, P, identity="p", horizon_ms=DAY_MS) == Skip("already_told")
    assert isinstance(of(buys(), horizon_ms=None), Create)
    old = purchase(action="view_detail", occurred_at_ms=0)
    assert decide(old, Known("x", now_ms=DAY_MS, horizon_ms=1), None, DEFAULT_POLICY) == Skip("action_view_detail")
