# SPDX-License-Identifier: Apache-2.0
"""Who may send, and who is given up: the engine in simulated time, against an API that is down, slow or strict."""

from __future__ import annotations

import asyncio
from collections import Counter
from math import floor
from typing import TYPE_CHECKING

import pytest

from connector.domain.outcomes import Answer, NoAnswer
from connector.engine.admission import State
from connector.engine.backoff import Backoff
from connector.engine.engine import EngineOptions
from connector.engine.observations import AdmissionChanged, AttemptFinished
from tests.simulation.bench import Bench
from tests.support.fakes import OK, purchase
from tests.support.polling import eventually
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.domain.orders import Call
    from connector.domain.outcomes import Reply

MANY = EngineOptions(max_concurrency=32, poison_seconds=120.0, pin_seconds=60.0, retry=Backoff(0.2, 10.0))
DOWN = Answer(503, "error")


def _order_id(call: Call) -> str:
    return call.order.order_id if hasattr(call, "order") else call.order_id


def _bench(
    answer: Callable[[str, float], Reply],
    options: EngineOptions = MANY,
    latency_seconds: float = 0.1,
    max_records: int = 2000,
) -> Bench:
    """Return a bench whose Button answers by the order's id and the time."""
    bench = Bench(options, max_records=max_records)
    bench.button.latency = lambda _call, _attempt: latency_seconds
    bench.button.answer = lambda call, _attempt: answer(_order_id(call), asyncio.get_running_loop().time())
    return bench


def _served(bench: Bench) -> int:
    return sum(each.result == "applied" for each in bench.seen.of(AttemptFinished))


async def _served_within(bench: Bench, seconds: float) -> int:
    before = _served(bench)
    await asyncio.sleep(seconds)
    return _served(bench) - before


async def _trickle(bench: Bench, seconds: float) -> None:
    """Let others be told for a while, two orders a second."""
    for number in range(round(seconds * 2)):
        bench.emit(1, purchase(f"{asyncio.get_running_loop().time()}-{number}"))
        await asyncio.sleep(0.5)


def test_after_two_minutes_of_outage_full_speed_is_back_within_ten_seconds() -> None:
    """No dead letter, and no more in memory than before [27] [40] [42]."""

    async def main() -> None:
        bench = _bench(lambda _order, now: DOWN if 20.0 <= now < 140.0 else OK)
        for number in range(16_000):
            bench.emit(number % 4, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0, 1, 2, 3)
            await asyncio.sleep(10.0)
            before = await _served_within(bench, 10.0)
            await asyncio.sleep(120.0)
            assert bench.engine.admission.state is State.PROBING
            assert bench.source.window.records <= 2000
            assert bench.engine.lanes <= 100
            await asyncio.sleep(10.0)
            assert await _served_within(bench, 10.0) >= 0.95 * before
        assert bench.letters.letters == []

    run_in_virtual_time(main())


def test_an_outage_is_noticed_and_its_end_is_tried_with_another_order_each_time() -> None:
    """Nobody is asked a third time while there are others that were not; no two probes at once."""

    async def main() -> None:
        bench = _bench(lambda _order, _now: DOWN)
        for number in range(3000):
            bench.emit(0, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await eventually(lambda: bench.engine.admission.state is State.PROBING)
            await asyncio.sleep(1.0)
            bench.button.most_open_calls = bench.button.open_calls
            await asyncio.sleep(1800.0)
            assert bench.button.most_open_calls <= 1
        assert max(bench.button.attempts.values()) <= 2
        assert len(bench.button.attempts) > 100

    run_in_virtual_time(main())


@pytest.mark.parametrize("orders", [1, 2, 9])
@pytest.mark.parametrize("reply", [Answer(401, "error"), DOWN, Answer(429, "error", retry_after_seconds=20.0)])
def test_whoever_is_alone_is_told_when_the_other_side_is_back(reply: Reply, orders: int) -> None:
    """With more workers than orders none of them may be overlooked: nothing new comes to wake anybody [27]."""

    async def main() -> None:
        bench = _bench(lambda _order, now: reply if 20.0 < now < 300.0 else OK)
        for number in range(400):
            bench.emit(0, purchase(f"before-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest(within_seconds=20.0)
            await asyncio.sleep(20.0)
            for number in range(orders):
                bench.emit(0, purchase(f"o-{number}"))
            await asyncio.sleep(280.0)
            await bench.at_rest(within_seconds=45.0)
        assert bench.letters.letters == []

    run_in_virtual_time(main())


@pytest.mark.parametrize(("after_seconds", "share"), [(1.0, 0.95), (None, 0.95)], ids=["Retry-After", "not a word"])
def test_of_a_limit_of_two_hundred_a_second_nearly_all_is_used_with_few_refusals(
    after_seconds: float | None,
    share: float,
) -> None:
    """Found by itself, and no order is to blame; where Button says how long to wait, 95 % at least."""

    async def main() -> None:
        calls: Counter[int] = Counter()

        def answer(_order: str, now: float) -> Reply:
            calls[floor(now)] += 1
            return OK if calls[floor(now)] <= 200 else Answer(429, "error", retry_after_seconds=after_seconds)

        bench = _bench(answer, latency_seconds=0.02)
        for number in range(16_000):
            bench.emit(number % 4, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0, 1, 2, 3)
            await asyncio.sleep(15.0)
            refused = sum(each.result == "http_429" for each in bench.seen.of(AttemptFinished))
            assert await _served_within(bench, 45.0) >= share * 200 * 45
            refused = sum(each.result == "http_429" for each in bench.seen.of(AttemptFinished)) - refused
            assert refused <= 0.02 * 200 * 45
            assert bench.engine.admission.state is State.LIMITED
        assert bench.letters.letters == []
        assert "probing" not in [each.state for each in bench.seen.of(AdmissionChanged)]

    run_in_virtual_time(main())


def test_a_rate_for_the_organization_is_shared_by_partitions() -> None:
    """Two of eight partitions have a quarter of it; one that is given back takes its share along."""

    async def main() -> None:
        options = EngineOptions(max_concurrency=32, rate_limit_per_second=100.0)
        bench = Bench(options)
        bench.total_partitions = 8
        for number in range(4000):
            bench.emit(number % 2, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0, 1)
            await asyncio.sleep(2.0)
            assert await _served_within(bench, 20.0) == pytest.approx(500, rel=0.03)
            await bench.source.revoke(1)
            await asyncio.sleep(2.0)
            assert await _served_within(bench, 20.0) == pytest.approx(250, rel=0.03)
            assert bench.engine.admission.state is State.LIMITED

    run_in_virtual_time(main())


async def _with_and_without(poison: bool) -> tuple[int, Bench]:  # noqa: FBT001  which of the two
    bench = _bench(lambda order, _now: DOWN if order == "poison" else OK, max_records=4000)
    bench.emit(0, purchase("poison" if poison else "o"))
    for number in range(24_000):
        bench.emit(number % 4 if number < 8_000 else 1 + number % 3, purchase(f"o-{number}"))
    async with bench.running():
        bench.source.assign(0, 1, 2, 3)
        served = await _served_within(bench, 58.0)
        if poison:
            assert bench.letters.letters == []
        await eventually(lambda: bench.committed(0) > 1, deadline_seconds=60.0)
    return served, bench


def test_an_order_that_fails_for_ever_costs_the_others_next_to_nothing_and_does_not_pin() -> None:
    """Less than 5 %; after the bound it is a dead letter, and its partition's commit goes on [40] [41]."""

    async def main() -> None:
        without, _ = await _with_and_without(poison=False)
        served, bench = await _with_and_without(poison=True)
        assert served >= 0.95 * without
        ((record, letter),) = bench.letters.letters
        assert (record.offset, letter.reason, letter.order_id) == (0, "pins_partition", "poison")
        assert letter.attempts > 5

    run_in_virtual_time(main())


def test_an_order_that_pins_nothing_may_fail_for_longer() -> None:
    """Behind another one that is not done; in the end it is given up, too."""

    async def main() -> None:
        bench = _bench(lambda order, _now: DOWN if order == "poison" else OK)
        bench.button.latency = lambda call, _attempt: 400.0 if _order_id(call) == "slow" else 0.1
        bench.emit(0, purchase("slow"))
        bench.emit(0, purchase("poison"))
        bench.emit(1, purchase("o"))
        async with bench.running():
            bench.source.assign(0, 1)
            await _trickle(bench, 115.0)
            assert bench.letters.letters == []
            await _trickle(bench, 30.0)
        assert bench.letters.letters[0][1].reason == "keeps_failing"

    run_in_virtual_time(main())


def test_an_order_that_fails_alone_is_not_given_up() -> None:
    """Nobody knows whose fault it is while nobody else calls; as soon as others are told, its time runs."""

    async def main() -> None:
        bench = _bench(lambda order, _now: DOWN if order == "poison" else OK)
        bench.emit(0, purchase("poison"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(7200.0)
            assert bench.letters.letters == []
            bench.source.assign(1)
            await _trickle(bench, 150.0)
            assert [letter.order_id for _, letter in bench.letters.letters] == ["poison"]

    run_in_virtual_time(main())


def test_being_one_too_many_is_held_against_no_order() -> None:
    """A 429 is about all of us, whoever gets it."""

    async def main() -> None:
        bench = _bench(lambda order, _now: Answer(429, "error") if order == "unlucky" else OK)
        bench.emit(0, purchase("unlucky"))
        async with bench.running():
            bench.source.assign(0, 1)
            await _trickle(bench, 400.0)
        assert bench.letters.letters == []
        assert bench.button.attempts["unlucky"] > 20

    run_in_virtual_time(main())


@pytest.mark.parametrize("reply", [DOWN, NoAnswer("no answer in time"), Answer(429, "error")], ids=["503", "-", "429"])
def test_no_outage_makes_a_dead_letter_not_even_one_with_bright_moments(reply: Reply) -> None:
    """One call in twenty gets through, for an hour: the others are not to blame for being the nineteen."""

    async def main() -> None:
        calls = 0

        def answer(_order: str, now: float) -> Reply:
            nonlocal calls
            calls += 1
            return OK if now > 3600.0 or calls % 20 == 0 else reply

        bench = _bench(answer, max_records=400)
        for number in range(3000):
            bench.emit(number % 4, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0, 1, 2, 3)
            await asyncio.sleep(3600.0)
            assert bench.letters.letters == []
            await bench.at_rest()
        assert bench.letters.letters == []

    run_in_virtual_time(main())


def test_a_busy_order_takes_nothing_from_the_other_partitions() -> None:
    """Two thousand events of one order in one partition: the others do not notice [40]."""

    async def main() -> None:
        served: dict[bool, Counter[int]] = {}
        for is_busy in (False, True):
            bench = _bench(lambda _order, _now: OK)
            for number in range(8_000):
                partition = number % 4
                is_hot = is_busy and partition == 0
                bench.emit(partition, purchase("hot" if is_hot else f"o-{number}"))
            async with bench.running():
                bench.source.assign(0, 1, 2, 3)
                await asyncio.sleep(15.0)
                served[is_busy] = Counter({each: bench.committed(each) for each in range(4)})
        for partition in (1, 2, 3):
            assert served[True][partition] >= 0.95 * served[False][partition]

    run_in_virtual_time(main())
