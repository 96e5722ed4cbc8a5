# SPDX-License-Identifier: Apache-2.0
"""What the sandbox's faults do to a real caller, and that they can be repeated."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from connector.sandbox import Fault, Sandbox, SandboxOptions, Switches
from connector.sandbox.faults import Attempt, Faults
from connector.sandbox.switches import SwitchError, changed, fault_shares
from tests.support.polling import eventually
from tests.support.sandbox_api import LOST, Api, calling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SEEN_BY_THE_CALLER: dict[str, tuple[object, bool]] = {
    # what the caller gets: a status or an error; and whether the order was taken all the same
    "fail": (503, False),
    "fail_after": (503, True),
    "drop_before": (httpx2.ReadError, False),
    "drop_after": (httpx2.RemoteProtocolError, True),
    "no_answer_before": (httpx2.ReadTimeout, False),
    "no_answer": (httpx2.ReadTimeout, True),
    "half_body": (httpx2.RemoteProtocolError, True),
    "slow_drip": (200, True),
    "huge_body": (200, True),
    "redirect": (307, False),
    "meta_error": (200, False),
    "page": (200, False),
    "delay": (200, True),
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """Give a sandbox without faults."""
    async with calling() as api:
        yield api


async def outcome(api: Api, order_id: str, timeout_seconds: float = 0.5) -> object:
    """Create an order and return the status, or the type of the error."""
    try:
        answer = await api.client.post("/v1/order", json=_body(order_id), timeout=timeout_seconds)
    except LOST as error:
        return type(error)
    return answer.status_code


def _body(order_id: str) -> dict[str, object]:
    return {"order_id": order_id, "total": 1, "currency": "USD", "purchase_date": "2026-02-03T04:05:06Z"}


def test_every_fault_has_an_expectation_and_a_share() -> None:
    """No fault is added without a test; each but the delay has a share of its own."""
    assert set(SEEN_BY_THE_CALLER) == set(Fault)
    assert {f"{fault}_share" for fault in Fault} - {"delay_share"} == set(fault_shares())


@pytest.mark.parametrize("fault", SEEN_BY_THE_CALLER)
@pytest.mark.parametrize("by", ["order id", "share"])
async def test_a_fault_meets_its_caller(api: Api, fault: str, by: str) -> None:
    """Each fault shows itself as it should and takes the order, or not; then the sandbox serves on."""
    api.sandbox.set(slow_drip_ms=1, huge_body_bytes=100_000)
    if by == "order id":
        api.sandbox.add_fault("order-1", fault, times=1)
    else:
        api.sandbox.set(**{f"{fault}_share": 1})
    seen, is_taken = SEEN_BY_THE_CALLER[fault]
    assert await outcome(api, "order-1") == seen
    assert ("order-1" in api.sandbox.orders) is is_taken
    [record] = api.sandbox.requests
    assert (record.fault, record.applied) == (None if fault == "delay" else fault, is_taken)
    api.sandbox.set(**{f"{fault}_share": 0})
    assert await outcome(api, "order-1") == (409 if is_taken else 200)


@pytest.mark.parametrize("fault", ["fail", "fail_after"])
async def test_a_failure_has_the_status_that_was_asked_for(api: Api, fault: str) -> None:
    """A failure by order id carries its own status, one by share that of the switch."""
    api.sandbox.add_fault("order-1", fault, status=502)
    api.sandbox.set(**{f"{fault}_share": 1, "fail_status": 500})
    assert [await outcome(api, "order-1"), await outcome(api, "order-2")] == [502, 500]


async def test_a_huge_body_is_huge_and_a_slow_one_slow(api: Api) -> None:
    """The body is blown up to its size; a slow one takes its time per byte."""
    api.sandbox.set(huge_body_bytes=3_000_000, slow_drip_ms=2)
    api.sandbox.add_fault("huge", "huge_body")
    api.sandbox.add_fault("slow", "slow_drip")
    answer = await api.create("huge")
    assert len(answer.content) >= 3_000_000
    assert answer.json()["object"]["order_id"] == "huge"
    started = time.monotonic()
    answer = await api.create("slow", line_items=[], customer=None)
    assert answer.json()["object"]["order_id"] == "slow"
    assert time.monotonic() - started >= 0.002 * (len(answer.content) - 1)


async def test_a_followed_redirect_shows_in_the_log(api: Api) -> None:
    """A caller that follows redirects is found out: there is nothing, and the log has it."""
    api.sandbox.add_fault("order-1", "redirect")
    answer = await api.client.post("/v1/order", json=_body("order-1"), follow_redirects=True)
    assert answer.status_code == 404
    assert [record.path for record in api.sandbox.requests] == ["/v1/order", "/redirected"]


async def test_an_error_under_200_says_so_in_its_body(api: Api) -> None:
    """The status says ok and ``meta.status`` says error; the order is not taken."""
    api.sandbox.set(meta_error_share=1)
    answer = await api.create()
    assert (answer.status_code, answer.json()["meta"]["status"]) == (200, "error")


async def test_connections_are_closed_before_anything_is_read() -> None:
    """The caller is cut although it has sent its call; the log never hears of it."""
    async with calling(Switches(close_on_accept_share=1)) as api:
        assert await outcome(api, "order-1") in (httpx2.ReadError, httpx2.WriteError, httpx2.ConnectError)
        control = await api.client.get(f"{api.sandbox.control_url}/_sandbox/stats")
        assert control.json()["connections"] == {"accepted": 1, "reset_on_accept": 1}
        assert api.sandbox.requests == []


async def test_a_lost_answer_is_lost_once_and_the_order_is_there(api: Api) -> None:
    """The classic of ambiguity: the caller tries again and is told that the order exists [48]."""
    api.sandbox.add_fault("order-*", "drop_after", operation="create", times=1)
    assert await outcome(api, "order-7") is httpx2.RemoteProtocolError
    assert await outcome(api, "order-7") == 409
    assert [record.status for record in api.sandbox.requests] == ["dropped", 409]
    assert [record.result for record in api.sandbox.requests] == [200, 409]


async def test_rules_count_attempts_per_order_and_operation(api: Api) -> None:
    """``times`` is per order; another operation, and another order, are met on their own."""
    api.sandbox.add_fault("order-*", "fail", operation="update", times=2)
    statuses = []
    for order_id in ("order-1", "order-2"):
        statuses.append((await api.create(order_id)).status_code)
        statuses += [(await api.update(order_id, total=1)).status_code for _ in range(3)]
    assert statuses == [200, 503, 503, 200] * 2


async def test_the_newest_rule_wins_and_rules_can_be_taken_back(api: Api) -> None:
    """A later rule goes before an earlier one; after ``clear_faults`` nothing is played."""
    api.sandbox.add_fault("order-*", "fail", status=500)
    api.sandbox.add_fault("order-1", "fail", status=504)
    assert [await outcome(api, "order-1"), await outcome(api, "order-2")] == [504, 500]
    api.sandbox.clear_faults()
    assert await outcome(api, "order-1") == 200


MIX = {"fail_share": 0.1, "drop_before_share": 0.05, "drop_after_share": 0.05, "delay_share": 0.2, "delay_ms": 1}


async def _play(seed: int, order_ids: list[str], callers: int) -> dict[tuple[str, int], tuple[str | None, float]]:
    async with calling(changed(Switches(), {**MIX, "seed": seed})) as api:
        queue = iter(order_ids)

        async def caller() -> None:
            for order_id in queue:
                for _ in range(3):
                    # None of these faults is silence, and a call that was given up on a busy machine would be missing.
                    await outcome(api, order_id, timeout_seconds=20)

        await asyncio.gather(*(caller() for _ in range(callers)))
        await eventually(lambda: all(record.outcome != "open" for record in api.sandbox.requests))
        return {
            (record.order_id or "", record.attempt): (record.fault, record.delay_ms) for record in api.sandbox.requests
        }


async def test_seeded_faults_are_the_same_however_calls_interleave() -> None:
    """The decision depends on seed, order, operation and attempt: not on connections, nor on the order of arrival."""
    order_ids = [f"order-{number}" for number in range(60)]
    one_by_one = await _play(7, order_ids, callers=1)
    at_once_and_backwards = await _play(7, order_ids[::-1], callers=8)
    assert at_once_and_backwards == one_by_one
    assert len({fault for fault, _ in one_by_one.values()}) == 4
    assert await _play(8, order_ids, callers=8) != one_by_one


def test_shares_are_met_and_attempts_differ() -> None:
    """Over many orders a share is what it says, and a second attempt is decided anew."""
    faults = Faults(Switches(fail_share=0.05, drop_after_share=0.1, seed=3))
    first = [faults.decide(Attempt(f"order-{n}", "create", 1), 1).fault for n in range(20_000)]
    second = [faults.decide(Attempt(f"order-{n}", "create", 2), 1).fault for n in range(20_000)]
    for played in (first, second):
        assert played.count(Fault.FAIL) / 20_000 == pytest.approx(0.05, abs=0.008)
        assert played.count(Fault.DROP_AFTER) / 20_000 == pytest.approx(0.1, abs=0.01)
    assert first != second


def test_a_seed_means_the_same_on_every_machine() -> None:
    """The decision is a BLAKE2b of the call, read as a fraction; ``b2sum -l 56`` gives the same."""
    faults = Faults(Switches(fail_share=0.5, seed=1))
    played = [faults.decide(Attempt(f"order-{n}", "create", 1), 1).fault is not None for n in range(12)]
    assert "".join("x" if hit else "." for hit in played) == "xx..x.x..x.."


def test_shares_that_cannot_be_met_together_are_refused() -> None:
    """One call plays one fault, so the shares must not add up to more than all calls."""
    with pytest.raises(SwitchError, match=r"add up to 1\.2; they must not exceed 1"):
        changed(Switches(), {"fail_share": 0.6, "redirect_share": 0.6})


async def test_of_two_creates_at_once_exactly_one_is_taken() -> None:
    """However many callers report the same order at the same moment, one is told 200 and the others 409."""
    async with (
        Sandbox(SandboxOptions(switches=Switches(delay_share=1, delay_ms=20, delay_when="before"))) as sandbox,
        httpx2.AsyncClient(base_url=sandbox.url, auth=("sk-sandbox", ""), verify=False) as client,
    ):
        answers = await asyncio.gather(*(client.post("/v1/order", json=_body("order-1")) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
        assert sum(record.applied for record in sandbox.requests) == 1
        assert sandbox.orders["order-1"].changes == 1


async def test_the_log_tells_calls_that_overlap_from_those_that_do_not(api: Api) -> None:
    """Two calls overlapped if each started before the other had finished."""
    api.sandbox.add_fault("slow-*", "delay", delay_ms=30)
    await asyncio.gather(api.create("slow-1"), api.create("slow-2"))
    await api.create("quick")
    first, second, third = api.sandbox.requests
    assert first.finished_ms is not None
    assert second.finished_ms is not None
    assert second.started_ms < first.finished_ms
    assert third.started_ms >= max(first.finished_ms, second.finished_ms)
    assert [record.sequence for record in api.sandbox.requests] == [1, 2, 3]
    assert len({first.connection, second.connection}) == 2
