# SPDX-License-Identifier: Apache-2.0
"""A limit on dead letters halts the engine instead of emptying a topic into them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import pytest

from connector.domain.orders import Create, Reject, Update
from connector.domain.outcomes import Answer
from connector.engine.backoff import Backoff
from connector.engine.dead_letter_limit import LimitOptions
from connector.engine.engine import EngineOptions
from connector.engine.observations import DeadLettersHalted
from tests.simulation.bench import Bench
from tests.simulation.test_engine_with_ledger import FAST
from tests.support.fakes import OK, purchase
from tests.support.polling import eventually
from tests.support.simulated_ledger import SimulatedLedger, SimulatedLog
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connector.domain.events import CommerceEvent
    from connector.domain.orders import Call
    from connector.domain.outcomes import Reply

BUSY = Answer(503, "error", message="later")
REFUSED = Answer(400, "error", message="not like this")
LIMIT = LimitOptions(most_in_a_row=5, probe=Backoff(30.0, 120.0))


def _bench(limit: LimitOptions = LIMIT) -> Bench:
    return Bench(EngineOptions(limit=limit, concurrency=4), max_records=100)


@asynccontextmanager
async def _halted(bench: Bench) -> AsyncIterator[Bench]:
    """Run an engine whose twenty orders are all refused, from when that has halted it."""
    bench.button.answer = lambda _call, _attempt: REFUSED
    for number in range(20):
        bench.emit(0, purchase(f"o-{number}"))
    async with bench.running():
        bench.source.assign(0)
        await eventually(lambda: bench.engine.limit.is_halted, deadline_seconds=10.0)
        yield bench


def _halts(bench: Bench) -> list[bool]:
    return [each.is_halted for each in bench.seen.of(DeadLettersHalted)]


def test_a_broken_deployment_does_not_empty_a_topic_into_the_dead_letters() -> None:
    """So many letters as the limit allows, and no more in an hour; the source pauses by its window, nothing is lost."""

    async def main() -> None:
        bench = _bench()
        bench.button.answer = lambda _call, _attempt: REFUSED
        for number in range(500):
            bench.emit(0, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(25.0)
            assert len(bench.button.calls) <= 5 + 4
            await asyncio.sleep(3575.0)
            assert len(bench.letters.letters) == 5
            assert bench.engine.limit.is_halted
            assert "5 different orders in a row" in bench.engine.limit.why
            assert bench.committed(0) <= 5
            assert bench.source.delivered <= 105
            # One is let through after 30, 60, and then every 120 seconds.
            assert len(bench.button.calls) <= 5 + 4 + 2 + 3600 / 120
            bench.button.answer = lambda _call, _attempt: OK
            await bench.at_rest()
        assert len(bench.letters.letters) == 5
        assert len({order_id for order_id, *_ in bench.button.calls}) == 500
        assert _halts(bench) == [True, False]

    run_in_virtual_time(main())


@pytest.mark.parametrize("kind", ["whole", "in_a_batch", "without_order"])
def test_what_cannot_be_read_is_held_like_what_is_refused(kind: str) -> None:
    """A broken producer is as bad as a broken connector; what was held is read anew when it goes on."""

    async def main() -> None:
        bench = _bench()
        bad = Reject("truncated_avro", "the value ends early")
        meanings: dict[str, list[CommerceEvent | Reject] | Reject] = {
            "whole": bad,
            "in_a_batch": [bad, bad],
            "without_order": [purchase(None)],
        }
        records = [bench.emit_meaning(0, meanings[kind]) for _ in range(50)]
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(600.0)
            written = len(bench.letters.letters)
            assert written == (10 if kind == "in_a_batch" else 5)
            assert bench.committed(0) == 5
            for number, record in enumerate(records):
                bench.decoder.meanings[record.value or b""] = [purchase(f"mended-{number}")]
            bench.engine.limit.resume("somebody said so")
            await bench.at_rest()
        # What had been read before it was held stays as it was read.
        assert len(bench.letters.letters) - written <= (5 if kind == "without_order" else 0)
        assert len({order_id for order_id, *_ in bench.button.calls}) >= 40

    run_in_virtual_time(main())


def test_what_is_good_behind_what_is_bad_ends_the_halt() -> None:
    """The bad orders of a producer that was mended are not tried in turn for ever."""

    async def main() -> None:
        bench = _bench()
        bad = {f"bad-{number}" for number in range(8)}
        for order_id in sorted(bad):
            bench.emit(0, purchase(order_id))
        bench.button.answer = lambda call, _: REFUSED if getattr(call, "order").order_id in bad else OK  # noqa: B009  every call here has an order
        async with bench.running():
            bench.source.assign(0)
            await eventually(lambda: bench.engine.limit.is_halted, deadline_seconds=10.0)
            await asyncio.sleep(10.0)
            for number in range(20):
                bench.emit(0, purchase(f"good-{number}"))
            await bench.at_rest(600.0)
        assert len(bench.letters.letters) == 8
        assert _halts(bench) == [True, False]

    run_in_virtual_time(main())


def test_what_is_let_through_is_tried_again_until_it_ends() -> None:
    """An answer that asks for another attempt is no reason to wait for the next probe."""

    async def main() -> None:
        ledger = SimulatedLedger(SimulatedLog(), Random(3), FAST)  # noqa: S311  not cryptography
        bench = Bench(EngineOptions(limit=LIMIT, concurrency=4, retry=Backoff(1.0, 1.0)), ledger=ledger)
        async with _halted(bench):
            await asyncio.sleep(5.0)  # until nothing is under way
            tried: list[object] = []

            def answer(call: Call, _: int) -> Reply:
                tried.append(call)
                return BUSY if len(tried) <= 3 else OK

            bench.button.answer = answer
            await eventually(lambda: not bench.engine.limit.is_halted, deadline_seconds=45.0)
            await bench.at_rest()
        assert len(bench.letters.letters) == 5

    run_in_virtual_time(main())


def test_what_was_taken_away_while_nothing_is_taken_in_is_not_kept() -> None:
    """A halt of hours with partitions that come and go keeps each record once (P6)."""

    async def main() -> None:
        bench = _bench()
        bad = Reject("truncated_avro", "the value ends early")
        for _ in range(50):
            bench.emit_meaning(0, bad)
        async with bench.running():
            for _ in range(20):
                bench.source.assign(0)
                await asyncio.sleep(5.0)
                await bench.source.revoke(0)
            bench.source.assign(0)
            await asyncio.sleep(5.0)
            assert bench.engine.limit.is_halted
            assert len(bench.engine._waiting) <= 50  # noqa: SLF001  nobody else asks

    run_in_virtual_time(main())


def test_what_waited_for_a_retry_when_deciding_halted_is_not_decided_either() -> None:
    """Its time comes, and it is held with the others."""

    async def main() -> None:
        ledger = SimulatedLedger(SimulatedLog(), Random(3), FAST)  # noqa: S311  not cryptography
        options = EngineOptions(limit=LIMIT, concurrency=4, retry=Backoff(20.0, 20.0))
        bench = Bench(options, ledger=ledger)
        busy = [f"busy-{number}" for number in range(7)]
        for order_id in [*busy, *(f"o-{number}" for number in range(20))]:
            bench.emit(0, purchase(order_id))
        asked: list[str] = []

        def answer(call: Call, attempt: int) -> Reply:
            asked.append(call.order.order_id if isinstance(call, Create | Update) else call.order_id)
            return BUSY if asked[-1] in busy and attempt == 1 else REFUSED

        bench.button.answer = answer
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(28.0)
            assert bench.engine.limit.is_halted
            assert len(asked) <= len(busy) + 5 + 4

    run_in_virtual_time(main())


def test_somebody_may_say_that_all_is_well() -> None:
    """Then it goes on at once, with a fresh count."""

    async def main() -> None:
        async with _halted(_bench()) as bench:
            bench.engine.limit.resume("somebody said so")
            await eventually(lambda: bench.engine.limit.is_halted, deadline_seconds=10.0)
            assert len(bench.letters.letters) == 10

    run_in_virtual_time(main())


def test_a_share_of_bad_orders_halts_too() -> None:
    """Good ones in between do not hide them."""

    async def main() -> None:
        bench = _bench(LimitOptions(most_share=0.3, window_events=20))
        bench.button.answer = lambda call, _attempt: REFUSED if getattr(call, "order").order_id.endswith("0") else OK  # noqa: B009  every call here has an order
        for number in range(200):
            bench.emit(0, purchase(f"{number}-{number % 2}"))
        async with bench.running():
            bench.source.assign(0)
            await eventually(lambda: bench.engine.limit.is_halted, deadline_seconds=60.0)
            assert "6 orders among the last 20 events" in bench.engine.limit.why
            assert len(bench.letters.letters) == 6

    run_in_virtual_time(main())


def test_one_bad_order_however_often_does_not_halt_the_others() -> None:
    """Only different orders count (P4)."""

    async def main() -> None:
        bench = _bench()
        bench.button.answer = lambda _call, _attempt: REFUSED
        for _ in range(30):
            bench.emit(0, purchase("bad"))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
        assert len(bench.letters.letters) == 30
        assert _halts(bench) == []

    run_in_virtual_time(main())


def test_a_partition_is_given_back_at_once_while_its_events_are_held() -> None:
    """What is held is incomplete and is read again by the heir; nothing of it is decided here any more."""

    async def main() -> None:
        async with _halted(_bench()) as bench:
            await asyncio.sleep(1.0)
            started = asyncio.get_running_loop().time()
            await bench.source.revoke(0)
            assert asyncio.get_running_loop().time() - started < 1.0
            await asyncio.sleep(1.0)
            assert bench.engine.lanes == 0
            assert bench.committed(0) <= 5
            bench.button.answer = lambda _call, _attempt: OK
            bench.source.assign(0)
            await bench.at_rest()
        assert len(bench.letters.letters) == 5
        assert bench.engine.lanes == 0

    run_in_virtual_time(main())
