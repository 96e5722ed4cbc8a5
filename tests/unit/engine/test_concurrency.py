# SPDX-License-Identifier: Apache-2.0
"""How many calls may be under way at once, against servers that are made of numbers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from connector.engine.concurrency import FIRST_LIMIT, Concurrency
from tests.support.closed_loop import ClosedLoop

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

OWN_SECONDS = 0.0005
"""Two thousand calls a second are what such a process can do."""
ENDLESS = 100_000


def _takes(seconds: float, spread: float = 0.1) -> Callable[[Random, float], float]:
    def draw(random: Random, _now: float) -> float:
        return seconds * (1.0 + random.uniform(-spread, spread))

    return draw


def _loop(seconds: float, places: int = ENDLESS, spread: float = 0.1, own_seconds: float = OWN_SECONDS) -> ClosedLoop:
    return ClosedLoop(own_seconds, places, _takes(seconds, spread))


def test_it_starts_low() -> None:
    """Whoever comes is not met by hundreds of calls at once."""
    assert Concurrency(512).limit == FIRST_LIMIT
    assert Concurrency(3).limit == 3


@pytest.mark.parametrize("seconds", [0.0005, 0.01, 0.05, 0.1])
def test_the_process_comes_to_its_full_speed_whatever_the_latency(seconds: float) -> None:
    """What one core can do is done, without a setting; within three seconds."""
    concurrency, loop = Concurrency(512), _loop(seconds)
    loop.play(concurrency, 3.0)
    assert loop.play(concurrency, 4.0).per_second >= 0.9 / OWN_SECONDS


def test_the_limit_doubles_with_every_round_at_the_start() -> None:
    """From 4 to more than 200 calls of 50 ms within a second; those under a lower limit are not waited for."""
    concurrency = Concurrency(512)
    _loop(0.05, own_seconds=0.00025).play(concurrency, 1.0)
    assert concurrency.limit >= 200


def test_trouble_at_the_start_does_not_make_the_search_slow() -> None:
    """A server that stumbles as the first calls come ends the doubling; step by step it would take eight seconds."""
    concurrency, loop = Concurrency(512), _loop(0.1, own_seconds=0.00025)
    while concurrency.limit < 32:
        loop.play(concurrency, 0.05)
    loop.server_seconds = _takes(0.2)
    loop.play(concurrency, 0.4)
    assert concurrency.limit <= 64, "the doubling is over before there is trouble"
    loop.server_seconds = _takes(0.1)
    loop.play(concurrency, 3.0)
    assert loop.play(concurrency, 2.0).per_second >= 0.9 / loop.own_seconds


@pytest.mark.parametrize(("lag_seconds", "least", "most"), [(0.0, 512, 512), (0.06, 130, 220)])
def test_steps_become_longer_unless_our_own_loop_was_what_held_us_up(lag_seconds: float, least: int, most: int) -> None:
    """There they would only make the limit swing, from too many calls to too few."""
    concurrency, now = Concurrency(512), 1000.0

    def calls(count: int, seconds: float, lag_seconds: float = 0.0) -> None:
        nonlocal now
        for _ in range(count):
            now += 0.001
            concurrency.used_up()
            concurrency.lagged(lag_seconds)
            concurrency.ended(now - seconds, now, is_served=True)

    while concurrency.limit < 64:
        calls(1, 0.05)
    calls(300, 0.12, lag_seconds)
    calls(2000, 0.05)
    assert least <= concurrency.limit <= most


def test_where_we_are_the_bottleneck_more_calls_are_not_piled_up() -> None:
    """Calls that only wait for our own loop make drains longer; but what it finds together costs it less."""
    played = _loop(0.0005).play(Concurrency(512), 60.0)
    assert 64 <= played.limit <= 256


@pytest.mark.parametrize(("places", "seconds"), [(4, 0.02), (20, 0.05), (60, 0.1), (2, 0.02)])
def test_a_server_with_so_many_places_gets_about_so_many_calls(places: int, seconds: float) -> None:
    """The knee: nearly all that the server can do, and latency near what it is without a queue."""
    played = _loop(seconds, places).play(Concurrency(512), 60.0)
    assert played.per_second >= 0.9 * places / seconds
    assert played.latency_seconds <= seconds + 2 * max(0.02, 0.25 * seconds) + 0.02  # twice what is allowed, and noise


def test_a_server_that_becomes_slower_for_itself_is_not_starved() -> None:
    """Latency that stays when the limit shrinks is not our doing: the new one is the baseline."""
    concurrency = Concurrency(512)
    loop = _loop(0.02)
    loop.play(concurrency, 10.0)
    before = concurrency.limit
    loop.server_seconds = _takes(0.1)
    loop.play(concurrency, 3.0)
    assert concurrency.limit >= before
    loop.play(concurrency, 5.0)
    assert loop.play(concurrency, 10.0).per_second >= 0.9 / OWN_SECONDS


def test_a_server_that_stumbles_gets_no_less() -> None:
    """A moment of slow answers is no queue; what comes meanwhile would wait for longer if the limit shrank."""
    concurrency, loop = Concurrency(512), _loop(0.02)
    loop.play(concurrency, 10.0)
    before = concurrency.limit
    loop.server_seconds = _takes(0.2)
    loop.play(concurrency, 0.4)
    assert concurrency.limit >= before
    loop.play(concurrency, 0.8)
    assert concurrency.limit < before, "it would never shrink"


def test_stumbles_that_are_far_apart_are_not_one() -> None:
    """Between them nothing comes near the limit, so that nothing is learned but that latency is as ever."""
    concurrency, now, lowest = Concurrency(64), 1000.0, 64

    def calls(count: int, seconds: float, *, is_used: bool) -> int:
        nonlocal now
        limits = []
        for _ in range(count):
            now += 0.002
            if is_used:
                concurrency.used_up()
            concurrency.ended(now - seconds, now, is_served=True)
            limits.append(concurrency.limit)
        return min(limits)

    while concurrency.limit < 64:
        calls(1, 0.02, is_used=True)
    for _ in range(4):
        now += 70.0  # so that it is time to look for the baseline anew, too
        lowest = min(lowest, calls(2 * 64, 0.2, is_used=True), calls(10 * 64, 0.02, is_used=False))
    assert lowest == 64


def test_a_server_that_becomes_smaller_gets_less() -> None:
    """Half of it was taken away: latency doubles, and the limit follows."""
    concurrency = Concurrency(512)
    loop = _loop(0.05, places=64)
    loop.play(concurrency, 20.0)
    loop.places = 16
    played = loop.play(concurrency, 40.0)
    assert played.latency_seconds <= 0.05 * 1.5 + 0.025
    assert played.per_second >= 0.9 * 16 / 0.05


def test_a_few_refusals_are_everyday_life() -> None:
    """One 503 in two hundred does not bring the limit down to nothing."""
    loop = _loop(0.05)
    loop.is_refused = lambda random, _now, _open: random.random() < 0.005
    assert loop.play(Concurrency(512), 30.0).per_second >= 0.85 / OWN_SECONDS


def test_one_order_that_fails_does_not_end_the_search() -> None:
    """A single refusal is no sign of too much, not even at the start, where it is a large share."""
    loop, calls = _loop(0.05), itertools.count()
    loop.is_refused = lambda _random, _now, _open: next(calls) == 30
    concurrency = Concurrency(512)
    loop.play(concurrency, 3.0)
    assert loop.play(concurrency, 2.0).per_second >= 0.9 / OWN_SECONDS


@pytest.mark.parametrize(("most", "seconds", "share"), [(30, 0.05, 0.18), (100, 0.1, 0.04)])
def test_a_server_that_refuses_what_is_too_much_is_refused_little(most: int, seconds: float, share: float) -> None:
    """More than so many at once get a 503: about so many it will be."""
    loop = _loop(seconds, own_seconds=0.00025)
    loop.is_refused = lambda _random, _now, in_flight: in_flight >= most
    played = loop.play(Concurrency(512), 240.0)
    assert played.per_second >= 0.7 * most / seconds
    assert played.refused_per_second <= share * played.per_second


def test_latency_that_is_as_it_likes_does_not_hold_us_down() -> None:
    """A wide spread is no trend."""
    assert _loop(0.05, spread=0.9).play(Concurrency(512), 30.0).per_second >= 0.85 / OWN_SECONDS


def test_an_overload_halves_the_limit_once_a_round() -> None:
    """Refusals of calls that began before it was halved are the same piece of news; attempts are counted [45]."""
    concurrency = Concurrency(64)
    loop = _loop(0.05)
    loop.play(concurrency, 5.0)
    assert concurrency.limit == 64
    for _ in range(1000):
        concurrency.ended(loop.now - 0.01, loop.now + 0.06, is_served=False)
    assert 32 <= concurrency.limit <= 60


def test_a_limit_that_is_not_used_is_left_alone() -> None:
    """Neither growth nor latency means anything then."""
    concurrency = Concurrency(512)
    for number in range(10_000):
        concurrency.ended(number * 0.1, number * 0.1 + (0.01 if number < 5_000 else 1.0), is_served=True)
    assert concurrency.limit == FIRST_LIMIT


def test_one_that_is_not_adaptive_stays() -> None:
    """For whoever knows better."""
    concurrency = Concurrency(100, is_adaptive=False)
    loop = _loop(0.01, places=2)
    assert loop.play(concurrency, 5.0).limit == 100
    concurrency.restart(loop.now)
    assert concurrency.limit == 100


def test_after_an_outage_it_starts_low_again_and_is_back_soon() -> None:
    """What comes back is not met by everything at once."""
    concurrency, loop = Concurrency(512), _loop(0.05)
    loop.play(concurrency, 5.0)
    concurrency.restart(loop.now)
    assert concurrency.limit == FIRST_LIMIT
    loop.play(concurrency, 2.0)
    assert loop.play(concurrency, 2.0).per_second >= 0.9 / OWN_SECONDS
