# SPDX-License-Identifier: Apache-2.0
"""Which settings of the policy had a say in what becomes of an event, and what each of them did.

Owns the words. Decides nothing: that is the domain's, whose own functions are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.domain.attribution import is_token, may_be_sent
from connector.domain.consent import judge
from connector.domain.details import raw_upc_of, upc_of
from connector.domain.environments import is_development
from connector.domain.policy import InvalidUpc, MissingToken, TotalFrom, WithoutConsent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.domain.events import CommerceEvent
    from connector.domain.policy import Policy

_BUTTON = "1022"
_CONSENT_KEYS = {
    "consent_gdpr": "policy.gdpr",
    "consent_gdpr_not_asked": "policy.gdpr_not_asked",
    "consent_ccpa": "policy.ccpa_opt_out",
}
_EFFECTS = {
    WithoutConsent.SKIP: "the purchase is skipped",
    WithoutConsent.STRIP_IDENTITY: "the order is told without its customer",
    WithoutConsent.IGNORE: "nothing follows from it",
}


class Applied(NamedTuple):
    """A setting and what it did here."""

    setting: str
    effect: str


def applied(event: CommerceEvent, token: str | None, policy: Policy, *, is_looked_up: bool) -> Iterator[Applied]:
    """Yield what the policy had to say, in the order in which it is asked.

    ``is_looked_up`` is false when nobody has looked whether session or user have a token.
    """
    action = repr(event.action) if event.action else "no action"
    if policy.is_refund(event.action):
        yield Applied("policy.refund_actions", f"{action} is a refund")
    elif policy.is_purchase(event.action):
        yield Applied("policy.purchase_actions", f"{action} is a purchase")
    else:
        yield Applied("policy.purchase_actions", f"{action} is neither a purchase nor a refund: skipped")
        return
    if is_development(event):
        yield Applied("policy.skip_development", _development(policy))
        if policy.skips_development:
            return
    if policy.is_purchase(event.action):
        yield from _about_consent(event, policy)
        yield from _about_token(event, token, policy, unless="" if is_looked_up else ", if session and user have none")
        yield from _about_order(event, policy)


def unsent_tokens(event: CommerceEvent, policy: Policy) -> Iterator[str]:
    """Yield why each token on the event that cannot be used is not; a token is nobody's secret."""
    places = {"btn_ref": event.btn_ref} | {
        f"integration_attributes.{_BUTTON}.{name}": value
        for name, value in event.integration_attributes.get(_BUTTON, {}).items()
    }
    for place, token in places.items():
        if token is None:
            continue
        if token.startswith("org-"):
            yield (
                f"{place} is a publisher's organisation id (org-...), not a token; send the btn_ref of the landing "
                "page's address"
            )
        elif not is_token(token):
            yield f"{place} is no token: that has 1 to 255 characters that may stand in a URL; send it as it arrived"
        elif not may_be_sent(token, event, policy):
            yield f"{place} is a test token (fakesrctok-...), which policy.refuse_test_tokens keeps from production"


def _development(policy: Policy) -> str:
    return "environment is development: " + ("skipped" if policy.skips_development else "taken all the same")


def _about_consent(event: CommerceEvent, policy: Policy) -> Iterator[Applied]:
    if event.consent is None:
        return
    verdict = judge(event.consent, policy)
    key = _CONSENT_KEYS.get(verdict.reason)
    if key is None:
        yield Applied("policy.gdpr, policy.ccpa_opt_out", "the shopper declined nothing that matters here")
    else:
        yield Applied(key, f"{_declined(verdict.reason)}: {_EFFECTS[verdict.consequence]}")


def _declined(reason: str) -> str:
    return {
        "consent_gdpr": "the shopper declined a purpose",
        "consent_gdpr_not_asked": "the shopper was not asked for a purpose",
    }.get(reason, "the shopper opted out of the sale of data")


def _about_token(event: CommerceEvent, token: str | None, policy: Policy, unless: str) -> Iterator[Applied]:
    if any("policy.refuse_test_tokens" in each for each in unsent_tokens(event, policy)):
        yield Applied("policy.refuse_test_tokens", "the test token on the event is taken for none")
    if token is None:
        effects = {
            MissingToken.SEND_UNATTRIBUTED: "there is no token: the order is told without",
            MissingToken.SKIP: "there is no token: the purchase is skipped",
            MissingToken.DEAD_LETTER: "there is no token: the event becomes a dead letter",
        }
        yield Applied("policy.missing_token", effects[policy.missing_token] + unless)


def _about_order(event: CommerceEvent, policy: Policy) -> Iterator[Applied]:
    if not (event.currency or "").strip() and policy.default_currency is not None:
        yield Applied("policy.default_currency", f"currency_code is absent: {policy.default_currency} is taken")
    if event.products and (policy.total_from is TotalFrom.LINES or event.total_amount is None):
        yield Applied("policy.total_from", "the total is the sum of the lines")
    elif event.total_amount is not None:
        yield Applied("policy.total_from", "the total is total_amount less tax and shipping")
    if policy.lines_must_add_up:
        yield Applied("policy.lines_must_add_up", "the lines have to come to the total")
    invalid = [index for index, each in enumerate(event.products) if raw_upc_of(each) and upc_of(each) is None]
    if invalid:
        effect = "left out" if policy.invalid_upc is InvalidUpc.OMIT else "a reason for a dead letter"
        yield Applied("policy.invalid_upc", f"the upc of product {', '.join(map(str, invalid))} is invalid: {effect}")
    if event.is_new_customer is not None:
        yield Applied("policy.first_purchase_flag", f"the flag is called {policy.first_purchase_flag}")
    if event.finalized_at_ms is not None:
        sent = "told" if policy.sends_finalization_date else "not told"
        yield Applied("policy.send_finalization_date", f"the finalization date is {sent}")
