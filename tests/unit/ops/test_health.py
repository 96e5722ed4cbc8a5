# SPDX-License-Identifier: Apache-2.0
"""When the connector counts as alive, ready and started."""

from __future__ import annotations

from connector.ops.health import Health, Verdict, younger_than


def test_a_silent_thread_is_not_alive_from_its_bound_on() -> None:
    """A poll thread that hangs is noticed; one that beats again is alive again [56]."""
    ages = iter((59.9, 60.0, 0.0))
    health = Health()
    health.live_when("poll", younger_than(60, lambda: next(ages)))
    assert health.liveness().ok
    assert health.liveness() == Verdict({"poll": "last sign of life 60.0 s ago, allowed are 60 s"})
    assert health.liveness().ok


def test_not_being_ready_does_not_make_it_dead() -> None:
    """An outage must not cause restarts, which would cause rebalances [64]."""
    health = Health()
    health.started_when("tables", lambda: None)
    health.ready_when("admission", lambda: "halted")
    assert health.readiness() == Verdict({"admission": "halted"})
    assert health.liveness().ok


def test_the_start_stays_over() -> None:
    """What counts as started does not turn back when a part of it fails later."""
    reasons: list[str | None] = ["reading sessions", None, "reading sessions again"]
    health = Health()
    health.started_when("tables", lambda: reasons.pop(0))
    assert [health.startup().ok for _ in range(3)] == [False, True, True]


def test_it_is_not_ready_before_it_has_started() -> None:
    """Readiness includes the start."""
    health = Health()
    health.started_when("tables", lambda: "reading sessions")
    assert health.readiness() == Verdict({"tables": "reading sessions"})


def test_without_any_check_it_has_not_started() -> None:
    """A connector that is still being put together does not claim to be up."""
    assert not Health().startup().ok


def test_a_check_that_fails_itself_is_a_no() -> None:
    """A probe gets an answer whatever happens."""
    health = Health()
    health.live_when("poll", lambda: str(1 / 0))
    assert health.liveness() == Verdict({"poll": "the check itself failed (ZeroDivisionError)"})
