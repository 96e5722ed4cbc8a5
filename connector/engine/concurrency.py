# SPDX-License-Identifier: Apache-2.0
"""How many calls may be under way at once: found by trying, on single attempts (AIMD).

Owns the limit. Pure: time enters as arguments, and nothing is known of what a call is.

A round is as many attempts as the limit, none of them begun before the limit last changed. At its end:

- *Grow* when the limit was really used and latency is near its baseline: double it until the first sign of trouble,
  afterwards add its square root, by the third round in a row three times that and so on, for the trouble may have been
  a moment's; or much less while a refusal is not long ago.
- *Shrink* when latency has grown for a while, to what would bring it back if it were a queue (Little's law), by half at
  most. A server that stumbles for a moment is no queue, and what waits meanwhile would wait longer. If latency does not
  follow, the other side is slower for reasons of its own: that is the new baseline, and the limit is as before.
- *Shrink* when calls were refused (429, 503, time is up): by half when all were, by a tenth at most when some were, by
  more where they took long. A single one, or one in a hundred, is a server's everyday life.
- *Hold* in between. Once a minute half a round at half the limit shows what the baseline is by now.

Latency as we see it has a part of our own: an answer waits until the event loop comes round to it. That part is
measured (the loop's lag) and taken off, so that a busy loop is not taken for a slow server. It is not held against the
limit until it is long, because what the loop finds together it does with less effort.
"""

from __future__ import annotations

from math import sqrt

FIRST_LIMIT = 4
_LEAST_SAMPLES = 16
_LEAST_ROUND_SECONDS = 0.05
_BASELINE_WEIGHT = 0.5
_GROWTH_ALLOWED_SHARE = 0.25
_GROWTH_ALLOWED_SECONDS = 0.02
_SHRINKS_AT = 2.0
"""Between what is allowed and so many times as much, the limit is held."""
_LEAST_LEFT = 0.5
_GROWN_FOR_SECONDS = 0.5
_LAG_OF_A_CALL = 1.5
"""An answer waits for the loop to look, and then for its turn."""
_LAG_ALLOWED_SECONDS = 0.05
_SURE_BELOW = 0.3
"""Two halvings have to be of no use before latency is taken to be none of our doing."""
_RENEWAL_SECONDS = 60.0
_OVERLOAD_SHARE = 0.02
_ALL_SHARE = 0.9
_MOST_OF_SOME_SHARE = 0.2
"""Refusals come back at once, and so there are many of a few calls too many."""
_CAREFUL_SECONDS = 10.0
_UNFORGOTTEN_SECONDS = 60.0
"""For so long after a refusal steps do not become longer: there is a bound to be met again. So it is, for the time of
care, where the loop itself is what holds us up."""
_CAREFUL_STEP = 1.0 / 3.0
_CAREFUL_SHARE_PER_SECOND = 0.03


class Concurrency:
    """The limit, between 1 and ``cap``; one that is not adaptive stays at ``cap``."""

    __slots__ = (
        "_baseline",
        "_bound_until",
        "_cap",
        "_count",
        "_exact",
        "_from",
        "_grown_since",
        "_in_a_row",
        "_is_adaptive",
        "_is_starting",
        "_is_used",
        "_lag",
        "_lags",
        "_refused_at",
        "_renewed_at",
        "_restored",
        "_seconds",
        "_shrunk_from",
        "_squares",
        "_turned_at",
        "_unserved",
        "_unserved_seconds",
        "limit",
    )

    def __init__(self, cap: int, *, is_adaptive: bool = True) -> None:
        """Start low."""
        self._cap = cap
        self._is_adaptive = is_adaptive
        self._baseline: float | None = None
        self._exact = float(min(FIRST_LIMIT, cap) if is_adaptive else cap)
        self.limit = int(self._exact)
        self._is_starting = True
        self._in_a_row = 0
        self._from = self._turned_at = self._renewed_at = 0.0
        self._refused_at = -_CAREFUL_SECONDS
        self._bound_until = 0.0
        self._grown_since: float | None = None
        self._shrunk_from: tuple[float, float] | None = None
        self._restored: float | None = None
        self._begin()

    def restart(self, now: float) -> None:
        """Start low again: the other side comes back from an outage."""
        if self._is_adaptive:
            self._is_starting = True
            self._shrunk_from = self._grown_since = self._restored = self._baseline = None
            self._set(float(FIRST_LIMIT))
            self._from = now
            self._begin()

    def used_up(self) -> None:
        """Note that as many are under way as may be."""
        self._is_used = True

    def lagged(self, seconds: float) -> None:
        """Note how long something that was ready waited for the event loop."""
        self._lag += seconds
        self._lags += 1

    def ended(self, started: float, now: float, *, is_served: bool) -> bool:
        """Note the end of an attempt, served or not; true when that changed the limit."""
        if started < self._from or not self._is_adaptive:
            return False
        self._count += 1
        seconds = now - started
        if is_served:
            self._seconds += seconds
            self._squares += seconds * seconds
        else:
            self._unserved += 1
            self._unserved_seconds += seconds
        if self._count < self.limit or self._count < _LEAST_SAMPLES or now < self._from + _LEAST_ROUND_SECONDS:
            return False
        return self._turn(now)

    def _turn(self, now: float) -> bool:
        before, served = self.limit, self._count - self._unserved
        seen = self._seconds / served if served else 0.0
        share = self._unserved / self._count
        if share < _OVERLOAD_SHARE or self._unserved == 1:
            lag = self._lag / self._lags if self._lags else 0.0
            noise = 2.0 * sqrt(max(0.0, self._squares / served - seen * seen) / served) if served else 0.0
            self._judge(max(0.0, seen - _LAG_OF_A_CALL * lag), noise, lag, now)
        elif share < _ALL_SHARE:
            lost = self._unserved_seconds / (self._unserved_seconds + self._seconds)
            self._refused(max(lost, min(share, _MOST_OF_SOME_SHARE)), now)
        else:
            self._refused(1.0, now)
        self._turned_at = now
        if self.limit != before:
            self._from = now  # What began under the old limit says nothing of the new one.
        self._begin()
        return self.limit != before

    def _refused(self, share: float, now: float) -> None:
        self._refused_at = now
        self._bound_until = now + _UNFORGOTTEN_SECONDS
        self._shrunk_from = self._grown_since = None
        if self._restored is not None:
            self._set(self._restored)
        self._restored = None
        self._trouble()
        self._set(self._exact * (1.0 - share / 2.0))

    def _judge(self, latency: float, noise: float, lag: float, now: float) -> None:
        if self._is_renewed(latency, now) or self._is_of_their_own_making(latency):
            return
        baseline = self._baseline = self._baseline_after(latency, lag)
        allowed = max(_GROWTH_ALLOWED_SECONDS, _GROWTH_ALLOWED_SHARE * baseline) + noise
        growth = latency - baseline
        if growth <= _SHRINKS_AT * allowed:
            self._grown_since = None
        elif self._grown_since is None:
            self._grown_since = now
        if not self._is_used:
            return  # Whatever latency does, it is not because of the limit.
        if self._grown_since is not None:
            self._trouble()
            if now >= self._grown_since + _GROWN_FOR_SECONDS:
                self._shrunk_from = self._shrunk_from or (self._exact, latency)
                self._shrink((baseline + allowed) / latency)
            return
        self._shrunk_from = None
        if lag > _LAG_ALLOWED_SECONDS:
            self._bound_until = max(self._bound_until, now + _CAREFUL_SECONDS)
        if lag > _SHRINKS_AT * _LAG_ALLOWED_SECONDS:
            self._shrink(_LAG_ALLOWED_SECONDS / lag)
        elif growth > allowed or lag > _LAG_ALLOWED_SECONDS:
            self._hold(now)
        else:
            self._in_a_row += 1
            self._set(self._exact + self._step(now))

    def _baseline_after(self, latency: float, lag: float) -> float:
        if self._baseline is None or self._exact <= FIRST_LIMIT:
            return latency  # There is no less than that.
        is_sure = lag * _LAG_OF_A_CALL < latency
        return self._baseline + (min(0.0, latency - self._baseline) * _BASELINE_WEIGHT if is_sure else 0.0)

    def _step(self, now: float) -> float:
        if self._is_starting:
            return self._exact
        if now < self._refused_at + _CAREFUL_SECONDS:
            return _CAREFUL_STEP + self._exact * _CAREFUL_SHARE_PER_SECOND * min(1.0, now - self._turned_at)
        if now < self._bound_until:
            return sqrt(self._exact)
        return min(self._exact, self._in_a_row * sqrt(self._exact))

    def _trouble(self) -> None:
        self._is_starting = False
        self._in_a_row = 0

    def _shrink(self, ratio: float) -> None:
        self._trouble()
        self._set(self._exact * max(_LEAST_LEFT, ratio))

    def _hold(self, now: float) -> None:
        self._trouble()
        if now >= self._renewed_at + _RENEWAL_SECONDS:
            self._restored = self._exact
            self._set(self._exact * _LEAST_LEFT)

    def _is_renewed(self, latency: float, now: float) -> bool:
        if self._restored is None:
            return False
        self._baseline = latency
        self._renewed_at = now
        self._set(self._restored)
        self._restored = None
        return True

    def _is_of_their_own_making(self, latency: float) -> bool:
        """Whether latency stayed although the limit shrank; then it is what is to be expected from now on."""
        if self._shrunk_from is None:
            return False
        limit, before = self._shrunk_from
        if latency <= before * (1.0 + self._exact / limit) / 2.0:
            self._shrunk_from = None
            return False
        if self._exact > max(1.0, limit * _SURE_BELOW):
            return False  # It may still have been on its way up.
        self._shrunk_from = None
        self._baseline = latency
        self._set(limit)
        return True

    def _set(self, limit: float) -> None:
        self._exact = min(float(self._cap), max(1.0, limit))
        self.limit = int(self._exact)

    def _begin(self) -> None:
        self._count = self._unserved = self._lags = 0
        self._seconds = self._squares = self._unserved_seconds = self._lag = 0.0
        self._is_used = False
