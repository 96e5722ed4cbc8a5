# SPDX-License-Identifier: Apache-2.0
"""What the engine does without a lease, and after one has lapsed, in simulated time."""

from __future__ import annotations

import asyncio
from random import Random

from connector.domain.responses import NotSent
from connector.engine.engine import EngineOptions
from connector.engine.lease import Lease, Leasehold
from connector.engine.observations import LeaseLapsed, LeaseRenewed, PartitionsRevoked
from connector.engine.ports import TopicPartition
from tests.simulation.bench import Bench
from tests.simulation.test_engine_with_ledger import FAST, SHIRT, Rig, bought
from tests.support.fakes import OK, purchase
from tests.support.polling import eventually
from tests.support.simulated_ledger import Delays, SimulatedLedger, SimulatedLog
from tests.support.virtual_time import run_in_virtual_time

P0 = TopicPartition("orders", 0)
LEASE_SECONDS = 10.0


def lease_of(bench: Bench) -> Leasehold:
    """Put an engine under a lease."""
    clock, lease = asyncio.get_running_loop().time, Lease(LEASE_SECONDS)
    bench.may_start = lambda: lease.is_valid(clock())
    return Leasehold(lease, clock, bench.engine, bench.seen)


def test_without_a_lease_no_call_is_started() -> None:
    """Records come, and wait; with the first proof of membership their calls start at once [17]."""

    async def main() -> None:
        bench = Bench()
        hold = lease_of(bench)
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(100.0)
            assert bench.button.attempts == {}
            hold.renew(asyncio.get_running_loop().time())
            await eventually(lambda: bench.button.attempts["o-1"] == 1, 0.2)

    run_in_virtual_time(main())


def test_while_the_lease_has_lapsed_nothing_starts_and_what_runs_finishes() -> None:
    """Calls in flight started under the lease; their retries did not [17, 52]."""

    async def main() -> None:
        bench = Bench()
        hold, loop = lease_of(bench), asyncio.get_running_loop()
        bench.button.latency = lambda _call, _attempt: 4.0
        bench.button.answer = lambda call, _attempt: NotSent("refused") if _is(call, "o-2") else OK
        hold.renew(0.0)
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(9.0)
            bench.emit(0, purchase("o-1"))
            bench.emit(0, purchase("o-2"))
            await asyncio.sleep(3.0)
            hold.look()
            bench.emit(0, purchase("o-3"))
            await asyncio.sleep(600.0)
            assert [start for _, _, start, _ in bench.button.calls if start > LEASE_SECONDS] == []
            assert bench.committed(0) == 1
            bench.button.answer = lambda _call, _attempt: OK
            hold.renew(loop.time())
            await bench.at_rest(LEASE_SECONDS)
        assert [type(each) for each in bench.seen.seen if isinstance(each, LeaseLapsed | LeaseRenewed)] == [
            LeaseLapsed,
            LeaseRenewed,
        ]

    run_in_virtual_time(main())


def _is(call: object, order_id: str) -> bool:
    order = getattr(call, "order", None)
    return order is not None and order.order_id == order_id


def test_after_a_lapse_nothing_is_decided_before_the_ledger_has_read_what_others_wrote() -> None:
    """An event that was decided before the lapse is decided anew: its heir has told it meanwhile [17]."""

    async def main() -> None:
        log = SimulatedLog()
        frozen, heir = Rig(Delays(append=(0.001, 0.001), follow=(30.0, 30.0)), log=log), Rig(log=log)
        hold, loop = lease_of(frozen), asyncio.get_running_loop()
        async with frozen.running(), heir.running():
            hold.renew(loop.time())
            frozen.source.assign(0)
            await asyncio.sleep(LEASE_SECONDS + 1)
            # It is decided, and held back at the last moment: nobody has seen yet that the lease has lapsed.
            frozen.emit(0, bought("o-1", SHIRT))
            await eventually(lambda: frozen.engine.lanes == 1, 2.0)
            heir.emit(0, bought("o-1", SHIRT))
            heir.source.assign(0)
            await heir.at_rest(5.0)
            assert heir.calls() == ["create"]
            assert not frozen.ledger.read("o-1").facts
            hold.renew(loop.time())
            await frozen.at_rest(60.0)
            assert frozen.calls() == []

    run_in_virtual_time(main())


def test_a_lapse_behind_a_lapse_has_a_barrier_of_its_own() -> None:
    """The first barrier says nothing of what was written during the second lapse [17]."""

    async def main() -> None:
        barriers: list[asyncio.Event] = []

        class Ledger(SimulatedLedger):
            async def caught_up(self) -> None:
                pass

            async def barrier(self) -> None:
                barriers.append(asyncio.Event())
                await barriers[-1].wait()

        bench = Bench(ledger=Ledger(SimulatedLog(), Random(1), FAST))  # noqa: S311  not cryptography
        hold, loop = lease_of(bench), asyncio.get_running_loop()
        async with bench.running():
            bench.source.assign(0)
            await eventually(lambda: len(barriers) == 1)
            barriers[0].set()
            hold.renew(loop.time())
            await asyncio.sleep(LEASE_SECONDS + 1)
            hold.renew(loop.time())
            await eventually(lambda: len(barriers) == 2)
            await asyncio.sleep(LEASE_SECONDS + 1)
            hold.look()
            bench.emit(0, purchase("o-1"))
            barriers[1].set()
            hold.renew(loop.time())
            await eventually(lambda: len(barriers) == 3)
            await asyncio.sleep(LEASE_SECONDS / 2)
            assert bench.button.attempts == {}
            barriers[2].set()
            await bench.at_rest(LEASE_SECONDS / 2)

    run_in_virtual_time(main())


def test_a_revoke_during_a_lapse_ends_and_gives_back_what_was_finished() -> None:
    """Lanes that were suspended end with their assignment, and come again with the next one [9, 17]."""

    async def main() -> None:
        bench = Bench()
        hold, loop = lease_of(bench), asyncio.get_running_loop()
        bench.button.answer = lambda call, _attempt: NotSent("refused") if _is(call, "o-2") else OK
        hold.renew(0.0)
        async with bench.running():
            bench.source.assign(0)
            bench.emit(0, purchase("o-1"))
            bench.emit(0, purchase("o-2"))
            bench.source.refuse_commits = "no"
            await eventually(lambda: bench.button.attempts["o-2"] == 1)
            await asyncio.sleep(LEASE_SECONDS * 6)
            hold.look()
            await asyncio.sleep(60.0)
            tried = bench.button.attempts["o-2"]
            before = loop.time()
            assert await bench.source.revoke(0) == {P0: 1}
            assert loop.time() - before < 1.0
            assert bench.seen.of(PartitionsRevoked)[0].unfinished == 1
            await eventually(lambda: bench.engine.lanes == 0, 1.0)
            bench.source.refuse_commits = ""
            bench.button.answer = lambda _call, _attempt: OK
            bench.source.assign(0)
            assert bench.button.attempts["o-2"] == tried
            hold.renew(loop.time())
            await bench.at_rest(LEASE_SECONDS)

    run_in_virtual_time(main())


def test_partitions_that_are_lost_during_a_lapse_leave_nothing_behind() -> None:
    """The suspended lanes of a lost partition end, and the order goes on under its next assignment [6, 17]."""

    async def main() -> None:
        bench = Bench(EngineOptions(concurrency=1))
        hold, loop = lease_of(bench), asyncio.get_running_loop()
        bench.button.answer = lambda _call, attempt: NotSent("refused") if attempt == 1 else OK
        hold.renew(0.0)
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(LEASE_SECONDS - 0.04)
            bench.emit(0, purchase("o-1"))
            await asyncio.sleep(1.0)
            hold.look()
            await asyncio.sleep(60.0)
            assert bench.engine.lanes == 1
            bench.source.lose(0)
            hold.drop()
            await eventually(lambda: bench.engine.lanes == 0, 1.0)
            bench.source.assign(0)
            hold.renew(loop.time())
            await bench.at_rest(LEASE_SECONDS)
        assert bench.button.told("o-1") == ["create", "create"]

    run_in_virtual_time(main())
