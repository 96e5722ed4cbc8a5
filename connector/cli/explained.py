# SPDX-License-Identifier: Apache-2.0
"""How explanations are shown to people.

Owns the words around them. Masks nothing: that is done already.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.cli.screen import part, say

if TYPE_CHECKING:
    from rich.console import Console

    from connector.explain.explanation import Explanation, Refusal, Token

_STYLES = {"skipped": "bold yellow", "dead_letter": "bold red", "depends": "bold cyan"}
_HEADS = {
    "skipped": "Would be skipped",
    "dead_letter": "Would become a dead letter",
    "depends": "Depends on the order",
}


class ExplainedRecord(NamedTuple):
    """A record's explanations, and what is to be said of the record itself."""

    source: str
    form: str
    notes: tuple[str, ...]
    events: list[Explanation]


def show(out: Console, record: ExplainedRecord) -> None:
    """Print what becomes of a record."""
    say(out, f"{record.source} ({record.form})", style="bold")
    for note in record.notes:
        say(out, f"  note: {note}", style="yellow")
    if not record.events:
        say(out, "  the record holds no event; it is complete as it is")
    for index, explanation in enumerate(record.events):
        if len(record.events) > 1:
            say(out, f"\nEvent {index}", style="bold")
        show_explanation(out, explanation)


def show_explanation(out: Console, explanation: Explanation) -> None:
    """Print what becomes of an event."""
    from connector.explain.explanation import Request  # noqa: PLC0415  help must not wait for it
    from connector.explain.view import lines_of  # noqa: PLC0415  as above

    if explanation.event is not None:
        part(out, "Event", [f"{name}: {_written(value)}" for name, value in lines_of(explanation.event)])
    mapped = [
        f"{each.field}: {_written(each.before)} -> {_written(each.after)}   by {each.expression}"
        for each in explanation.mapped
    ]
    part(out, "Smart mapping", mapped)
    if explanation.token is not None:
        _show_token(out, explanation.token)
    part(out, "Policy", [f"{each.setting}: {each.effect}" for each in explanation.policies])
    if isinstance(explanation.verdict, Request):
        _show_request(out, *explanation.verdict)
    else:
        _show_refusal(out, explanation.verdict)


def _show_token(out: Console, token: Token) -> None:
    part(out, "Attribution token", [f"{token.value or 'none'}: {token.why}"])
    for note in token.notes:
        say(out, f"  note: {note}", style="yellow")


def _show_request(out: Console, method: str, path: str, body: dict[str, Any] | None) -> None:
    lines = [f"{method} {path}"]
    if body is not None:
        lines += json.dumps(body, indent=2, ensure_ascii=False).splitlines()
    part(out, "Would be sent", lines, style="bold green")


def _show_refusal(out: Console, refusal: Refusal) -> None:
    where = f" ({refusal.stage})" if refusal.kind == "dead_letter" else ""
    line = f"{refusal.reason}{where}: {refusal.message}"
    part(out, _HEADS[refusal.kind], [line], style=_STYLES[refusal.kind])


def _written(value: object) -> str:
    if value is None:
        return "absent"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
