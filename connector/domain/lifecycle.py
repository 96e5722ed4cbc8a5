# SPDX-License-Identifier: Apache-2.0
"""What an event means for its order at Button.

Owns the decision; :func:`decide` is pure and total. Without a memory of orders there are two things to tell: that an
order was made and that all of it was taken back. A refund of parts needs the order's other lines, which the event
does not have, so it is refused by name instead of being told wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.actions import KNOWN_NAMES, name_of
from connector.domain.attribution import may_be_sent
from connector.domain.consent import judge
from connector.domain.environments import is_development
from connector.domain.mapping import order_from, order_id_from
from connector.domain.orders import Cancel, Create, Reject, Skip
from connector.domain.policy import MissingToken, WithoutConsent

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent
    from connector.domain.facts import Known
    from connector.domain.orders import Decision
    from connector.domain.policy import Policy

_SKIPS = {name: Skip(f"action_{name}") for name in KNOWN_NAMES}
_DEVELOPMENT = Skip("environment_development")
_MISSING_TOKEN = Skip("missing_token")


def decide(event: CommerceEvent, known: Known | None, token: str | None, policy: Policy) -> Decision:  # noqa: ARG001  the memory of orders is not used yet
    """Return what to do about the event; ``token`` is the attribution token that a purchase is told with.

    A token that may not be sent counts as missing here, wherever it came from.
    """
    is_purchase = policy.is_purchase(event.action)
    if not (is_purchase or policy.is_refund(event.action)):
        return _SKIPS[name_of(event.action)]
    if policy.skips_development and is_development(event):
        return _DEVELOPMENT
    return _purchase(event, token, policy) if is_purchase else _refund(event)


def order_key(event: CommerceEvent) -> str | None:
    """Return what keeps the events of one order together, ``None`` when the event names no order."""
    return event.order_id


def _purchase(event: CommerceEvent, token: str | None, policy: Policy) -> Decision:
    if event.consent is not None:
        verdict = judge(event.consent, policy)
        if verdict.consequence is WithoutConsent.SKIP:
            return Skip(verdict.reason)
    if token is not None and not may_be_sent(token, event, policy):
        token = None
    if token is None and policy.missing_token is not MissingToken.SEND_UNATTRIBUTED:
        return _without_token(policy.missing_token)
    order = order_from(event, token, policy)
    return order if isinstance(order, Reject) else Create(order)


def _without_token(choice: MissingToken) -> Decision:
    if choice is MissingToken.SKIP:
        return _MISSING_TOKEN
    return Reject(
        "missing_token",
        "the purchase has no attribution token (btn_ref) of its own, and its session and user have none either; see "
        "that the token of the landing page gets into the events or the sessions topic, or set policy.missing_token",
    )


def _refund(event: CommerceEvent) -> Decision:
    order_id = order_id_from(event)
    if isinstance(order_id, Reject):
        return order_id
    if event.products:
        return Reject(
            "partial_refund_unsupported",
            f"product_action.products of the refund names {len(event.products)} product(s), but only a whole order "
            "can be taken back; send a refund without products to cancel it, or correct the order at Button by hand",
        )
    return Cancel(order_id)
