# SPDX-License-Identifier: Apache-2.0
"""How dead letters are shown to people.

Owns the words around them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from connector.cli.explained import show_explanation
from connector.cli.screen import part, printable, say, table
from connector.kafka.letters import State
from connector.orders_view.words import time_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from connector.dlq.show import LetterView
    from connector.kafka.letters import Letter

_MOST_REASONS = 20


def print_list(out: Console, chosen: Sequence[Letter], total: int, topic: str) -> None:
    """Print letters; ``total`` is how many were chosen before the limit."""
    shown = table("letter", "state", "reason", "order", "from", "written", "replays")
    for each in chosen:
        order = f"{each.order_id} (the record's key)" if each.is_of_key and each.order_id else each.order_id
        cells = (
            str(each.place),
            str(each.state),
            each.reason,
            order,
            str(each.source),
            time_of(each.written_at_ms),
            str(each.replays),
        )
        shown.add_row(*(Text(printable(cell)) for cell in cells))
    out.print(shown)
    more = f" {total - len(chosen)} more: see --limit." if total > len(chosen) else ""
    say(out, f"{len(chosen)} dead letters of {topic}, the newest first.{more}")


def none_chosen(letters: Sequence[Letter], topic: str) -> str:
    """Return why nothing is chosen, with what there is to choose from."""
    reasons = Counter(each.reason for each in letters if each.state is State.OPEN)
    if not reasons:
        return f"No dead letter is open in {topic}."
    there = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(_MOST_REASONS))
    return f"No dead letter in {topic} is meant. Open are {sum(reasons.values())}, by reason: {there}."


def print_letter(out: Console, view: LetterView) -> None:
    """Print a letter with what is in it."""
    letter = view.letter
    settled = "" if letter.state is State.OPEN else f" since {time_of(letter.settled_at_ms)}"
    say(out, f"Letter {letter.place}: {letter.state}{settled}", style="bold")
    part(out, "Why", [f"{letter.reason} ({letter.stage}): {letter.message}"], style="bold red")
    part(out, "Where", _where(view))
    if view.explanation is not None:
        say(out, "\nWhat would become of it today", style="bold")
        show_explanation(out, view.explanation)
    else:
        part(out, "The event", [view.unexplained])


def _where(view: LetterView) -> Iterator[str]:
    letter = view.letter
    yield f"from {letter.source}"
    if letter.order_id:
        yield f"order {letter.order_id}{' (the key of the record)' if letter.is_of_key else ''}"
    yield f"written {time_of(letter.written_at_ms)}, after {letter.attempts} calls and {letter.replays} replays"
    if letter.reference is not None:
        yield f"its value is not in it: {letter.reference.size} bytes, SHA-256 {letter.reference.sha256}"
    if view.others:
        yield f"other open letters of the order: {', '.join(str(each.place) for each in view.others)}"
