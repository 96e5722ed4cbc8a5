# SPDX-License-Identifier: Apache-2.0
"""Rules of what the merchant's policy lets through."""

from __future__ import annotations

import pytest

from connector.domain.attribution import Found, attribute, is_attributable
from connector.domain.consent import judge
from connector.domain.events import Consent
from connector.domain.lifecycle import decide
from connector.domain.orders import Cancel, Create, Customer, Reject, Skip
from connector.domain.policy import DEFAULT_POLICY, MissingToken, Policy, WithoutConsent
from tests.support.commerce import product, purchase

IGNORE, STRIP, SKIP = WithoutConsent.IGNORE, WithoutConsent.STRIP_IDENTITY, WithoutConsent.SKIP
_IDENTITY = {"customer_id": "c-1", "email": "a@b.c"}


@pytest.mark.parametrize("action", ["purchase", "refund"])
@pytest.mark.parametrize("environment", ["development", " Development"])
def test_events_of_development_are_skipped_by_name(action: str, environment: str) -> None:
    """Whoever tries out a shop pays nobody."""
    event = purchase(product(), action=action, environment=environment)
    assert decide(event, None, None, DEFAULT_POLICY) == Skip("environment_development")


@pytest.mark.parametrize("environment", [None, "production", "unknown", "staging"])
def test_what_does_not_say_development_is_told(environment: str | None) -> None:
    """An order that is not told is a publisher that is not paid."""
    assert isinstance(decide(purchase(product(), environment=environment), None, None, DEFAULT_POLICY), Create)


def test_development_is_told_where_the_policy_says_so() -> None:
    """For trying out the whole way to Button."""
    event = purchase(product(), environment="development")
    assert isinstance(decide(event, None, None, Policy(skips_development=False)), Create)


@pytest.mark.parametrize("token", [None, "org-0000000000000000"])
@pytest.mark.parametrize(
    ("choice", "expected"),
    [(MissingToken.SEND_UNATTRIBUTED, Create), (MissingToken.SKIP, Skip), (MissingToken.DEAD_LETTER, Reject)],
)
def test_a_purchase_without_token_is_what_the_policy_says(
    token: str | None,
    choice: MissingToken,
    expected: type,
) -> None:
    """An organisation is no token, whoever handed it in."""
    decision = decide(purchase(product()), None, token, Policy(missing_token=choice))
    assert isinstance(decision, expected)
    if isinstance(decision, Skip | Reject):
        assert decision.reason == "missing_token"
    if isinstance(decision, Create):
        assert decision.order.btn_ref is None


def test_a_refund_needs_no_token() -> None:
    """It is told by the order's id."""
    for choice in MissingToken:
        assert decide(purchase(action="refund"), None, None, Policy(missing_token=choice)) == Cancel("1994")


@pytest.mark.parametrize(
    ("refuses", "environment", "is_told"),
    [
        (False, None, True),
        (False, "production", True),
        (True, None, False),
        (True, "production", False),
        (True, "development", True),
    ],
)
def test_test_tokens_are_refused_outside_of_development_where_the_policy_says_so(
    *,
    refuses: bool,
    environment: str | None,
    is_told: bool,
) -> None:
    """By the decision, and on the way to it, where another token may take its place."""
    policy = Policy(refuses_test_tokens=refuses, skips_development=False)
    token = "fakesrctok-abcdef0123456789"  # noqa: S105  published, and no password
    event = purchase(product(), environment=environment, btn_ref=token)
    decision = decide(event, None, token, policy)
    assert isinstance(decision, Create)
    assert (decision.order.btn_ref == token) == is_told
    found = attribute(event, Found("srctok-1", 0, "session"), policy)
    assert found == ((token, "event") if is_told else ("srctok-1", "session"))


def test_the_producer_s_own_token_goes_before_all_others() -> None:
    """But not if it cannot be one."""
    kit = {"1022": {"com.usebutton.source_token": "kit"}}
    event = purchase(product(), btn_ref="own", integration_attributes=kit)
    nothing = Found("session", 0, "session")
    assert attribute(event, nothing, DEFAULT_POLICY) == ("own", "event")
    assert attribute(event._replace(btn_ref="no token"), nothing, DEFAULT_POLICY) == ("kit", "event")


def test_the_policy_says_which_actions_are_orders() -> None:
    """As a whole and in any case; what it does not name is skipped under its own name."""
    policy = Policy(purchase_actions=frozenset({"order_paid"}), refund_actions=frozenset({"refund", "order_void"}))
    bought = purchase(product(), action="Order_Paid")
    assert isinstance(decide(bought, None, None, policy), Create)
    assert is_attributable(bought, policy)
    assert decide(purchase(action="order_void"), None, None, policy) == Cancel("1994")
    assert decide(purchase(product()), None, None, policy) == Skip("action_purchase")
    assert not is_attributable(purchase(), policy)
    assert decide(purchase(product(), action="order_paid_2"), None, None, policy) == Skip("action_unknown")


@pytest.mark.parametrize(
    ("consent", "consequence", "reason"),
    [
        (None, IGNORE, ""),
        (Consent({}), IGNORE, ""),
        (Consent({"advertising": True}), IGNORE, ""),
        (Consent({"advertising": False}), SKIP, "consent_gdpr"),
        (Consent({"Advertising ": False}), SKIP, "consent_gdpr"),
        (Consent({"advertising": True, "ADVERTISING": False}), SKIP, "consent_gdpr"),
        (Consent({"analytics": False}), IGNORE, "consent_gdpr_not_asked"),
        (Consent({}, ccpa_opted_out=True), SKIP, "consent_ccpa"),
        (Consent({}, ccpa_opted_out=False), IGNORE, ""),
        (Consent({"advertising": True}, ccpa_opted_out=True), SKIP, "consent_ccpa"),
    ],
)
def test_by_default_advertising_needs_consent_and_an_opt_out_of_sale_counts(
    consent: Consent | None,
    consequence: WithoutConsent,
    reason: str,
) -> None:
    """Where the event carries consent; true means opted out under CCPA and agreed under GDPR."""
    verdict = judge(consent, DEFAULT_POLICY)
    assert verdict.consequence is consequence
    if consequence is not IGNORE:
        assert verdict.reason == reason


def test_a_purpose_that_was_not_asked_about_is_the_policy_s_own_choice() -> None:
    """Only where the event carries answers at all."""
    policy = Policy(gdpr_not_asked=SKIP)
    assert judge(Consent({"analytics": True}), policy) == (SKIP, "consent_gdpr_not_asked")
    assert judge(Consent({}), policy).consequence is IGNORE
    assert judge(None, policy).consequence is IGNORE


def test_a_skip_for_consent_is_named() -> None:
    """What was declined can be counted."""
    event = purchase(product(), consent=Consent({"advertising": False}))
    assert decide(event, None, "srctok-1", DEFAULT_POLICY) == Skip("consent_gdpr")


def test_stripped_of_identity_the_order_is_told_without_its_customer() -> None:
    """The token is the publisher's, not the shopper's, and stays."""
    policy = Policy(gdpr={"advertising": STRIP})
    event = purchase(product(), identities=_IDENTITY, is_new_customer=True, consent=Consent({"advertising": False}))
    decision = decide(event, None, "srctok-1", policy)
    assert isinstance(decision, Create)
    assert decision.order.customer is None
    assert decision.order.btn_ref == "srctok-1"
    agreed = decide(event._replace(consent=Consent({"advertising": True})), None, "srctok-1", policy)
    assert isinstance(agreed, Create)
    assert isinstance(agreed.order.customer, Customer)


def test_a_skip_goes_before_a_strip_and_that_before_nothing() -> None:
    """Whichever of them is said first."""
    consent = Consent({"a": False, "b": False, "c": False}, ccpa_opted_out=True)
    for gdpr, ccpa, expected in (
        ({"a": STRIP, "b": SKIP, "c": IGNORE}, IGNORE, SKIP),
        ({"a": IGNORE, "b": STRIP}, IGNORE, STRIP),
        ({"a": STRIP}, SKIP, SKIP),
        ({"a": SKIP}, STRIP, SKIP),
        ({"a": IGNORE}, IGNORE, IGNORE),
    ):
        assert judge(consent, Policy(gdpr=gdpr, ccpa_opt_out=ccpa)).consequence is expected


def test_a_cancellation_is_told_whatever_the_consent_says() -> None:
    """It is an order's id and nothing else, and an order that is not taken back is paid for."""
    consent = Consent({"advertising": False}, ccpa_opted_out=True)
    assert decide(purchase(action="refund", consent=consent), None, None, DEFAULT_POLICY) == Cancel("1994")
