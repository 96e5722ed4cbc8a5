# SPDX-License-Identifier: Apache-2.0
"""What the demo shows: a live view on a terminal, plain lines elsewhere.

Owns the looks. Shows no customer and no key.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector.demo.reconciliation import Reconciliation

_SHOWN_ORDERS = 10


class Progress(NamedTuple):
    """How far it has got: events written, committed and to come, and the sandbox's orders."""

    written: int
    committed: int
    all_events: int
    orders: Mapping[str, Mapping[str, Any]]


class Screen:
    """Where the demo shows itself."""

    def __init__(self, console: Console) -> None:
        """Take the console; whether it is a terminal decides on the view."""
        self._console = console
        self._live: Live | None = None
        self._seen: dict[str, tuple[int, bool]] = {}
        self._newest: deque[str] = deque(maxlen=_SHOWN_ORDERS)

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show progress until the end of the block."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False) as self._live:
            yield
        self._live = None

    def show(self, progress: Progress) -> None:
        """Show how far it has got; without a terminal only what is new."""
        for line in self._news(progress.orders):
            self._newest.append(line)
            if self._live is None:
                self.say(f"  {line}")
        if self._live is not None:
            self._live.update(self._view(progress), refresh=True)

    def _news(self, orders: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        for order_id, order in orders.items():
            fields, seen = order["fields"], self._seen.get(order_id)
            state = (fields["total"], order["cancelled"])
            worth = f"{fields['total']:>9} {fields['currency']} minor units"
            if seen is None:
                yield f"{order_id}  reported   {worth}  {fields.get('btn_ref', 'no token')}"
            elif seen != state and not order["cancelled"]:
                yield f"{order_id}  amended to {worth}"
            if order["cancelled"] and seen != state:
                yield f"{order_id}  cancelled"
            self._seen[order_id] = state

    def _view(self, progress: Progress) -> Group:
        cancelled = sum(order["cancelled"] for order in progress.orders.values())
        table = Table.grid(padding=(0, 2))
        table.add_row("events in Kafka", f"{progress.written} of {progress.all_events}")
        table.add_row("events committed", str(progress.committed))
        table.add_row("orders at Button", f"{len(progress.orders)}, of these {cancelled} cancelled")
        return Group(table, Text(), *(Text(line, style="dim") for line in self._newest))

    def reconciliation(self, result: Reconciliation) -> None:
        """Show the books side by side, and what differs."""
        table = Table(title="Reconciliation: what the topics say must be, and what is", title_justify="left")
        table.add_column("")
        table.add_column("expected", justify="right")
        table.add_column("found", justify="right")
        table.add_column("")
        for row in result.rows:
            is_equal = row.expected == row.found
            mark = Text("ok", style="green") if is_equal else Text("differs", style="bold red")
            table.add_row(row.what, str(row.expected), str(row.found), mark)
        self._console.print(table)
        for difference in result.differences:
            self._console.print(f"difference: {difference}", style="red", highlight=False, markup=False, soft_wrap=True)
