# SPDX-License-Identifier: Apache-2.0
"""A process that keeps as many calls under way as it may, and a server, as queues with numbers: no loop, no waiting.

Owns the arithmetic of a closed loop: our own event loop takes its time for each call and does one thing at a time, the
server has a number of places and takes its time in each. Knows nothing of how the limit is found.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.engine.concurrency import Concurrency


class Played(NamedTuple):
    """What was seen in the second half of the time: calls served per second, refused ones, mean limit and latency."""

    per_second: float
    refused_per_second: float
    limit: float
    latency_seconds: float


@dataclass
class ClosedLoop:
    """Seconds of our own per call, places at the server, and its seconds per call, as drawn."""

    own_seconds: float
    places: int
    server_seconds: Callable[[Random, float], float]
    is_refused: Callable[[Random, float, int], bool] = lambda _random, _now, _open: False
    random: Random = field(default_factory=lambda: Random(11))  # noqa: S311  reproducible on purpose
    now: float = 0.0

    def play(self, concurrency: Concurrency, seconds: float) -> Played:
        """Keep calls under way for a while."""
        until, half = self.now + seconds, self.now + seconds / 2
        places = [self.now] * self.places
        own_free, in_flight, served, refused, latency, limits = self.now, 0, 0, 0, 0.0, []
        answers: list[tuple[float, float, bool]] = []
        while self.now < until:
            while in_flight < concurrency.limit:
                own_free = max(own_free, self.now) + self.own_seconds / 2
                is_refused = self.is_refused(self.random, own_free, in_flight)
                begins = own_free if is_refused else max(own_free, heapq.heappop(places))
                ends = begins + (0.001 if is_refused else self.server_seconds(self.random, own_free))
                if not is_refused:
                    heapq.heappush(places, ends)
                heapq.heappush(answers, (ends, self.now, is_refused))
                in_flight += 1
            concurrency.used_up()
            answered, started, is_refused = heapq.heappop(answers)
            own_free = max(own_free, answered) + self.own_seconds / 2
            concurrency.lagged((own_free - answered) / 1.5)
            self.now = own_free
            in_flight -= 1
            concurrency.ended(started, self.now, is_served=not is_refused)
            if self.now >= half:
                served += not is_refused
                refused += is_refused
                latency += self.now - started
                limits.append(concurrency.limit)
        count, rest = max(1, len(limits)), until - half
        return Played(served / rest, refused / rest, sum(limits) / count, latency / count)
