# SPDX-License-Identifier: Apache-2.0
"""The tables of answers as ``docs/responses.md`` has them, between its markers.

Owns the form. ``python -m tests.support.response_docs`` writes them anew from the code's own tables.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from connector.domain.answer_policy import CHOICES
from connector.domain.lookups import PAIRS, Shown
from connector.domain.orders import Operation
from connector.domain.outcomes import Knowledge, Question
from connector.domain.response_table import OTHERWISE, ROWS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from connector.domain.lookups import Pair
    from connector.domain.response_table import Row

PAGE = Path(__file__).parents[2] / "docs" / "responses.md"

_BODIES = {
    "ok": "`meta.status` ok",
    "error": "`meta.status` error",
    "other": "another `meta.status`",
    "empty": "none",
    "unreadable": "not Button's",
}
_SHOWN = {
    Shown.AS_TOLD: "the order as told",
    Shown.OPEN: "the order, open",
    Shown.CANCELLED: "the order, cancelled",
    Shown.UNREADABLE: "an order that cannot be read",
    Shown.ABSENT: "no such order",
    Shown.FORBIDDEN: "403 again",
}
_QUESTIONS = {
    Question.EXISTS: "it exists, they say",
    Question.GONE: "it does not, they say",
    Question.FORBIDDEN: "403",
    Question.PROBE: "403, and this is the probe",
    Question.NO_ANSWER: "no answer",
    Question.UNCONFIRMED: "acknowledged after an attempt without answer",
}


def tables() -> dict[str, list[str]]:
    """Return the lines of each table by the name of its marker."""
    choices = [(operation.value, ", ".join(f"`{each}`" for each in allowed)) for operation, allowed in CHOICES.items()]
    return {
        "answers": _table(
            ("call", "status", "body", "the ledger knows", "outcome", "reason"),
            [_answer(row) for row in (*ROWS, OTHERWISE)],
        ),
        "lookups": _table(
            ("call", "asked because", "Button shows", "outcome", "reason"),
            [_pair(row) for row in PAIRS],
        ),
        "choices": _table(("call", "an answer can be made to mean"), choices),
    }


def _answer(row: Row) -> tuple[str, ...]:
    return (
        _some(row.operations, Operation, lambda each: each.value, "any"),
        _statuses(row.statuses),
        _some(row.bodies, _BODIES, _BODIES.__getitem__, "any"),
        _some(row.knowledge, Knowledge, lambda each: each.value, "whatever"),
        _outcome(row.verdict.name),
        f"`{row.reason}`",
    )


def _pair(row: Pair) -> tuple[str, ...]:
    return (
        _some(row.operations, Operation, lambda each: each.value, "any"),
        _QUESTIONS[row.question],
        _some(row.shown, Shown, _SHOWN.__getitem__, "anything else"),
        _outcome(row.verdict.name),
        f"`{row.reason}`",
    )


def _some(chosen: Collection[object], of: Iterable[object], words: object, everything: str) -> str:
    listed = [each for each in of if each in chosen]
    return everything if len(listed) == len(list(of)) else ", ".join(words(each) for each in listed)  # type: ignore[operator]  # any function to text


def _statuses(statuses: Collection[int]) -> str:
    if isinstance(statuses, range):
        return f"{statuses.start // 100}xx"
    return ", ".join(map(str, statuses)) or "any other"


def _outcome(name: str) -> str:
    return name.lower().replace("_", " ")


def written(page: str) -> dict[str, list[str]]:
    """Return the lines that a page has between its markers."""
    found = re.findall(r"<!-- begin ([a-z ]+) -->\n(.*?)<!-- end \1 -->", page, re.DOTALL)
    return {name: text.splitlines() for name, text in found}


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [heads, ("---",) * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]


def main() -> None:
    """Write the tables into the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, lines in tables().items():
        between = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        page = between.sub(lambda match, lines=lines: match[1] + "\n".join(lines) + "\n" + match[2], page)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
