# SPDX-License-Identifier: Apache-2.0
"""The order ledger on a topic in memory keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.ledger_contract import NOW_MS, LedgerContract
from tests.support.ledgers import MemoryReplicas, SetClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestOrdersOnMemory(LedgerContract):
    """Every case, without Kafka."""

    @pytest.fixture
    async def replicas(self, tmp_path: Path) -> AsyncIterator[MemoryReplicas]:
        """Give replicas that are stopped at the end."""
        replicas = MemoryReplicas(tmp_path, SetClock(NOW_MS))
        yield replicas
        await replicas.close()
