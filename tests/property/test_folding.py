# SPDX-License-Identifier: Apache-2.0
"""Whatever the facts of an order are, and however they came: one state, nothing lost, a decision for every event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.balances import opened, take
from connector.domain.events import CommerceEvent, Product
from connector.domain.facts import (
    OBSERVED_ID,
    Fact,
    Known,
    Mark,
    MarkKind,
    Observed,
    OrderFacts,
    Purchase,
    Refund,
    RefundedLine,
)
from connector.domain.folding import OrderState, Status, fold
from connector.domain.lifecycle import decide
from connector.domain.money import Amount
from connector.domain.orders import (
    Await,
    Cancel,
    Create,
    LineItem,
    Lookup,
    Note,
    Order,
    Reject,
    Skip,
    Update,
)
from connector.domain.policy import (
    AmountRefundLines,
    ChangedPurchase,
    OverRefund,
    Policy,
    RefundAmountIs,
)
from tests.support.commerce import purchase

if TYPE_CHECKING:
    from connector.domain.orders import Decision

_NOW_MS = 1_500_000_100_000
_IDS = ("m:1", "m:2", "m:3", "e:1", "p:c:t:0:1:0")
_SKIPS = {
    "already_cancelled",
    "already_told",
    "awaits_purchase",
    "changed_purchase",
    "changes_nothing",
    "duplicate_purchase",
    "given_up",
    "superseded",
}
_REASONS = {
    "amount_out_of_range",
    "amount_too_precise",
    "changed_after_refund",
    "changed_purchase",
    "empty_refund",
    "exists_with_other_total",
    "invalid_quantity",
    "missing_currency",
    "missing_total",
    "negative_amount",
    "negative_total",
    "order_parked",
    "over_refund",
    "purchase_after_cancel",
    "refund_currency_mismatch",
    "too_old",
    "total_out_of_range",
    "unknown_currency",
    "unknown_product",
}

_skus = st.sampled_from(["a", "b", "c"])
_minor_units = st.integers(0, 60) | st.integers(0, 10**6)
_times = st.integers(_NOW_MS - 5, _NOW_MS)
_rarely = st.sampled_from([False] * 7 + [True])
_currencies = st.sampled_from(["USD"] * 8 + ["JPY", "EUR"])


def _lines_named(lines: list[tuple[str, int, int]]) -> tuple[LineItem, ...]:
    return tuple(LineItem(f"{sku}{index}", total, quantity, sku) for index, (sku, total, quantity) in enumerate(lines))


_lines = st.lists(st.tuples(_skus, _minor_units, st.integers(1, 4)), max_size=4).map(_lines_named)


@st.composite
def _orders(draw: st.DrawFn) -> Order:
    lines = draw(_lines)
    worth = sum(line.total for line in lines)
    return Order("1994", draw(st.just(worth) | _minor_units), draw(_currencies), "2017-07-25T08:23:52Z", lines)


_amounts = st.builds(Amount, _minor_units, st.sampled_from([2] * 8 + [0, 3]))
_some_amounts = st.none() | _amounts
_refunds = st.builds(
    Refund,
    st.lists(
        st.builds(
            RefundedLine,
            _skus,
            st.none(),
            st.none() | st.integers(1, 5),
            _some_amounts,
            _some_amounts,
        ),
        max_size=3,
    ).map(tuple),
    _some_amounts,
    st.none() | st.none() | _amounts,
    st.none() | st.none() | _amounts,
    st.none() | _currencies,
    st.booleans(),
    st.booleans(),
)
_purchases = st.builds(Purchase, _orders(), st.none() | _minor_units)
_marks = st.builds(Mark, st.sampled_from(MarkKind), st.just("why"))


@st.composite
def _histories(draw: st.DrawFn) -> dict[str, Fact]:
    """Draw what a ledger may hold of an order."""
    facts = {}
    for event_id in draw(st.lists(st.sampled_from(_IDS), unique=True, max_size=5)):
        said = draw(_purchases | _refunds | _refunds | _marks)
        call = (
            ""
            if isinstance(said, Mark)
            else draw(st.sampled_from(["", "create", "create", "update", "update", "update", "cancel"]))
        )
        facts[event_id] = Fact(event_id, said, draw(_times), (event_id,) if call else (), 0, call)
    if draw(st.integers(0, 3)) == 0:
        seen = Observed(draw(_orders()), draw(st.booleans()))
        facts[OBSERVED_ID] = Fact(OBSERVED_ID, seen, draw(_times))
    return facts


@st.composite
def _purchase_and_refunds(draw: st.DrawFn) -> tuple[Order, int | None, list[Refund]]:
    return draw(_orders()), draw(st.none() | _minor_units), draw(st.lists(_refunds, max_size=4))


@st.composite
def _events(draw: st.DrawFn) -> CommerceEvent:
    """Draw purchases and refunds of the order, most of which fit it."""
    products = st.builds(
        lambda sku, price, quantity, total: Product(sku, None, None, price, quantity, total, None, {}),
        _skus,
        _amounts,
        st.none() | st.builds(Amount, st.sampled_from([1, 1, 2, 3, 4, 5, 0]), st.just(0)),
        _some_amounts,
    )
    return purchase(
        *draw(st.lists(products, max_size=3)),
        action=draw(st.sampled_from(["purchase", "refund"])),
        occurred_at_ms=draw(_times),
        currency=draw(st.sampled_from([None, "EUR", "nothing"]) if draw(_rarely) else st.just("USD")),
        total_amount=draw(st.builds(Amount, st.integers(), st.integers(0, 30)) if draw(_rarely) else _some_amounts),
        tax_amount=draw(_amounts) if draw(_rarely) else None,
        shipping_amount=draw(_amounts) if draw(_rarely) else None,
    )


_policies = st.builds(
    Policy,
    changed_purchase=st.sampled_from(ChangedPurchase),
    changed_after_refund=st.sampled_from(ChangedPurchase),
    refund_amount_is=st.sampled_from(RefundAmountIs),
    amount_refund_lines=st.sampled_from(AmountRefundLines),
    over_refund=st.sampled_from(OverRefund),
)


@st.composite
def _knowledge(draw: st.DrawFn) -> Known:
    facts = draw(_histories())
    return Known(
        draw(st.sampled_from([*_IDS, *["m:new"] * 5])),
        OrderFacts(facts, draw(st.integers(0, 99)) if facts else -1),
        draw(st.booleans()),
        _NOW_MS,
        draw(st.sampled_from([None, 5, 5, 2])),
    )


@settings(max_examples=150, deadline=None)
@given(facts=_histories(), data=st.data())
def test_the_state_is_the_same_for_every_order_of_the_facts(facts: dict[str, Fact], data: st.DataObject) -> None:
    """And marks take no part in it."""
    state = fold(facts)
    note(state.status)
    assert fold(data.draw(st.permutations(list(facts.values())))) == state
    assert fold(fact for fact in facts.values() if not isinstance(fact.said, Mark)) == state


@settings(max_examples=150, deadline=None)
@given(facts=_histories(), more=_histories())
def test_a_cancelled_order_stays_cancelled_whatever_comes(facts: dict[str, Fact], more: dict[str, Fact]) -> None:
    """Once Button was told, no fact of another event undoes it."""
    is_told = any(fact.call == "cancel" for fact in facts.values())
    note(f"told: {is_told}")
    if is_told:
        assert fold({**more, **facts}).status is Status.CANCELLED


@settings(max_examples=300, deadline=None)
@given(what=_purchase_and_refunds())
def test_nothing_is_ever_less_than_nothing_or_more_than_it_was(what: tuple[Order, int | None, list[Refund]]) -> None:
    """Of the total and of every line; what products take off the lines, the total loses, as far as it reaches."""
    order, gross, refunds = what
    balance = opened(order, gross)
    for refund in refunds:
        applied = take(balance, refund)
        note(applied.reason if isinstance(applied, Reject) else f"over: {applied.is_over}")
        if isinstance(applied, Reject):
            continue
        after = applied.balance
        assert 0 <= after.total <= balance.total
        for now, before in ((after.pieces, balance.pieces), (after.totals, balance.totals)):
            assert all(0 <= less <= more for less, more in zip(now, before, strict=True))
        lost = sum(balance.totals) - sum(after.totals)
        if after.is_empty:
            assert (after.total, sum(after.pieces), sum(after.totals)) == (0, 0, 0)
        elif refund.lines and order.line_items:
            assert after.total == max(0, balance.total - lost)
        else:
            assert after.pieces == balance.pieces
            assert lost == (0 if refund.is_order_level else min(balance.total - after.total, sum(balance.totals)))
        balance = after


@settings(max_examples=200, deadline=None)
@given(order=_orders().filter(lambda order: order.line_items), data=st.data())
def test_all_pieces_come_to_all_of_the_order(order: Order, data: st.DataObject) -> None:
    """However they are parcelled, the last one takes exactly what is left."""
    pieces = [line.identifier for line in order.line_items for _ in range(line.quantity)]
    lines = tuple(line._replace(sku=line.identifier) for line in order.line_items)
    balance = opened(order._replace(line_items=lines), None)
    for identifier in data.draw(st.permutations(pieces)):
        assert not balance.is_empty
        applied = take(balance, Refund((RefundedLine(identifier, None, 1, None, None),)))
        assert not isinstance(applied, Reject)
        assert not applied.is_over
        balance = applied.balance
    assert (balance.is_empty, balance.total, sum(balance.totals)) == (True, 0, 0)


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(st.integers(1, 1000), min_size=1, max_size=6), net_share=st.integers(0, 100))
def test_amounts_that_make_up_the_gross_total_make_up_the_net_total(parts: list[int], net_share: int) -> None:
    """However they are parcelled, and whatever was rounded on the way."""
    gross = sum(parts)
    net = gross * net_share // 100
    balance = opened(Order("1994", net, "USD", "2017", (LineItem("a", net, 1, "a"),)), gross)
    for part in parts:
        applied = take(balance, Refund((), Amount(part, 2)))
        assert not isinstance(applied, Reject)
        balance = applied.balance
    assert (balance.total, sum(balance.totals)) == (0, 0)


@settings(max_examples=300, deadline=None)
@given(event=_events(), known=_knowledge(), policy=_policies)
def test_every_event_is_decided_whatever_is_known(event: CommerceEvent, known: Known, policy: Policy) -> None:
    """Total; what is told is the fold of all facts, and the fact that comes with it says so."""
    decision = decide(event, known, None, policy)
    note(type(decision).__name__)
    match decision:
        case Create() | Update() | Cancel():
            fact = _consistent(decision.fact, known, call=type(decision).__name__.lower())
            state = fold({**known.order.facts, known.identity: fact})
            assert _is_told(state, decision)
        case Note():
            assert event.action == "purchase"
            _consistent(decision.fact, known, call="")
        case Await():
            assert event.action == "refund"
            assert (decision.fact.event_id, decision.fact.told, decision.fact.call) == (known.identity, (), "")
        case Lookup():
            assert event.action == "refund"
            assert not known.is_absent_at_button
        case Skip():
            note(decision.reason)
            assert decision.reason in _SKIPS
        case Reject():
            note(decision.reason)
            assert decision.reason in _REASONS
            assert len(decision.message) < 500


@settings(max_examples=150, deadline=None)
@given(event=_events(), known=_knowledge(), policy=_policies, later=_policies)
def test_an_event_that_comes_again_changes_nothing(
    event: CommerceEvent,
    known: Known,
    policy: Policy,
    later: Policy,
) -> None:
    """Once its fact is there, even if the policy was changed in between: the state stays, and so does what is told."""
    first = _fact_of(decide(event, known, None, policy))
    if first is None:
        return
    facts = {**known.order.facts, known.identity: first}
    again = decide(event, known._replace(order=OrderFacts(facts, 100)), None, later)
    note(type(again).__name__)
    assert isinstance(again, Update | Cancel | Skip)
    assert not isinstance(again, Skip) or again.reason in ("already_told", "awaits_purchase")
    rewritten = _fact_of(again)
    if rewritten is not None:
        assert rewritten.said == first.said
        assert fold({**facts, known.identity: rewritten}) == fold(facts)


def _consistent(fact: Fact | None, known: Known, call: str) -> Fact:
    assert fact is not None
    counted = {each.event_id for each in known.order.facts.values() if not isinstance(each.said, Mark)}
    assert set(fact.told) == counted | {known.identity}
    assert len(fact.told) == len(set(fact.told))
    assert (fact.event_id, fact.base, fact.call) == (known.identity, known.order.last, call)
    assert not isinstance(fact.said, Purchase) or fact.said.order.customer is None
    return fact


def _is_told(state: OrderState, decision: Create | Update | Cancel) -> bool:
    if isinstance(decision, Cancel):
        return state.status is Status.CANCELLED and decision.order_id == "1994"
    return state.status is Status.OPEN and decision.order == state.order


def _fact_of(decision: Decision) -> Fact | None:
    fact: Any = getattr(decision, "fact", None)
    assert fact is None or isinstance(fact, Fact)
    return fact
