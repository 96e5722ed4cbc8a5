# SPDX-License-Identifier: Apache-2.0
"""What is known of one order, as data.

Owns its parts and their form for machines. Reads nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.domain.facts import Mark, MarkKind, Observed, Purchase
from connector.domain.folding import Status, fold, in_order, shown_at_button
from connector.domain.parking import is_parked
from connector.orders_view.words import said, state_of, time_of, where
from connector.tables.orders import decoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connector.domain.facts import Fact
    from connector.domain.folding import OrderState
    from connector.domain.orders import LineItem, Order
    from connector.orders_view.at_button import ButtonView
    from connector.orders_view.history import OrderHistory
    from connector.orders_view.letters import LetterView


class FactView(NamedTuple):
    """A fact: what its event said, what was told with it, and how it stands (``state``)."""

    event_id: str
    said: str
    state: str
    occurred_at: str
    written_at: str
    told: Sequence[str]
    call: str
    answer: str
    button_order_id: str | None
    source: str | None
    ledger_offset: int


class LineView(NamedTuple):
    """A line as it stands; ``total`` in minor units."""

    identifier: str
    sku: str | None
    quantity: int
    total: int


class TokenView(NamedTuple):
    """The attribution token of the order's purchase and where it came from."""

    value: str
    source: str


@dataclass(frozen=True, slots=True)
class OrderView:
    """All that is known of an order; ``total`` in minor units, ``None`` where it is not known.

    ``letters`` and ``button`` are ``None`` where nobody was asked or nobody answered; ``problems`` say why.
    """

    order_id: str
    ledger: str
    status: str
    is_parked: bool
    is_forgotten: bool
    total: int | None
    currency: str | None
    lines: Sequence[LineView]
    token: TokenView | None
    facts: Sequence[FactView]
    letters: Sequence[LetterView] | None = None
    button: ButtonView | None = None
    problems: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            **asdict(self),
            "lines": [each._asdict() for each in self.lines],
            "token": None if self.token is None else self.token._asdict(),
            "facts": [{**each._asdict(), "told": list(each.told)} for each in self.facts],
            "letters": None if self.letters is None else [each._asdict() for each in self.letters],
            "button": None if self.button is None else self.button._asdict(),
            "problems": list(self.problems),
        }

    @property
    def is_known(self) -> bool:
        """Whether anybody who was asked knows of the order."""
        return bool(self.facts or self.letters or (self.button is not None and self.button.status != "absent"))


class Stand(NamedTuple):
    """How an order stands: the fold of its facts, or nothing if it is forgotten."""

    state: OrderState
    is_forgotten: bool


def stand_of(facts: Mapping[str, Fact], newest_ms: int, now_ms: int, horizon_ms: int) -> Stand:
    """Return how an order stands that the ledger wrote of last at ``newest_ms``."""
    is_forgotten = bool(facts) and now_ms - newest_ms > horizon_ms
    return Stand(fold({} if is_forgotten else facts), is_forgotten)


def facts_of(order_id: str, history: OrderHistory) -> dict[str, Fact]:
    """Return the facts of a history by their names."""
    return decoded(order_id, history.entries)


def order_view(order_id: str, ledger: str, history: OrderHistory, facts: Mapping[str, Fact], stand: Stand) -> OrderView:
    """Return what the ledger says of an order."""
    state = stand.state
    order = current_order(state)
    return OrderView(
        order_id,
        ledger,
        str(state.status),
        is_parked(facts),
        stand.is_forgotten,
        None if order is None else order.total,
        None if order is None else order.currency,
        () if state.order is None else [_line(each) for each in state.order.line_items],
        _token(facts),
        _fact_views(history, facts, state),
    )


def current_order(state: OrderState) -> Order | None:
    """Return the order as it stands: with nothing left of it where it was cancelled."""
    if state.order is not None:
        return state.order
    if state.status is not Status.CANCELLED or state.balance is None:
        return None
    return state.balance.purchased._replace(total=0, line_items=())


def _token(facts: Mapping[str, Fact]) -> TokenView | None:
    events = in_order(facts)
    purchase = next((each for each in reversed(events) if isinstance(each.said, Purchase)), None)
    if purchase is not None and isinstance(purchase.said, Purchase) and purchase.said.order.btn_ref is not None:
        return TokenView(purchase.said.order.btn_ref, purchase.token_source)
    shown: Observed | None = shown_at_button(events)
    if purchase is None and shown is not None and shown.order.btn_ref is not None:
        return TokenView(shown.order.btn_ref, "button")
    return None


def _line(line: LineItem) -> LineView:
    return LineView(line.identifier, line.sku, line.quantity, line.total)


def _fact_views(history: OrderHistory, facts: Mapping[str, Fact], state: OrderState) -> list[FactView]:
    slots = {(each.slot.event_id.decode(), each.slot.is_parked): each for each in history.entries}
    views = []
    for name, fact in facts.items():
        is_mark = isinstance(fact.said, Mark) and fact.said.kind is MarkKind.PARKED
        entry = slots[fact.event_id, is_mark]
        how = state_of(name, facts, state, is_clean=history.clean.get(entry.slot, False))
        views.append(_fact_view(fact, how, entry.offset, entry.written_at_ms))
    return sorted(views, key=lambda each: each.ledger_offset)


def _fact_view(fact: Fact, state: str, offset: int, written_at_ms: int) -> FactView:
    return FactView(
        fact.event_id,
        said(fact),
        state,
        time_of(fact.occurred_at_ms),
        time_of(written_at_ms),
        fact.told,
        fact.call,
        fact.answer,
        fact.button_order_id,
        where(fact.source),
        offset,
    )
