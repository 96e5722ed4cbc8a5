# SPDX-License-Identifier: Apache-2.0
"""The order ledger that the simulation uses keeps the contract."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.contract.ledger_contract import LedgerContract
from tests.support.simulated_ledger import Delays, LogEntry, SimulatedLedger, SimulatedLog, slot_of

if TYPE_CHECKING:
    from connector.domain.facts import Fact

_QUICK = Delays((0.0, 0.002), (0.0, 0.004), (0.0, 0.004))


class SimulatedReplicas:
    """Replicas of one simulated log, with delays that are short in real time."""

    def __init__(self) -> None:
        """Begin with an empty log."""
        self._log = SimulatedLog()

    async def open(self) -> SimulatedLedger:
        """Return a new replica that has caught up."""
        ledger = SimulatedLedger(self._log, Random(len(self._log.followers)), _QUICK)  # noqa: S311  reproducible
        await ledger.caught_up()
        return ledger

    async def append_late(self, order_id: str, fact: Fact) -> None:
        """Put into the log what a writer that is dead by now had sent."""
        self._log.append(LogEntry(order_id, slot_of(fact), fact))


class TestSimulatedLedger(LedgerContract):
    """Every case, in the stand-in."""

    @pytest.fixture
    def replicas(self) -> SimulatedReplicas:
        """Give replicas that need no end."""
        return SimulatedReplicas()
