# SPDX-License-Identifier: Apache-2.0
"""What an event means for its order at Button.

Owns the decision, and who may be told of at all; :func:`decide` is pure and total. What an event means for an order
that is known is :mod:`connector.domain.known_orders`. Without a memory of orders there are two things to tell: that
an order was made and that all of it was taken back. A refund of products or of an amount needs what else is in the
order, which the event does not have, so it is refused by name instead of being told wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.actions import KNOWN_NAMES, name_of
from connector.domain.attribution import may_be_sent
from connector.domain.consent import judge
from connector.domain.environments import is_development
from connector.domain.facts import Fact
from connector.domain.known_orders import decide_purchase, decide_refund, held_back, told_again, too_old
from connector.domain.mapping import order_from, order_id_from
from connector.domain.orders import Cancel, Create, Operation, Reject, Skip
from connector.domain.policy import MissingToken, WithoutConsent
from connector.domain.purchases import purchase_from
from connector.domain.refunds import refund_from

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent
    from connector.domain.facts import Known
    from connector.domain.orders import Decision
    from connector.domain.policy import Policy

_SKIPS = {name: Skip(f"action_{name}") for name in KNOWN_NAMES}
_DEVELOPMENT = Skip("environment_development")
_MISSING_TOKEN = Skip("missing_token")


_CREATE = str(Operation.CREATE)


def decide(event: CommerceEvent, known: Known | None, token: str | None, policy: Policy) -> Decision:
    """Return what to do about the event; ``token`` is the attribution token that a purchase is told with.

    A token that may not be sent counts as missing here, wherever it came from. ``known`` is what the ledger has of the
    event's order, ``None`` where there is no ledger; a fact comes with the decision only where there is one.
    """
    is_purchase = policy.is_purchase(event.action)
    if not (is_purchase or policy.is_refund(event.action)):
        return _SKIPS[name_of(event.action)]
    if policy.skips_development and is_development(event):
        return _DEVELOPMENT
    if known is not None:
        decision = too_old(event, known) or (told_again(known) if known.order.facts else None)
        if decision is not None:
            return decision
    return _purchase(event, known, token, policy) if is_purchase else _refund(event, known, policy)


def order_key(event: CommerceEvent) -> str | None:
    """Return what keeps the events of one order together, ``None`` when the event names no order."""
    return event.order_id


def _purchase(event: CommerceEvent, known: Known | None, token: str | None, policy: Policy) -> Decision:
    if event.consent is not None:
        verdict = judge(event.consent, policy)
        if verdict.consequence is WithoutConsent.SKIP:
            return Skip(verdict.reason)
    if token is not None and not may_be_sent(token, event, policy):
        token = None
    if token is None and policy.missing_token is not MissingToken.SEND_UNATTRIBUTED:
        return _without_token(policy.missing_token)
    order = order_from(event, token, policy)
    if isinstance(order, Reject):
        return order
    if known is None:
        return Create(order)
    purchase = purchase_from(event, order)
    if known.order.facts:
        return decide_purchase(event, order, purchase, known, policy)
    # Nearly every purchase is its order's first event, so this way is kept short.
    return Create(
        order,
        Fact(known.identity, purchase, event.occurred_at_ms, (known.identity,), known.order.last, _CREATE),
    )


def _without_token(choice: MissingToken) -> Decision:
    if choice is MissingToken.SKIP:
        return _MISSING_TOKEN
    return Reject(
        "missing_token",
        "the purchase has no attribution token (btn_ref) of its own, and its session and user have none either; see "
        "that the token of the landing page gets into the events or the sessions topic, or set policy.missing_token",
    )


def _refund(event: CommerceEvent, known: Known | None, policy: Policy) -> Decision:
    order_id = order_id_from(event)
    if isinstance(order_id, Reject):
        return order_id
    if known is not None:
        refund = refund_from(event, policy)
        if isinstance(refund, Reject):
            return refund
        return held_back(known) or decide_refund(event, order_id, refund, known, policy)
    return _part_without_ledger(event) or Cancel(order_id)


def _part_without_ledger(event: CommerceEvent) -> Reject | None:
    """Return the reject of a refund that takes back a part; how much of its order that is, only a ledger knows."""
    parts = [f"product_action.products ({len(event.products)})"] if event.products else []
    parts += [] if event.total_amount is None else ["product_action.total_amount"]
    if not parts:
        return None
    return Reject(
        "partial_refund_unsupported",
        f"the refund has {' and '.join(parts)}, but without an order ledger only a whole order can be taken back; set "
        "ledger.enabled, send a refund with neither products nor a total_amount to cancel the order, or correct it at "
        "Button by hand",
    )
