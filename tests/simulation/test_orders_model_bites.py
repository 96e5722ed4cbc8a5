# SPDX-License-Identifier: Apache-2.0
"""A planted fault that chance never meets, in a world that is scripted instead of played.

Owns the script: the shortest way that the explicit-state model (``ledger_model``) found to an order that is lost
because an event that is read again is spared for its clean entry. Replicas, log and Button are those of the play.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from connector.domain import known_orders, lifecycle
from connector.domain.orders import Skip
from tests.simulation.cluster import Cluster, Replica
from tests.simulation.merchant import Line, Merchant, Pieces, Said, Sale
from tests.simulation.orders_model import open_at
from tests.simulation.shop import event_of
from tests.support.polling import eventually
from tests.support.simulated_button import SimulatedButton
from tests.support.simulated_ledger import LogEntry, slot_of
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from connector.domain.facts import Fact, Known
    from connector.domain.orders import Decision
    from tests.simulation.merchant import Open

_AT_MS = 1_700_000_000_000
_BOUGHT = Said("bought", "o-1", _AT_MS, Sale((Line("A", 500, 2), Line("B", 300, 1))))
_RETURNED_A = Said("returned-a", "o-1", _AT_MS + 1000, Pieces((("A", 1, 500),)))
_RETURNED_B = Said("returned-b", "o-1", _AT_MS + 1000, Pieces((("B", 1, 300),)))
_QUICK, _SLOW = (0.01, 0.02), (1000.0, 1000.0)


class Script:
    """Two deaths, one late append, one slow call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give each of three replicas the partition of its number."""
        self.monkeypatch = monkeypatch
        self.merchant = Merchant()
        self.button = SimulatedButton(Random(1), latency_seconds=_QUICK)  # noqa: S311  reproducible on purpose
        self.cluster = Cluster(1, self.button, replicas=3, partitions=3)

    async def run(self) -> tuple[dict[str, Open], dict[str, Open]]:
        """Return what Button has at rest, and what it should have."""
        first, second, third = self.cluster.replicas
        await asyncio.sleep(0)
        for partition, replica in enumerate((first, second, third)):
            replica.source.assign(partition)
        self._say(_BOUGHT, 0)
        await self._rest()
        late = self._hold_appends(second)
        self._say(_RETURNED_A, 1)
        await eventually(lambda: bool(late), awaiting="the entry of the second", deadline_seconds=60.0)
        await self._die(second)

        self._hold_appends(first)
        self.button.latency_seconds = _SLOW
        first.source.assign(1)
        await asyncio.sleep(10.0)
        self.button.latency_seconds = _QUICK
        calls = len(self.button.told)
        self.cluster.ledger_log.append(late[0])
        await third.ledger.barrier()
        self._say(_RETURNED_B, 2)
        await self._committed(2)
        assert len(self.button.told) == calls + 1, "the call of the first was not slow enough"
        assert open_at(self.button) == self.merchant.at_button()

        await eventually(lambda: len(self.button.told) == calls + 2, awaiting="the slow call", deadline_seconds=2000.0)
        assert open_at(self.button) != self.merchant.at_button(), "the slow call took nothing back"
        await self._die(first)
        third.source.assign(0, 1)
        await self._rest()
        await self.cluster.end()
        return open_at(self.button), self.merchant.at_button()

    def _say(self, said: Said, partition: int) -> None:
        self.merchant.hear(said)
        self.cluster.emit(event_of(said), partition)

    def _hold_appends(self, replica: Replica) -> list[LogEntry]:
        """Keep back what a replica appends from now on."""
        held: list[LogEntry] = []

        def append(order_id: str, fact: Fact) -> asyncio.Future[bool]:
            held.append(LogEntry(order_id, slot_of(fact), fact))
            return asyncio.get_running_loop().create_future()

        self.monkeypatch.setattr(replica.ledger, "append", append)
        return held

    async def _die(self, replica: Replica) -> None:
        self.cluster.replicas.remove(replica)
        await replica.die()

    async def _rest(self) -> None:
        await eventually(lambda: self.cluster.is_at_rest, awaiting="rest", deadline_seconds=60.0)

    async def _committed(self, partition: int) -> None:
        committed = self.cluster.committed
        await eventually(
            lambda: any(each.partition == partition and offset for each, offset in committed.items()),
            awaiting="a commit",
            deadline_seconds=60.0,
        )


def _played(
    monkeypatch: pytest.MonkeyPatch,
    breakage: Callable[[Cluster], None] = lambda _cluster: None,
) -> tuple[dict[str, Open], dict[str, Open]]:
    async def main() -> tuple[dict[str, Open], dict[str, Open]]:
        script = Script(monkeypatch)
        breakage(script.cluster)
        return await script.run()

    return run_in_virtual_time(main())


def test_a_replay_is_told_although_its_entry_was_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead replica's slow call landed last, and only the event that it left behind can put that right."""
    there, expected = _played(monkeypatch)
    assert there == expected


def test_a_replay_spared_because_its_entry_was_clean_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry is the other dead replica's, written late: it says nothing of the call that landed last."""
    told_again = known_orders.told_again

    def breakage(cluster: Cluster) -> None:
        clean: set[str] = set()
        cluster.clean = clean

        def spared(known: Known) -> Decision | None:
            return Skip("already_told") if known.identity in clean else told_again(known)

        monkeypatch.setattr(lifecycle, "told_again", spared)

    there, expected = _played(monkeypatch, breakage)
    assert {each.total for each in expected.values()} == {500}
    assert {each.total for each in there.values()} == {800}, "what came back is sold again"
