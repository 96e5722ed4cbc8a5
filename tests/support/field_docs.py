# SPDX-License-Identifier: Apache-2.0
"""The table of fields as ``docs/field-mapping.md`` has it, between its markers.

Owns the form. ``python -m tests.support.field_docs`` writes it anew from ``connector.domain.field_table``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from connector.domain.field_table import DECIDES, FIELDS, NOT_TOLD

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = Path(__file__).parents[2] / "docs" / "field-mapping.md"


def tables() -> dict[str, list[str]]:
    """Return the lines of each table by the name of its marker."""
    fields = [
        (f"`{row.button}`", _code(row.sources), row.others, row.rule, row.limit, row.absent, row.bad) for row in FIELDS
    ]
    return {
        "fields": _table(("at Button", "in the event", "elsewhere called", "rule", "limit", "absent", "bad"), fields),
        "decides": _table(("in the event", "decides"), [(f"`{path}`", what) for path, what in DECIDES.items()]),
        "not told": _table(("field", "known from", "why"), NOT_TOLD),
    }


def written(page: str) -> dict[str, list[str]]:
    """Return the lines that a page has between its markers."""
    found = re.findall(r"<!-- begin ([a-z ]+) -->\n(.*?)<!-- end \1 -->", page, re.DOTALL)
    return {name: text.splitlines() for name, text in found}


def _code(paths: Iterable[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths)


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
