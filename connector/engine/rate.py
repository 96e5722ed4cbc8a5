# SPDX-License-Identifier: Apache-2.0
"""How many calls may be begun per second: what was configured, and what refusals (429) have taught.

Owns the pace. Pure: time enters as arguments. A rate that was learned is the one at which calls were served when one
was refused, less a little; where refusals follow each other at once, it is as many a second as were served between
them, for most limits are by the second. It comes back to what it was quickly, tries out what is beyond it ever faster,
and is forgotten when nothing was refused for a while. A refusal often costs a whole second of waiting, so the tries are
rare.
"""

from __future__ import annotations

from math import inf

_BURST_SECONDS = 0.02
_AT_LEAST_SECONDS = 1e-6
"""More than rounding takes away, so that whoever waited for a token finds one."""
_AFTER_A_REFUSAL = 0.98
_AFTER_A_SOON_ONE = 0.9
_TELLING_SHARE = 1.0 / 8.0
"""Of a second's calls. Where fewer were served between two refusals, they may have been refused by chance."""
_NEAR = 0.97
_SEARCHING_PER_SECOND = 0.1
_FAST_PER_SECOND = 0.02
_SLOW_PER_SECOND = 0.0005
_PATIENCE_SECONDS = 60.0
"""For so long what lies beyond is tried at the slow pace, and then ever faster."""
_SOON_SECONDS = 10.0
_FORGOTTEN_AFTER_SECONDS = 600.0
_LEAST_PER_SECOND = 1.0
_HELD_BACK_SECONDS = 1.0


class Rate:
    """A token for each call; ``per_second`` of them come, ``None`` for any number."""

    __slots__ = (
        "_accepted",
        "_configured",
        "_held_back_at",
        "_is_far_off",
        "_learned",
        "_now",
        "_previous",
        "_refused_at",
        "_resumes_at",
        "_second",
        "_since_resumed",
        "_tokens",
        "_too_much",
        "per_second",
    )

    def __init__(self) -> None:
        """Allow any number."""
        self.per_second: float | None = None
        self._configured: float | None = None
        self._learned: float | None = None
        self._too_much = self._tokens = self._now = 0.0
        self._is_far_off = True
        self._refused_at = self._resumes_at = self._held_back_at = float("-inf")
        self._second = self._accepted = self._previous = self._since_resumed = 0

    def configure(self, per_second: float | None) -> None:
        """Allow so many at most, whatever is learned."""
        self._configured = per_second
        self._settle()

    def take(self, now: float) -> float:
        """Return 0 and take a token, or return the seconds until there is one."""
        tokens, per_second = self.tokens(now), self.per_second
        if per_second is None:
            return 0.0
        if tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        self._held_back_at = now
        return (1.0 - tokens) / per_second + _AT_LEAST_SECONDS

    def tokens(self, now: float) -> float:
        """Return how many calls may begin at once; any number while none is counted."""
        if self._learned is not None:
            self._grow(self._learned, now)
        if self.per_second is None:
            return inf
        most = max(1.0, self.per_second * _BURST_SECONDS)
        self._tokens = min(most, self._tokens + max(0.0, now - self._now) * self.per_second)
        self._now = max(now, self._now)
        return self._tokens

    def comes_in(self, count: int, now: float) -> float:
        """Return the seconds until so many tokens have come, if none is taken."""
        missing = count - self.tokens(now)
        return 0.0 if self.per_second is None or missing <= 0.0 else missing / self.per_second + _AT_LEAST_SECONDS

    def served(self, now: float) -> None:
        """Note a call that was served."""
        second = int(now)
        if second != self._second:
            self._previous = self._accepted if second == self._second + 1 else 0
            self._second, self._accepted = second, 0
        self._accepted += 1
        self._since_resumed += 1

    def refused(self, started: float, now: float, wait_seconds: float) -> None:
        """Note a call that was refused because there were too many; those that were under way then say no more."""
        if started <= self._resumes_at:
            return
        if self._learned is None:
            learned = _AFTER_A_REFUSAL * self._in_the_last_second(now)
            # After a burst nobody knows yet what goes on to be served.
            self._too_much = inf if self._previous == 0 else self._in_the_last_second(now)
        else:
            learned = self._learn_again(self._learned, started - self._resumes_at, wait_seconds)
        self._learned = max(_LEAST_PER_SECOND, learned)
        self._refused_at, self._resumes_at, self._since_resumed = now, now + wait_seconds, 0
        self._tokens, self._now = 0.0, now
        self._settle()

    def _learn_again(self, learned: float, seconds: float, wait_seconds: float) -> float:
        is_far_off, self._is_far_off = self._is_far_off and self._since_resumed > 0, seconds < 1.0
        # Where nothing at all is served, it says nothing of the rate.
        self._too_much = learned if self._since_resumed > 0 else inf
        if seconds >= _SOON_SECONDS:
            return _NEAR * learned
        if seconds < 1.0:
            return self._after_a_soon_one(learned, seconds, wait_seconds) if is_far_off else _AFTER_A_SOON_ONE * learned
        # A wait of one second is the least that can be named; of a longer one the server means all.
        measured = self._since_resumed / (seconds + (wait_seconds if wait_seconds > 1.0 else 0.0))
        self._too_much = min(learned, max(measured, learned / 2.0))
        return min(_NEAR * learned, _AFTER_A_REFUSAL * self._too_much)

    def _after_a_soon_one(self, learned: float, seconds: float, wait_seconds: float) -> float:
        """Return what is left of a rate that is far too high: what was served since is too little to be a measure."""
        served, most = self._since_resumed, _AFTER_A_SOON_ONE * learned
        if wait_seconds > 1.0:
            return min(most, max(served / (seconds + wait_seconds), learned / 2.0))
        if served < _TELLING_SHARE * learned:
            self._too_much = inf
            return learned / 2.0
        self._too_much = min(learned, served)
        return min(most, _AFTER_A_REFUSAL * served)

    def _in_the_last_second(self, now: float) -> float:
        passed = now - int(now)
        if int(now) == self._second:
            return self._accepted + self._previous * (1.0 - passed)
        return self._accepted * (1.0 - passed) if int(now) == self._second + 1 else 0.0

    def _grow(self, learned: float, now: float) -> None:
        seconds, refused_ago = max(0.0, now - self._now), now - self._refused_at
        if refused_ago > _FORGOTTEN_AFTER_SECONDS:
            self._learned, self._is_far_off = None, True
        elif now - self._held_back_at < _HELD_BACK_SECONDS:  # what is not used up says nothing of what is too much
            self._learned = learned * (1.0 + self._growth(learned, refused_ago) * min(seconds, 1.0))
        self._settle()

    def _growth(self, learned: float, refused_ago: float) -> float:
        if self._too_much == inf:
            return _SEARCHING_PER_SECOND
        if learned < _NEAR * self._too_much:
            return _FAST_PER_SECOND
        return _SLOW_PER_SECOND * max(1.0, (refused_ago / _PATIENCE_SECONDS) ** 2)

    def _settle(self) -> None:
        known = [each for each in (self._configured, self._learned) if each is not None]
        self.per_second = min(known) if known else None
