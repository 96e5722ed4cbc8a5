# SPDX-License-Identifier: Apache-2.0
"""Who may send now."""

from __future__ import annotations

from random import Random

import pytest

from connector.engine.admission import Admission, State
from connector.engine.backoff import Backoff
from connector.engine.observations import AdmissionChanged
from tests.support.fakes import Recorder


class _Judge:
    """An admission and what it told."""

    def __init__(self) -> None:
        self.seen = Recorder()
        self.admission = Admission(Backoff(1.0, 4.0), Random(1), self.seen)  # noqa: S311  jitter

    def fail(self, now: float, order: str, after_seconds: float | None = None) -> None:
        self.admission.failed(now, order, "http_503", "busy", after_seconds)


@pytest.fixture
def judge() -> _Judge:
    """Return an admission that is running."""
    return _Judge()


def test_one_failing_order_does_not_stop_the_others(judge: _Judge) -> None:
    """However often it fails: it is one order. [41]."""
    for now in range(100):
        judge.fail(now, "poison")
    assert (judge.admission.state, judge.admission.try_start(100.0)) == (State.RUNNING, 0.0)


def test_many_failing_orders_without_an_answer_in_between_are_an_outage(judge: _Judge) -> None:
    """Then one call at a time goes out, behind a gate."""
    for number in range(8):
        judge.fail(0.0, f"order-{number}")
    assert judge.admission.state is State.PROBING
    wait_seconds = judge.admission.try_start(0.0)
    assert 0.5 <= wait_seconds <= 1.0
    assert judge.admission.try_start(wait_seconds) == 0.0
    assert judge.admission.try_start(wait_seconds) > 1.0


def test_an_answer_in_between_shows_that_the_other_side_is_there(judge: _Judge) -> None:
    """A share of failing calls is no outage."""
    for number in range(50):
        judge.fail(0.0, f"order-{number}")
        if number % 5 == 0:
            judge.admission.answered()
    assert judge.admission.state is State.RUNNING


def test_the_gate_grows_with_every_failed_probe_up_to_its_bound(judge: _Judge) -> None:
    """A server that is down is not hammered, and its return is noticed within the bound."""
    judge.admission.unauthorized(0.0, "http_401", "no")
    waits, now = [], 0.0
    for _ in range(6):
        wait_seconds = judge.admission.try_start(now)
        waits.append(wait_seconds)
        now += wait_seconds
        assert judge.admission.try_start(now) == 0.0
        judge.admission.unauthorized(now, "http_401", "no")
    assert waits[0] <= 1.0
    assert waits[-1] >= 2.0
    assert max(waits) <= 4.0


def test_calls_that_were_out_when_it_changed_count_as_one_failed_probe(judge: _Judge) -> None:
    """Sixty-four refused calls at once are one piece of news."""
    for _ in range(64):
        judge.admission.unauthorized(0.0, "http_401", "no")
    assert judge.admission.try_start(0.0) <= 1.0
    assert len(judge.seen.of(AdmissionChanged)) == 1


def test_a_successful_probe_lets_everybody_go(judge: _Judge) -> None:
    """And the change is told once."""
    judge.admission.unauthorized(0.0, "http_401", "no")
    judge.admission.answered()
    assert [judge.admission.try_start(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert [each.state for each in judge.seen.of(AdmissionChanged)] == ["halted", "running"]


def test_a_probe_that_does_not_take_place_gives_its_place_to_another(judge: _Judge) -> None:
    """Its partition was taken away meanwhile."""
    judge.admission.unauthorized(0.0, "http_401", "no")
    now = judge.admission.try_start(0.0)
    assert judge.admission.try_start(now) == 0.0
    judge.admission.abandoned(now)
    assert judge.admission.try_start(now) == 0.0


def test_a_time_that_button_named_gates_everybody(judge: _Judge) -> None:
    """Nobody asks before it is over, running or not."""
    judge.fail(10.0, "order", after_seconds=20.0)
    assert judge.admission.try_start(11.0) == pytest.approx(19.0)
    assert judge.admission.try_start(30.0) == 0.0
