# SPDX-License-Identifier: Apache-2.0
"""Mistakes between an order's turn and its end.

Owns the faults of retries and dead letters. They reach inside the connector, as mistakes do.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from connector.engine.lanes import Lane, Lanes
from connector.engine.letters import Letters
from connector.engine.patience import Patience
from tests.simulation.planted.fault import Planted

if TYPE_CHECKING:
    from connector.domain.dead_letter import DeadLetter
    from connector.engine.ports import RawRecord

_write_alone, _offer_later = Letters.write_alone, Lanes.offer_later


async def _not_waited_for(self: Letters, record: RawRecord, letter: DeadLetter) -> None:
    asyncio.get_running_loop().create_task(_write_alone(self, record, letter))


def _next_one_first(self: Lanes[Any], lane: Lane[Any], delay_seconds: float) -> None:
    lane.tasks.rotate(-1)
    _offer_later(self, lane, delay_seconds)


FAULTS = (
    Planted(
        "never-given-up",
        40,
        "An order that fails for ever beside others that are told is never given up, and holds its partition up.",
        ("P4",),
        lambda: patch.object(Patience, "over", lambda *_, **__: None),
    ),
    Planted(
        "letter-is-not-waited-for",
        26,
        "An event completes although its dead letter is not durable.",
        ("P1",),
        lambda: patch.object(Letters, "write_alone", _not_waited_for),
        "letters_down",
    ),
    Planted(
        "retry-lets-the-next-one-pass",
        46,
        "While an event waits for its retry the next one of its order goes first.",
        ("P2",),
        lambda: patch.object(Lanes, "offer_later", _next_one_first),
    ),
)
