# SPDX-License-Identifier: Apache-2.0
"""How orders are shown to people.

Owns the words around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from connector.cli.screen import part, printable, say, table
from connector.orders_view.words import money

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from connector.orders_view.at_button import ButtonView
    from connector.orders_view.letters import LetterView
    from connector.orders_view.listing import ListedOrder
    from connector.orders_view.view import FactView, OrderView

_TOKEN_SOURCES = {
    "event": "it was on the event itself",
    "session": "the event's session had it",
    "user": "another session of the event's user had it",
    "button": "Button showed it",
}


def print_order(out: Console, view: OrderView) -> None:
    """Print all that is known of an order."""
    worth = "" if view.total is None else f", {money(view.total, view.currency or '')}"
    say(out, f"Order {view.order_id}: {view.status}{worth}", style="bold")
    for note in _notes(view):
        say(out, f"  {note}", style="yellow")
    currency = view.currency or ""
    part(out, "Lines", [f"{each.quantity} x {each.identifier}: {money(each.total, currency)}" for each in view.lines])
    if view.token is not None:
        source = _TOKEN_SOURCES.get(view.token.source, "it is not known where it came from")
        part(out, "Attribution token", [f"{view.token.value}: {source}"])
    elif view.facts:
        part(out, "Attribution token", ["none"])
    part(out, f"Facts, in {view.ledger}", [line for each in view.facts for line in _fact(each)])
    if view.letters is not None:
        part(out, "Dead letters", [line for each in view.letters for line in _letter(each)] or ["none"])
    if view.button is not None:
        part(
            out,
            "At Button",
            [_at_button(view.button)],
            style="bold red" if view.button.agrees is False else "bold cyan",
        )


def print_list(out: Console, listed: Sequence[ListedOrder], limit: int) -> None:
    """Print a list of orders."""
    shown = table("order", "status", "total", "last event", "last fact", "waits")
    for each in listed:
        total = "" if each.total is None else money(each.total, each.currency or "")
        cells = (each.order_id, each.status, total, each.last_event_at, each.last_fact_at, each.waits)
        shown.add_row(*(Text(printable(cell)) for cell in cells))
    out.print(shown)
    more = " There may be more: see --limit and --since." if len(listed) == limit else ""
    say(out, f"{len(listed)} orders, by their last fact, the newest first.{more}")


def _notes(view: OrderView) -> Iterator[str]:
    if view.is_parked:
        yield "parked: refunds of it become dead letters until those that it has are replayed or dropped (dlq replay)"
    if view.is_forgotten:
        yield "its last fact is past ledger.horizon_days: the connector takes it for an order that it never saw"
    if not view.facts:
        yield "the ledger has nothing of it"


def _fact(fact: FactView) -> Iterator[str]:
    yield f"{fact.event_id}: {fact.said}"
    yield f"    {fact.state}"
    called = f"{fact.call}: {fact.answer or 'acknowledged'}" if fact.call else "no call"
    known_as = "" if fact.button_order_id is None else f", Button's id {fact.button_order_id}"
    yield f"    happened {fact.occurred_at}, written {fact.written_at} at offset {fact.ledger_offset}"
    yield f"    {called}{known_as}"
    if fact.told:
        yield f"    told: {', '.join(fact.told)}"
    if fact.source is not None:
        yield f"    from {fact.source}"


def _letter(letter: LetterView) -> Iterator[str]:
    settled = "" if letter.state == "open" else f"{letter.state}: "
    yield f"{settled}{letter.reason} ({letter.stage}): {letter.message}"
    yield f"    from {letter.source}; in {letter.position}, written {letter.written_at}, {letter.attempts} calls"


def _at_button(button: ButtonView) -> str:
    worth = "" if button.total is None else f", {money(button.total, button.currency or '')}"
    return f"{button.status}{worth}: {button.comparison}"
