# SPDX-License-Identifier: Apache-2.0
"""The engine's promises, in simulated time."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from connector.domain.attribution import Found
from connector.domain.orders import Create, Reject
from connector.domain.responses import Answer, NoAnswer, NotSent
from connector.engine.engine import EngineOptions
from connector.engine.observations import AdmissionChanged, AttemptFailed, EventSkipped, StaleCompletion, TokenLookedUp
from connector.engine.ports import TopicPartition
from tests.simulation.bench import Bench
from tests.support.fakes import purchase, refund
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from connector.domain.orders import Call

P0 = TopicPartition("orders", 0)


def test_an_offset_is_committed_only_after_button_acknowledged() -> None:
    """While the call is out, nothing is committed; afterwards the offset behind the record is [1] [28]."""

    async def main() -> None:
        bench = Bench()
        bench.button.latency = lambda _call, _attempt: 10.0
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(9.0)
            assert (bench.button.open_calls, bench.source.commits) == (1, [])
            await bench.at_rest()
            assert bench.source.commits == [{P0: 1}]

    run_in_virtual_time(main())


def test_a_fast_order_does_not_carry_a_slow_one_below_the_committed_offset() -> None:
    """Lanes run side by side, and the commit waits for the slowest [1] [25]."""

    async def main() -> None:
        bench = Bench()
        bench.button.latency = lambda call, _attempt: 60.0 if _is(call, "slow") else 0.1
        bench.emit(0, purchase("slow"))
        for number in range(10):
            bench.emit(0, purchase(f"fast-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(30.0)
            assert len(bench.button.calls) == 10
            assert bench.committed(0) == 0
            await bench.at_rest()
            assert bench.committed(0) == 11

    run_in_virtual_time(main())


def _is(call: object, order_id: str) -> bool:
    order = getattr(call, "order", None)
    return order is not None and order.order_id == order_id


def test_events_of_an_order_are_told_one_at_a_time_and_in_order_across_retries() -> None:
    """The cancel waits until the create got through, however often that fails [46]."""

    async def main() -> None:
        bench = Bench()
        bench.button.answer = lambda _call, attempt: NotSent("refused") if attempt <= 5 else Answer(200, "ok")
        bench.emit(0, purchase("o-1"))
        bench.emit(0, refund("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
        assert bench.button.told("o-1") == ["create"] * 6 + ["cancel"]
        starts_and_ends = [(start, end) for _, _, start, end in bench.button.calls]
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(starts_and_ends))

    run_in_virtual_time(main())


def test_an_outage_makes_no_dead_letter_and_is_carried_on_from() -> None:
    """Two hours without Button: nothing is given up, few calls are made, everything arrives afterwards [27] [40]."""

    async def main() -> None:
        bench = Bench()
        loop = asyncio.get_running_loop()
        bench.button.answer = lambda _call, _attempt: Answer(503) if loop.time() < 7200 else Answer(200, "ok")
        for number in range(500):
            bench.emit(number % 4, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0, 1, 2, 3)
            await asyncio.sleep(7200)
            assert len(bench.button.calls) < 5000
            back_at = loop.time()
            await bench.at_rest()
            assert loop.time() - back_at < 60.0
        assert bench.letters.letters == []
        assert [each.state for each in bench.seen.of(AdmissionChanged)] == ["probing", "running"]
        assert {order for order, *_ in bench.button.calls} == {f"o-{number}" for number in range(500)}

    run_in_virtual_time(main())


def test_a_refused_key_halts_sending_and_no_record_is_blamed() -> None:
    """401: one probe at a time until the key is right; no dead letter [25] [27]."""

    async def main() -> None:
        bench = Bench()
        loop = asyncio.get_running_loop()
        bench.button.answer = lambda _call, _attempt: Answer(401) if loop.time() < 600 else Answer(200, "ok")
        for number in range(300):
            bench.emit(0, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(10.0)
            before = len(bench.button.calls)
            await asyncio.sleep(500.0)
            assert len(bench.button.calls) - before <= 210
            assert bench.committed(0) == 0
            await bench.at_rest()
        assert bench.letters.letters == []
        assert [each.state for each in bench.seen.of(AdmissionChanged)] == ["halted", "running"]

    run_in_virtual_time(main())


def test_a_dead_letter_is_durable_before_its_offset_counts() -> None:
    """While the dead-letter topic is down the offset stays, and other orders go on [26] [29]."""

    async def main() -> None:
        bench = Bench()
        bench.letters.up.clear()
        bench.emit(0, Reject("bad", "bad event"))
        bench.emit_meaning(0, Reject("not_avro", "no Avro"))
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(100.0)
            assert bench.button.told("o-1") == ["create"]
            assert bench.committed(0) == 0
            bench.letters.up.set()
            await bench.at_rest()
        assert [(record.offset, letter.event_index, letter.reason) for record, letter in bench.letters.letters] == [
            (0, 0, "bad"),
            (1, None, "not_avro"),
        ]

    run_in_virtual_time(main())


def test_a_refused_order_becomes_a_dead_letter_with_its_attempts_and_others_go_on() -> None:
    """400 is final for the record alone."""

    async def main() -> None:
        bench = Bench()
        bench.button.answer = lambda call, _attempt: (
            Answer(400, "error", message="no") if _is(call, "bad") else Answer(200, "ok")
        )
        bench.emit(0, purchase("bad"))
        bench.emit(0, purchase("good"))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
        ((record, letter),) = bench.letters.letters
        assert (record.offset, letter.stage, letter.attempts) == (0, "deliver", 1)
        assert bench.button.told("good") == ["create"]

    run_in_virtual_time(main())


def test_tombstones_and_other_actions_are_passed_over_and_counted() -> None:
    """A record without a value, and an action that is not an order's, only move the offset [47]."""

    async def main() -> None:
        bench = Bench()
        bench.source.append(0, None)
        bench.emit(0, purchase("o-1", action="add_to_cart"))
        bench.emit(0, purchase(None, action="click"))
        bench.emit(0)
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
        assert bench.button.calls == []
        assert len(bench.seen.of(EventSkipped)) == 2

    run_in_virtual_time(main())


def test_no_more_records_are_taken_in_than_may_be_uncommitted() -> None:
    """With every call hanging, exactly the bound is in memory, and no more calls than the concurrency [42] [44]."""

    async def main() -> None:
        bench = Bench(EngineOptions(concurrency=16), max_records=100)
        bench.button.latency = lambda _call, _attempt: 1000.0
        for number in range(5000):
            bench.emit(number % 3, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0, 1, 2)
            await asyncio.sleep(900.0)
            assert bench.source.delivered == 100
            assert bench.source.window.records == 100
            assert bench.button.most_open_calls == 16
            bench.button.latency = lambda _call, _attempt: 0.01
            await bench.at_rest()
        assert len(bench.button.calls) == 5000

    run_in_virtual_time(main())


def test_a_refused_commit_keeps_the_window_closed_and_is_tried_again() -> None:
    """What the group has not acknowledged counts as uncommitted, however much Button has [13] [54]."""

    async def main() -> None:
        bench = Bench(max_records=100)
        bench.source.refuse_commits = "COORDINATOR_NOT_AVAILABLE"
        for number in range(500):
            bench.emit(0, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(600.0)
            assert len(bench.button.calls) == 100
            bench.source.refuse_commits = ""
            await bench.at_rest()
        assert len(bench.button.calls) == 500

    run_in_virtual_time(main())


def test_a_revoke_lets_calls_finish_commits_them_and_starts_nothing_more() -> None:
    """Drain first, commit, fence last: finished work is neither lost nor done twice [1, 9, 11, 15]."""

    async def main() -> None:
        bench = Bench(EngineOptions(concurrency=4))
        bench.button.latency = lambda _call, _attempt: 5.0
        for number in range(20):
            bench.emit(0, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(1.0)
            assert await bench.source.revoke(0) == {P0: 4}
            assert len(bench.button.calls) == 4
            await asyncio.sleep(60.0)
            assert len(bench.button.calls) == 4
            assert bench.source.window.records == 0

    run_in_virtual_time(main())


def test_other_partitions_go_on_while_one_is_drained() -> None:
    """A revoke of one partition does not stop the work of another."""

    async def main() -> None:
        bench = Bench()
        bench.button.latency = lambda call, _attempt: 20.0 if _is(call, "slow") else 1.0
        bench.emit(0, purchase("slow"))
        async with bench.running():
            bench.source.assign(0, 1)
            await asyncio.sleep(0.5)
            drain = asyncio.ensure_future(bench.source.revoke(0))
            await asyncio.sleep(0.5)
            bench.emit(1, purchase("other"))
            await asyncio.sleep(5.0)
            assert not drain.done()
            assert bench.button.told("other") == ["create"]
            assert await drain == {P0: 1}

    run_in_virtual_time(main())


def test_a_drain_ends_with_its_budget_and_what_is_still_out_is_not_committed() -> None:
    """A server that sits on a request cannot hold the group up, and its record is read again [7, 14] [15]."""

    async def main() -> None:
        bench = Bench(EngineOptions(drain_seconds=10.0))
        loop = asyncio.get_running_loop()
        bench.button.latency = lambda call, _attempt: 1000.0 if _is(call, "stuck") else 1.0
        bench.emit(0, purchase("done"))
        bench.emit(0, purchase("stuck"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(0.5)
            started = loop.time()
            assert await bench.source.revoke(0) == {P0: 1}
            assert loop.time() - started == pytest.approx(10.0)
            await asyncio.sleep(2000.0)
            assert len(bench.seen.of(StaleCompletion)) == 1
            assert bench.committed(0) == 1

    run_in_virtual_time(main())


def test_a_key_that_is_handed_back_waits_for_its_old_call() -> None:
    """Revoked and assigned again while a call runs: the order's next call starts only when that one ended [6]."""

    async def main() -> None:
        bench = Bench(EngineOptions(drain_seconds=1.0))
        bench.button.latency = lambda _call, attempt: 100.0 if attempt == 1 else 1.0
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(0.5)
            await bench.source.revoke(0)
            bench.source.assign(0)
            await asyncio.sleep(50.0)
            assert bench.button.most_open_calls == 1
            await bench.at_rest()
        assert bench.button.most_open_calls == 1
        assert bench.button.told("o-1") == ["create", "create"]

    run_in_virtual_time(main())


def test_a_late_completion_of_a_lost_partition_does_not_touch_its_new_assignment() -> None:
    """Lost and handed back: the old call's end neither commits nor completes the new record [2] [8] [12] [19]."""

    async def main() -> None:
        bench = Bench()
        bench.button.latency = lambda _call, attempt: 30.0 if attempt == 1 else 300.0
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(1.0)
            bench.source.lose(0)
            bench.source.assign(0)
            await asyncio.sleep(100.0)
            assert len(bench.seen.of(StaleCompletion)) == 1
            assert bench.committed(0) == 0
            await bench.at_rest()

    run_in_virtual_time(main())


def test_nothing_is_sent_before_the_sessions_table_has_caught_up() -> None:
    """An order told without its token would be unattributed for good [59]."""

    async def main() -> None:
        bench = Bench()
        bench.sessions.ready.clear()
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(100.0)
            assert bench.button.calls == []
            bench.sessions.ready.set()
            await bench.at_rest()

    run_in_virtual_time(main())


def test_every_start_of_a_call_asks_whether_it_may() -> None:
    """Without leave (a lease, later) no call starts, and none is lost [17]."""

    async def main() -> None:
        bench = Bench()
        loop = asyncio.get_running_loop()
        bench.may_start = lambda: loop.time() > 50.0
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(40.0)
            assert bench.button.calls == []
            await bench.at_rest()
        assert bench.button.told("o-1") == ["create"]

    run_in_virtual_time(main())


class _SchemaFetch:
    """A schema that is still to be fetched."""

    def __init__(self) -> None:
        self.fetched = asyncio.Event()

    async def ready(self) -> None:
        await self.fetched.wait()


def test_a_record_that_cannot_be_decoded_yet_holds_its_partition_in_order_and_no_other() -> None:
    """A registry outage is never a poison record; later records of the partition do not overtake [31]."""

    async def main() -> None:
        bench = Bench()
        fetch = _SchemaFetch()
        waiting = bench.emit_meaning(0, fetch)
        bench.emit(0, refund("o-1"))
        bench.emit(1, purchase("other"))
        async with bench.running():
            bench.source.assign(0, 1)
            await asyncio.sleep(100.0)
            assert [order for order, *_ in bench.button.calls] == ["other"]
            assert waiting.value is not None
            bench.decoder.meanings[waiting.value] = [purchase("o-1")]
            fetch.fetched.set()
            await bench.at_rest()
        assert bench.button.told("o-1") == ["create", "cancel"]
        assert bench.letters.letters == []

    run_in_virtual_time(main())


def test_retry_after_gates_the_whole_process() -> None:
    """When Button names a time, nobody asks earlier."""

    async def main() -> None:
        bench = Bench(EngineOptions(concurrency=2))
        bench.button.answer = lambda _call, _attempt: (
            Answer(429, retry_after_seconds=20.0) if len(bench.button.calls) == 1 else Answer(200, "ok")
        )
        bench.button.latency = lambda _call, _attempt: 0.01
        for number in range(50):
            bench.emit(0, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
        starts = sorted(start for _, _, start, _ in bench.button.calls)
        assert [start for start in starts if 0.02 < start < 20.0] == []

    run_in_virtual_time(main())


def test_a_lost_answer_is_asked_again_and_found_to_exist() -> None:
    """Sent, no answer: told once more; "exists" then completes it [48]."""

    async def main() -> None:
        bench = Bench()
        bench.button.answer = lambda _call, attempt: NoAnswer("cut") if attempt == 1 else Answer(409, "error")
        bench.emit(0, purchase("o-1"))
        async with bench.running():
            bench.source.assign(0)
            await bench.at_rest()
        assert bench.button.told("o-1") == ["create", "create"]
        assert len(bench.seen.of(AttemptFailed)) == 1
        assert bench.letters.letters == []

    run_in_virtual_time(main())


def test_a_pinned_partition_does_not_use_up_the_window_of_the_others() -> None:
    """One order that hangs stops reading on of its own partition only [40]."""

    async def main() -> None:
        bench = Bench(EngineOptions(concurrency=8), max_records=100)
        bench.button.answer = lambda call, _attempt: Answer(500) if _is(call, "poison") else Answer(200, "ok")
        bench.emit(0, purchase("poison"))
        for number in range(2000):
            bench.emit(number % 2, purchase(f"o-{number}"))
        async with bench.running():
            bench.source.assign(0, 1)
            await asyncio.sleep(600.0)
            assert bench.committed(1) == 1000
            assert bench.committed(0) == 0
            assert bench.source.window.records <= 100

    run_in_virtual_time(main())


def test_a_young_purchase_waits_for_its_token_and_holds_up_nobody() -> None:
    """The token that comes in time is told; one that does not come is not waited for any longer than asked."""

    async def main() -> None:
        now_ms = 1_700_000_123_000
        bench = Bench(EngineOptions(concurrency=1, token_wait_seconds=10.0))
        bench.emit(0, purchase("young", occurred_at_ms=now_ms - 4_000, session_uuid="s-1"))
        bench.emit(0, purchase("old", occurred_at_ms=now_ms - 11_000, session_uuid="s-2"))
        told: list[Create] = []

        def answer(call: Call, _attempt: int) -> Answer:
            assert isinstance(call, Create)
            told.append(call)
            return Answer(200, "ok")

        bench.button.answer = answer
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(5.0)
            assert [call.order.order_id for call in told] == ["old"]
            bench.sessions.answer = Found("srctok-1", now_ms - 5_000, "session")
            bench.sessions.arrived.set()
            await bench.at_rest()
        assert [call.order.btn_ref for call in told] == [None, "srctok-1"]

    run_in_virtual_time(main())


def test_a_token_that_does_not_come_is_waited_for_once() -> None:
    """The order is told without it when it is as old as it may get."""

    async def main() -> None:
        bench = Bench(EngineOptions(token_wait_seconds=10.0))
        bench.emit(0, purchase("o-1", occurred_at_ms=1_700_000_123_000 - 4_000, session_uuid="s-1"))
        async with bench.running():
            bench.source.assign(0)
            await asyncio.sleep(5.5)
            assert bench.button.calls == []
            await bench.at_rest(within_seconds=2.0)
        assert bench.button.told("o-1") == ["create"]
        assert [each.source for each in bench.seen.of(TokenLookedUp)] == ["none"]

    run_in_virtual_time(main())
