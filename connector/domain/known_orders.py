# SPDX-License-Identifier: Apache-2.0
"""What an event means for an order of which the ledger holds facts, or would hold them.

Owns the rules of an order's life: what is told when an event meets what is known already (``docs/order-lifecycle.md``
shows them as one table). Whatever is told is the fold of *all* facts, the event's own included, so that it does not
matter whose call lands last. Who may be told at all (action, environment, consent, token) was asked before.

A fact that is made here lacks what only the engine knows: where its record lies, what Button answered, and when it
was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from connector.domain.balances import Balance, opened, take
from connector.domain.facts import Fact, Mark, MarkKind, Observed, Purchase, Refund
from connector.domain.folding import OrderState, Status, base_of, fold, in_order, is_called_off, shown_at_button, when
from connector.domain.orders import Await, Cancel, Create, Lookup, Note, Operation, Reject, Skip, Update
from connector.domain.parking import ORDER_PARKED, is_behind_refunds, parking_purchase
from connector.domain.policy import ChangedPurchase, OverRefund
from connector.domain.purchases import says_the_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connector.domain.events import CommerceEvent
    from connector.domain.facts import Known
    from connector.domain.orders import Decision, Order
    from connector.domain.policy import Policy

_ALREADY_TOLD = Skip("already_told")
_AWAITS_PURCHASE = Skip("awaits_purchase")
_GIVEN_UP = Skip("given_up")
_DUPLICATE = Skip("duplicate_purchase")
_SUPERSEDED = Skip("superseded")
_CHANGED = Skip("changed_purchase")
_ALREADY_CANCELLED = Skip("already_cancelled")
_CHANGES_NOTHING = Skip("changes_nothing")
_BEHIND_REFUNDS = Reject(
    ORDER_PARKED,
    "an earlier refund of the order is a dead letter; replay the dead letters of the order, which takes that one "
    "first, or drop them",
)

_MS_PER_DAY = 86_400_000


def too_old(event: CommerceEvent, known: Known) -> Reject | None:
    """Return the reject of an event that is older than what the ledger remembers."""
    if known.horizon_ms is None or event.occurred_at_ms >= known.now_ms - known.horizon_ms:
        return None
    return Reject(
        "too_old",
        f"occurred_at is more than {known.horizon_ms // _MS_PER_DAY} days ago, which is as far back as the order "
        "ledger remembers, so what was told of the order since is not known; correct the order at Button by hand",
    )


def told_again(known: Known) -> Decision | None:
    """Return what to do about an event that the ledger knows; ``None`` if it does not.

    Whether its call was the last one to land is not known, so Button is told everything once more, unless there is
    nothing else that it could have been told.
    """
    facts = known.order.facts
    own = facts.get(known.identity)
    if own is None:
        return None
    if isinstance(own.said, Mark):
        # A replay is meant to have what was given up decided anew.
        return _GIVEN_UP if own.said.kind is MarkKind.GIVEN_UP and not known.is_replay else None
    state = fold(facts)
    if state.status is Status.WAITING:
        return _AWAITS_PURCHASE
    if all(isinstance(fact.said, Mark) or fact is own for fact in facts.values()):
        return _ALREADY_TOLD
    return _tell(state, own, known)


def decide_purchase(event: CommerceEvent, order: Order, purchase: Purchase, known: Known, policy: Policy) -> Decision:
    """Return what to do about a purchase that is new; ``order`` is ``purchase.order`` with its customer."""
    own = Fact(known.identity, purchase, event.occurred_at_ms)
    events = in_order(known.order.facts)
    if not events:
        return Create(order, _with_call(own, known, Operation.CREATE))
    purchases = [fact for fact in events if isinstance(fact.said, Purchase)]
    if any(says_the_same(fact.said.order, order) for fact in purchases if isinstance(fact.said, Purchase)):
        return _DUPLICATE
    if purchases:
        return _changed(own, purchases[-1], events, known, policy)
    observed = shown_at_button(events)
    if observed is not None:
        return _seen_at_button(own, purchase, observed, events, known)
    decision = _tell(_fold_with(own, events), own, known)
    if not isinstance(decision, Update):
        return decision
    fact = _with_call(own, known, Operation.CREATE)
    return Create(decision.order._replace(customer=order.customer), fact)


def held_back(known: Known) -> Reject | None:
    """Return why a refund has to wait behind others, ``None`` if it has not; a replay is one of those."""
    is_held = not known.is_replay and is_behind_refunds(known.order.facts, known.identity)
    return _BEHIND_REFUNDS if is_held else None


def decide_refund(event: CommerceEvent, order_id: str, refund: Refund, known: Known, policy: Policy) -> Decision:
    """Return what to do about a refund that is new."""
    events = in_order(known.order.facts)
    own = Fact(known.identity, refund, event.occurred_at_ms)
    base = base_of(events)
    if base is None:
        return _without_purchase(own, order_id, known)
    state = fold(events)
    if state.status is Status.CANCELLED or state.balance is None:
        return _after_cancel(base, refund, policy)
    taken = take(state.balance, refund)
    if isinstance(taken, Reject):
        return taken
    if taken.is_over and policy.over_refund is OverRefund.REJECT:
        return _over_refund("more than is left of the order")
    if taken.balance == state.balance:
        return _CHANGES_NOTHING
    told = own._replace(told=(own.event_id,))  # it does not wait, so what Button showed may be built on
    return _tell(_fold_with(told, events), told, known)


def _changed(own: Fact, current: Fact, events: list[Fact], known: Known, policy: Policy) -> Decision:
    """Decide about a purchase that says something else than the current one."""
    if fold(events).status is Status.CANCELLED:
        return _after_cancel_again()
    if when(own) < when(current):
        return _SUPERSEDED
    is_refunded = any(isinstance(fact.said, Refund) for fact in events)
    choice = policy.changed_after_refund if is_refunded else policy.changed_purchase
    match choice:
        case ChangedPurchase.UPDATE:
            return _tell(_fold_with(own, events), own, known)
        case ChangedPurchase.SKIP:
            return _CHANGED
        case ChangedPurchase.REJECT:
            name = "policy.changed_after_refund" if is_refunded else "policy.changed_purchase"
            return Reject(
                "changed_after_refund" if is_refunded else "changed_purchase",
                "the purchase says something else than an earlier one of the same order"
                f"{', of which something was refunded since' if is_refunded else ''}; see which one is right and "
                f"correct the order at Button by hand, or set {name}",
            )
        case _:
            assert_never(choice)


def _seen_at_button(own: Fact, purchase: Purchase, seen: Observed, events: list[Fact], known: Known) -> Decision:
    """Decide about a purchase that Button had before any event told of it.

    What Button showed may be less the refunds that are known: they may have been told with this very purchase, by one
    who died before it could write that down.
    """
    is_refunded = any(isinstance(fact.said, Refund) for fact in events)
    there, ordered = seen.order, purchase.order
    is_cancelled = any(isinstance(fact.said, Observed) and fact.said.is_cancelled for fact in events)
    if is_cancelled and not is_refunded:  # else it may be the refund that was told already
        return _after_cancel_again()
    is_same = there.total == ordered.total or (is_refunded and there.total < ordered.total)
    if there.currency != ordered.currency or not is_same:
        return Reject(
            "exists_with_other_total",
            f"Button has the order already, with a total of {there.total} {there.currency} (minor units), and the "
            f"purchase comes to {ordered.total} {ordered.currency}; see who else reports orders and which one is right",
        )
    if is_refunded and not is_called_off(events):
        return _tell(_fold_with(own, events), own, known)
    return Note(_with_call(own, known, ""), "exists")


def _without_purchase(own: Fact, order_id: str, known: Known) -> Decision:
    parked = parking_purchase(known.order.facts, own.event_id)
    if parked is not None:
        return Reject(
            ORDER_PARKED,
            f"the purchase of the order is a dead letter ({parked.reason or 'see there'}); replay the dead letters of "
            "the order, which takes the purchase first",
        )
    is_asked = known.is_absent_at_button or shown_at_button(known.order.facts.values()) is not None
    return Await(own) if is_asked else Lookup(order_id)


def _after_cancel(base: Balance, refund: Refund, policy: Policy) -> Decision:
    """Decide about a refund of an order of which nothing is left: one of all of it only says so once more."""
    alone = take(opened(base.purchased, base.gross), refund)
    is_whole = not isinstance(alone, Reject) and alone.balance.is_empty and not alone.is_over
    if is_whole or policy.over_refund is OverRefund.CLAMP:
        return _ALREADY_CANCELLED
    return _over_refund("a part of an order that is cancelled already")


def _after_cancel_again() -> Reject:
    return Reject(
        "purchase_after_cancel",
        "the order was cancelled, which cannot be reversed at Button; report what was bought since under an id of its "
        "own",
    )


def _over_refund(what: str) -> Reject:
    return Reject(
        "over_refund",
        f"the refund takes back {what}; see whether it was sent twice under different ids and whether amounts mean "
        "what policy.refund_amount_is says, or set policy.over_refund to clamp",
    )


def _fold_with(own: Fact, events: Iterable[Fact]) -> OrderState:
    return fold([*events, own])


def _tell(state: OrderState, own: Fact, known: Known) -> Update | Cancel | Skip:
    """Tell the full state, in which ``own`` is; a state without an order is one that is cancelled."""
    if state.order is not None:
        return Update(state.order, _with_call(own, known, Operation.UPDATE))
    if state.balance is None:
        return _AWAITS_PURCHASE
    return Cancel(state.balance.purchased.order_id, _with_call(own, known, Operation.CANCEL))


def _with_call(own: Fact, known: Known, call: str) -> Fact:
    return own._replace(told=_all_ids(known.order.facts, own.event_id), base=known.order.last, call=str(call))


def _all_ids(facts: Mapping[str, Fact], own: str) -> tuple[str, ...]:
    """Return the identities of all facts that count, the event's own last."""
    others = (fact.event_id for fact in facts.values() if not isinstance(fact.said, Mark))
    return (*(event_id for event_id in others if event_id != own), own)
