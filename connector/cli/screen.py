# SPDX-License-Identifier: Apache-2.0
"""What all commands that print tables have in common: the console, and JSON for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
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


def print_json(value: object) -> None:
    """Print for machines."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
