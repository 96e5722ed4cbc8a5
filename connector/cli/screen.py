# SPDX-License-Identifier: Apache-2.0
"""What all commands that print have in common: the console, tables, parts of text, and JSON for machines.

Owns that nothing that came from elsewhere steers the terminal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.table import Table

_WIDTH_OF_A_PIPE = 160


def console() -> Console:
    """Return the console; what is not a terminal has room for long lines, and no colours."""
    # Not at the top of the file: help must not wait for it.
    from rich.console import Console  # noqa: PLC0415  see above

    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_PIPE)


def table(*headers: str, title: str | None = None) -> Table:
    """Return an empty table; text in it is shown as it is."""
    from rich import box  # noqa: PLC0415  as above
    from rich.table import Table  # noqa: PLC0415  as above

    new = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        new.add_column(header, overflow="fold")
    return new


def part(out: Console, head: str, lines: Iterable[str], style: str = "bold cyan") -> None:
    """Print lines under a head; nothing if there are none."""
    for index, line in enumerate(lines):
        if not index:
            say(out, f"\n{head}", style=style)
        say(out, f"  {line}")


def say(out: Console, text: str, style: str | None = None) -> None:
    """Print as it is: what comes from an event is no markup, and must not steer the terminal."""
    out.print(printable(text), style=style, markup=False, soft_wrap=True)


def printable(text: str) -> str:
    """Return the text without what steers a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)


def print_json(value: object) -> None:
    """Print for machines."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
