# SPDX-License-Identifier: Apache-2.0
"""How many calls may be begun per second, against limits as servers have them."""

from __future__ import annotations

import heapq
import random
from math import floor
from typing import TYPE_CHECKING, NamedTuple

import pytest

from connector.engine.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable

LATENCY_SECONDS = 0.05


class _Window:
    """So many calls in each window of time; says when the next one begins, in whole seconds."""

    def __init__(self, calls: int, seconds: float = 1.0, *, is_told: bool = True) -> None:
        self.calls, self.seconds, self.is_told = calls, seconds, is_told
        self._window, self._count = -1, 0

    def refuse(self, now: float) -> float | None:
        window = floor(now / self.seconds)
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        if self._count <= self.calls:
            return None
        return float(max(1, -floor(-((window + 1) * self.seconds - now)))) if self.is_told else 0.0


class _Bucket:
    """So many calls a second, and some more after a rest."""

    def __init__(self, per_second: float, most: float) -> None:
        self.per_second, self.most, self._tokens, self._now = per_second, most, most, 0.0

    def refuse(self, now: float) -> float | None:
        self._tokens = min(self.most, self._tokens + (now - self._now) * self.per_second)
        self._now = now
        if self._tokens < 1.0:
            return 1.0
        self._tokens -= 1.0
        return None


class _Played(NamedTuple):
    served_per_second: float
    refused_per_second: float


def _play(
    rate: Rate,
    refuse: Callable[[float], float | None],
    since: float,
    seconds: float,
    wanted_per_second: float = 2000.0,
) -> _Played:
    """Begin calls as the rate allows, wait where the server says so, and count from ``since`` on."""
    now, served, refused = 0.0, 0, 0
    gate, offered = 0.0, 0.0
    answers: list[tuple[float, float, float | None]] = []
    while now < since + seconds:
        while answers and answers[0][0] <= now:
            ended, started, after_seconds = heapq.heappop(answers)
            if after_seconds is None:
                rate.served(ended)
            else:
                after_seconds = after_seconds or 1.0  # so long the admission waits where no time is named
                rate.refused(started, ended, after_seconds)
                gate = max(gate, ended + 1.05 * after_seconds)
            served += after_seconds is None and ended >= since
            refused += after_seconds is not None and ended >= since
        if now < gate:
            now = min(gate, answers[0][0]) if answers else gate
        elif (wait_seconds := rate.take(now)) > 0.0:
            now += wait_seconds
        else:
            heapq.heappush(answers, (now + LATENCY_SECONDS, now, refuse(now)))
            offered = max(offered, now) + 1.0 / wanted_per_second
            now = offered
    return _Played(served / seconds, refused / seconds)


def test_without_a_limit_nothing_is_held_back() -> None:
    """Any number may begin at once."""
    rate = Rate()
    assert all(rate.take(0.0) == 0.0 for _ in range(10_000))


@pytest.mark.parametrize("per_second", [0.5, 3.0, 500.0])
def test_a_rate_that_was_configured_is_kept_and_used_up(per_second: float) -> None:
    """To the percent, without bursts."""
    rate = Rate()
    rate.configure(per_second)
    began, now = 0, 0.0
    while now < 60.0:
        wait_seconds = rate.take(now)
        began += wait_seconds == 0.0
        now += wait_seconds
    assert began == pytest.approx(60.0 * per_second, rel=0.02, abs=1.0)


@pytest.mark.parametrize("calls", [50, 200])
@pytest.mark.parametrize("lead_seconds", [0.0, 0.3, 0.5, 0.8])
def test_a_limit_that_begins_at_full_speed_is_found_within_ten_seconds(lead_seconds: float, calls: int) -> None:
    """Though nobody says how long to wait, and many times as many calls were served just before."""
    server, begins = _Window(calls, is_told=False), 8.0 + lead_seconds

    def refuse(now: float) -> float | None:
        return None if now < begins else server.refuse(now)

    played = _play(Rate(), refuse, begins + 10.0, 20.0, 1280.0)
    assert played.served_per_second >= 0.95 * calls
    assert played.refused_per_second <= 1.0


@pytest.mark.parametrize("seed", range(5))
def test_some_seconds_of_refusals_by_chance_are_got_over(seed: int) -> None:
    """A server that refuses every second call for a while has no limit that could be found; it is forgotten soon."""
    chance = random.Random(seed)  # noqa: S311  chance, not a secret

    def refuse(now: float) -> float | None:
        return 1.0 if 8.0 <= now < 12.0 and chance.random() < 0.5 else None

    assert _play(Rate(), refuse, 42.0, 60.0, 300.0).served_per_second >= 200.0


def test_seconds_in_which_everything_is_refused_say_little_of_the_rate() -> None:
    """They are an outage by another name; nobody is to be slow for minutes after it."""
    played = _play(Rate(), lambda now: 1.0 if 8.0 <= now < 18.0 else None, 19.0, 60.0, 300.0)
    assert played.served_per_second >= 100.0


@pytest.mark.parametrize(
    "server",
    [_Window(200), _Window(200, is_told=False), _Bucket(200.0, 400.0), _Bucket(200.0, 20.0)],
    ids=["window", "window without a word", "bucket", "small bucket"],
)
def test_a_limit_of_two_hundred_a_second_is_found_and_used_up(server: _Window | _Bucket) -> None:
    """At least 95 % of it, and few refusals: each may cost a second."""
    played = _play(Rate(), server.refuse, 40.0, 60.0)
    assert played.served_per_second >= 190.0
    assert played.refused_per_second <= 2.0


def test_a_limit_by_the_minute_is_found_too() -> None:
    """Six hundred a minute."""
    played = _play(Rate(), _Window(600, 60.0).refuse, 300.0, 600.0, 100.0)
    assert played.served_per_second >= 0.95 * 600 / 60.0
    assert played.refused_per_second <= 2.0


def test_a_limit_that_is_lowered_is_followed_soon() -> None:
    """Somebody else of the organization begins to call."""
    server = _Window(200)

    def refuse(now: float) -> float | None:
        server.calls = 200 if now < 50.0 else 100
        return server.refuse(now)

    played = _play(Rate(), refuse, 80.0, 30.0, 500.0)
    assert played.served_per_second >= 90.0
    assert played.refused_per_second <= 3.0


def test_a_limit_that_is_raised_is_found_out() -> None:
    """What lies beyond is tried ever faster."""
    server = _Window(50)

    def refuse(now: float) -> float | None:
        server.calls = 50 if now < 60.0 else 500
        return server.refuse(now)

    assert _play(Rate(), refuse, 460.0, 20.0, 600.0).served_per_second >= 400.0


def test_what_is_not_used_up_is_not_raised_and_is_forgotten() -> None:
    """A rate that nobody reaches says nothing; a refusal of ten minutes ago neither."""
    rate = Rate()
    for _ in range(100):
        rate.served(1.0)
    rate.refused(0.9, 1.0, 1.0)
    learned = rate.per_second
    assert learned is not None
    for second in range(2, 500):
        rate.take(float(second))
        assert rate.per_second == pytest.approx(learned)
    rate.take(700.0)
    assert rate.per_second is None


def test_refusals_of_calls_that_were_under_way_are_one_piece_of_news() -> None:
    """A hundred of them do not bring the rate down a hundred times."""
    rate = Rate()
    for _ in range(100):
        rate.served(0.5)
    rate.refused(0.4, 0.5, 1.0)
    learned = rate.per_second
    for _ in range(100):
        rate.refused(0.45, 0.55, 1.0)
    assert rate.per_second == learned


def test_what_is_learned_stays_below_what_is_configured() -> None:
    """The lower of the two holds."""
    rate = Rate()
    rate.configure(50.0)
    for _ in range(100):
        rate.served(0.5)
    rate.refused(0.4, 0.5, 1.0)
    assert rate.per_second == 50.0
    rate.configure(None)
    assert rate.per_second == pytest.approx(98.0)
