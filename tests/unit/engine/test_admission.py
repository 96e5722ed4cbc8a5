# SPDX-License-Identifier: Apache-2.0
"""Who may send now."""

from __future__ import annotations

from math import inf
from random import Random
from typing import Any

import pytest

from connector.engine.admission import Admission, Failure, State
from connector.engine.backoff import Backoff
from connector.engine.concurrency import Concurrency
from connector.engine.observations import AdmissionChanged
from tests.support.fakes import Recorder


class _Judge:
    """An admission, what it told, and what is under way."""

    def __init__(self, limit: int = 100) -> None:
        self.seen = Recorder()
        self.admission = Admission(
            Backoff(1.0, 4.0),
            Random(1),  # noqa: S311  jitter
            self.seen,
            Concurrency(limit, is_adaptive=False),
        )

    @property
    def states(self) -> list[str]:
        return [each.state for each in self.seen.of(AdmissionChanged)]

    def may_start(self, now: float) -> bool:
        return self.admission.try_start(now) == 0.0

    def start_and_fail(self, now: float, order: str, **how: Any) -> None:  # noqa: ANN401  as fail takes it
        assert self.may_start(now)
        self.fail(now, order, **how)
        self.admission.ended(now, now, is_served=False)

    def fail(
        self,
        now: float,
        order: str,
        reason: str = "http_503",
        after_seconds: float | None = None,
        *,
        is_suspect: bool = False,
    ) -> None:
        self.admission.failed(Failure(now, now, order, reason, "busy", after_seconds), is_suspect=is_suspect)

    def serve(self, now: float) -> None:
        assert self.may_start(now)
        self.admission.answered(now)
        self.admission.ended(now, now, is_served=True)


@pytest.fixture
def judge() -> _Judge:
    """Return an admission that is running."""
    return _Judge()


def test_no_more_attempts_are_under_way_than_the_limit() -> None:
    """A slot belongs to one attempt: it is free again when that ended. [44]."""
    judge = _Judge(limit=2)
    assert judge.may_start(0.0)
    assert judge.may_start(0.0)
    assert judge.admission.try_start(0.0) == inf
    judge.admission.ended(0.0, 1.0, is_served=True)
    assert judge.may_start(1.0)
    assert judge.admission.in_flight == 2


def test_one_failing_order_does_not_stop_the_others(judge: _Judge) -> None:
    """However often it fails: it is one order. [41]."""
    for now in range(100):
        judge.start_and_fail(float(now), "poison")
    assert judge.admission.state is State.RUNNING
    assert judge.may_start(100.0)


def test_many_failing_orders_without_an_answer_in_between_are_an_outage(judge: _Judge) -> None:
    """Then one call at a time goes out, behind a gate."""
    for number in range(8):
        judge.start_and_fail(0.0, f"order-{number}")
    assert judge.admission.state is State.PROBING
    wait_seconds = judge.admission.try_start(0.0)
    assert 0.5 <= wait_seconds <= 1.0
    assert judge.admission.opens_in(0.0) == wait_seconds
    assert judge.may_start(wait_seconds)
    assert judge.admission.try_start(wait_seconds) > 1.0
    assert judge.admission.limit == 1


def test_orders_that_failed_before_while_others_succeeded_are_no_outage(judge: _Judge) -> None:
    """However many of them there are, they say nothing of the other side."""
    for number in range(50):
        judge.start_and_fail(0.0, f"order-{number}", is_suspect=True)
    assert judge.admission.state is State.RUNNING


def test_an_order_that_turns_out_to_be_a_suspect_leaves_the_sample(judge: _Judge) -> None:
    """It counted once, and does not any more."""
    for number in range(7):
        judge.start_and_fail(0.0, f"order-{number}")
    judge.start_and_fail(0.0, "order-0", is_suspect=True)
    judge.start_and_fail(0.0, "order-7")
    assert judge.states == []
    judge.start_and_fail(0.0, "order-8")
    assert judge.states == ["probing"]


def test_an_answer_in_between_shows_that_the_other_side_is_there(judge: _Judge) -> None:
    """A share of failing calls is no outage."""
    for number in range(50):
        judge.start_and_fail(0.0, f"order-{number}")
        if number % 5 == 0:
            judge.serve(0.0)
    assert judge.admission.state is State.RUNNING


def test_too_many_calls_are_no_outage(judge: _Judge) -> None:
    """Whoever answers 429 is there; what helps is a rate, not a probe."""
    for number in range(50):
        judge.fail(0.0, f"order-{number}", "http_429")
    judge.admission.try_start(0.0)
    assert judge.admission.state is State.LIMITED


def test_the_gate_grows_with_every_failed_probe_up_to_its_bound(judge: _Judge) -> None:
    """A server that is down is not hammered, and its return is noticed within the bound."""
    judge.admission.unauthorized(0.0, "http_401", "no")
    waits, now = [], 0.0
    for _ in range(6):
        wait_seconds = judge.admission.try_start(now)
        waits.append(wait_seconds)
        now += wait_seconds
        assert judge.may_start(now)
        judge.admission.unauthorized(now, "http_401", "no")
        judge.admission.ended(now, now, is_served=False)
    assert waits[0] <= 1.0
    assert waits[-1] >= 2.0
    assert max(waits) <= 4.0


def test_calls_that_were_out_when_it_changed_count_as_one_failed_probe(judge: _Judge) -> None:
    """Sixty-four refused calls at once are one piece of news."""
    for _ in range(64):
        judge.admission.unauthorized(0.0, "http_401", "no")
    assert judge.admission.try_start(0.0) <= 1.0
    assert judge.states == ["halted"]


def test_a_successful_probe_lets_the_others_go_again(judge: _Judge) -> None:
    """And the change is told once."""
    judge.admission.unauthorized(0.0, "http_401", "no")
    judge.admission.answered(0.0)
    assert [judge.may_start(0.0) for _ in range(3)] == [True] * 3
    assert judge.states == ["halted", "running"]


def test_after_an_outage_calls_start_low_again() -> None:
    """What comes back is not met by everything at once."""
    concurrency = Concurrency(100)
    admission = Admission(Backoff(1.0, 4.0), Random(1), Recorder(), concurrency)  # noqa: S311  jitter
    first = concurrency.limit
    concurrency.used_up()
    for number in range(50):
        concurrency.ended(number * 0.01, number * 0.01 + 0.01, is_served=True)
    assert concurrency.limit > first
    admission.unauthorized(1.0, "http_401", "no")
    admission.answered(2.0)
    assert admission.limit == first


def test_during_an_outage_a_time_that_button_named_is_when_the_next_probe_is_made(judge: _Judge) -> None:
    """A maintenance page that says one second is asked every second, not once in the patience of a probe."""
    judge.admission.unauthorized(0.0, "http_401", "no")
    now = judge.admission.try_start(0.0)
    for _ in range(5):
        judge.start_and_fail(now, "order", after_seconds=1.0)
        wait_seconds = judge.admission.try_start(now)
        assert 1.0 <= wait_seconds <= 1.1
        now += wait_seconds


def test_a_probe_that_tells_nothing_gives_its_place_to_another(judge: _Judge) -> None:
    """A 403 that a lookup has to explain, for example."""
    judge.admission.unauthorized(0.0, "http_401", "no")
    now = judge.admission.try_start(0.0)
    assert judge.may_start(now)
    judge.admission.undecided(now)
    assert judge.may_start(now)


def test_a_time_that_button_named_gates_everybody_with_jitter_behind_it(judge: _Judge) -> None:
    """Nobody asks before it is over, and a fleet does not come back at once."""
    judge.start_and_fail(10.0, "order", after_seconds=20.0)
    wait_seconds = judge.admission.try_start(11.0)
    assert 19.0 < wait_seconds <= 21.0
    assert judge.admission.state is State.LIMITED
    assert judge.may_start(11.0 + wait_seconds)
    others = []
    for seed in range(20):
        admission = Admission(Backoff(1.0, 4.0), Random(seed), Recorder(), Concurrency(8))  # noqa: S311  jitter
        admission.failed(Failure(0.0, 0.0, "order", "http_503", "busy", 20.0))
        others.append(admission.try_start(0.0))
    assert len(set(others)) == 20
    assert max(others) - min(others) > 1.0


def test_what_holds_back_is_limited_until_nothing_was_held_back_for_a_while(judge: _Judge) -> None:
    """The log says so once each, whatever the tokens do."""
    judge.admission.rate.configure(10.0)
    now = 0.0
    for _ in range(100):
        now += judge.admission.try_start(now) or 0.001
    assert judge.states == ["limited"]
    for _ in range(30):
        now += 1.0
        judge.admission.try_start(now)
    assert judge.states == ["limited", "running"]
