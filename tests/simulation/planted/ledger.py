# SPDX-License-Identifier: Apache-2.0
"""Mistakes in what is made of the ledger.

Owns the faults of facts and of what rests on them. They reach inside the connector, as mistakes do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from connector.domain import known_orders, lifecycle
from connector.domain.orders import Skip
from connector.tables import ledger_rows
from connector.tables.orders import Orders
from tests.simulation.planted.fault import Planted

if TYPE_CHECKING:
    from connector.domain.facts import Known
    from connector.domain.orders import Decision


_told_again = known_orders.told_again


async def _at_once(self: Orders) -> None:
    del self


def _spared(known: Known) -> Decision | None:
    own = known.order.facts.get(known.identity)
    return Skip("already_told") if own is not None and own.told else _told_again(known)


FAULTS = (
    Planted(
        "unclean-is-trusted",
        None,
        "A fact that crossed with another replica's counts as if Button had been told of both.",
        ("orders",),
        lambda: patch.object(ledger_rows, "is_clean", lambda *_: True),
        "kill+slow",
    ),
    Planted(
        "known-is-never-told-again",
        None,
        "An event that is read again and is known is skipped, whatever else is known of its order.",
        ("orders",),
        lambda: patch.object(lifecycle, "told_again", _spared),
    ),
    Planted(
        "takeover-without-barrier",
        59,
        "What former owners wrote is not waited for after an assignment.",
        ("P3", "orders"),
        lambda: patch.object(Orders, "barrier", _at_once),
        "shuffle",
    ),
)
