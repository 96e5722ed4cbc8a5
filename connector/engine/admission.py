# SPDX-License-Identifier: Apache-2.0
"""Admission: who may send now. One state machine; it decides, with ``now`` passed in, and does nothing itself.

``running``: calls start freely, as many at once as :mod:`connector.engine.concurrency` finds to be of use.
``limited``: calls wait for a time that Button named (the gate), or for a rate (:mod:`connector.engine.rate`).
``probing``: several different orders failed with nothing succeeding in between, so the other side is taken to be
down: one call at a time, behind a growing gate, until one gets an answer.
``halted``: Button refused the credentials; the same, but the reason lies with us and no order is to blame.

A probe is an ordinary call of an ordinary order, so nothing is sent that would not have been sent anyway. A slot
belongs to one attempt: it is given by :meth:`Admission.try_start` and taken back by :meth:`Admission.ended`. ``now`` is
the event loop's time in seconds.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from connector.engine.observations import AdmissionChanged
from connector.engine.rate import Rate

if TYPE_CHECKING:
    from random import Random

    from connector.engine.backoff import Backoff
    from connector.engine.concurrency import Concurrency
    from connector.engine.ports import Observer

TOO_MANY = "http_429"
_FAILING_ORDERS_BEFORE_PROBING = 8
_PROBE_PATIENCE_SECONDS = 60.0
_JITTER_SHARE = 0.1
_UNTOLD_SECONDS = 1.0
"""How long a 429 that names no time is waited for."""
_LIMITED_FOR_SECONDS = 10.0
"""How long nothing must have been held back before that is news."""


class State(StrEnum):
    """Who may send."""

    RUNNING = "running"
    LIMITED = "limited"
    PROBING = "probing"
    HALTED = "halted"


_OPEN = frozenset((State.RUNNING, State.LIMITED))


class Failure(NamedTuple):
    """An attempt that the other side could not serve; it may have named a time to wait for."""

    started: float
    ended: float
    order_id: str
    reason: str
    message: str
    after_seconds: float | None = None


class Admission:
    """Decides whether an attempt may start, from what came of the attempts before it."""

    def __init__(self, backoff: Backoff, random: Random, observer: Observer, concurrency: Concurrency) -> None:
        """Start in ``running``; ``backoff`` gives the waits between probes."""
        self._backoff = backoff
        self._random = random
        self._observer = observer
        self._concurrency = concurrency
        self.rate = Rate()
        self.state = State.RUNNING
        self.in_flight = 0
        self.outages = 0
        """How often the other side was taken to be away."""
        self._gate = -inf
        self._held_back_at = -inf
        self._failing_orders: set[str] = set()
        self._failed_probes = 0
        self._probing_until = 0.0

    @property
    def limit(self) -> int:
        """How many calls may be under way at once now."""
        return self._concurrency.limit if self.state in _OPEN else 1

    @property
    def is_open(self) -> bool:
        """Whether the other side is taken to be there."""
        return self.state in _OPEN

    def try_start(self, now: float) -> float:
        """Return 0 when an attempt may start at once (it then counts as started), else the seconds until asking again.

        Infinity says that the end of another attempt has to come first.
        """
        limit = self._concurrency.limit
        if self.in_flight >= limit:
            return inf
        is_free = self.state is State.RUNNING and self.rate.per_second is None and now >= self._gate
        if not is_free and (wait_seconds := self._wait(now)) > 0.0:
            return wait_seconds
        self.in_flight += 1
        if self.in_flight >= limit:
            self._concurrency.used_up()
        return 0.0

    def opens_in(self, now: float) -> float:
        """Return for how many seconds nothing at all may start; 0 where only the limit is in the way."""
        if self.state not in _OPEN:
            return max(0.0, max(self._gate, self._probing_until) - now)
        return max(0.0, self._gate - now)

    def room(self, now: float) -> int:
        """Return how many attempts may start now, without regard to those under way, at least one."""
        return int(max(1.0, min(self.rate.tokens(now), self.limit)))

    def more_room_in(self, now: float) -> float:
        """Return for how many seconds there is no more room than now, but for what is under way."""
        return self.rate.comes_in(self.room(now) + 1, now)

    def _wait(self, now: float) -> float:
        if self.state not in _OPEN:
            return self._wait_to_probe(now)
        if now < self._gate:
            self._hold_back(now, "gate", f"Button asked to wait; calls start again in {self._gate - now:.1f} s")
            return self._gate - now
        if (wait_seconds := self.rate.take(now)) > 0.0:
            self._hold_back(now, "rate", f"calls are held back to {self.rate.per_second:.1f} a second")
        elif self.state is State.LIMITED and now >= self._held_back_at + _LIMITED_FOR_SECONDS:
            self._enter(State.RUNNING, "free", "nothing was held back for a while")
        return wait_seconds

    def _hold_back(self, now: float, reason: str, message: str) -> None:
        self._held_back_at = now
        if self.state is State.RUNNING:
            self._enter(State.LIMITED, reason, message)

    def _wait_to_probe(self, now: float) -> float:
        until = max(self._gate, self._probing_until)
        if now < until:
            return until - now
        self._probing_until = now + _PROBE_PATIENCE_SECONDS
        return 0.0

    def ended(self, started: float, now: float, *, is_served: bool, is_telling: bool = True) -> bool:
        """Note the end of an attempt; true when that changed how many may be under way.

        What came of an order that had failed before tells nothing of the other side.
        """
        self.in_flight -= 1
        if is_served:
            self.rate.served(now)
        elif not is_telling:
            return False
        return self._concurrency.ended(started, now, is_served=is_served)

    def lagged(self, seconds: float) -> None:
        """Note how long something that was ready waited for the event loop."""
        self._concurrency.lagged(seconds)

    def answered(self, now: float) -> None:
        """Note that the other side dealt with a call, whatever it thought of the order."""
        self._failing_orders.clear()
        if self.state not in _OPEN:
            self._enter(State.RUNNING, "answered", "the other side answers again")
            self._concurrency.restart(now)
            self._failed_probes = 0
            self._gate = now

    def failed(self, failure: Failure, *, is_suspect: bool = False) -> None:
        """Note an attempt that the other side could not serve.

        A suspect is an order that failed before while others succeeded: it says nothing of the other side.
        """
        now, after_seconds = failure.ended, failure.after_seconds
        if failure.reason == TOO_MANY:
            after_seconds = _UNTOLD_SECONDS if after_seconds is None else after_seconds
            self.rate.refused(failure.started, now, after_seconds)
        if after_seconds is not None and (until := now + after_seconds) > self._gate:
            self._gate = until + after_seconds * self._random.uniform(0.0, _JITTER_SHARE)
        if self.state not in _OPEN:
            self._probe_failed(now)
        elif is_suspect:
            self._failing_orders.discard(failure.order_id)
        elif failure.reason != TOO_MANY:
            self._failing_orders.add(failure.order_id)
            if len(self._failing_orders) >= _FAILING_ORDERS_BEFORE_PROBING:
                self._enter(State.PROBING, failure.reason, failure.message)
                self._probe_failed(now)

    def unauthorized(self, now: float, reason: str, message: str) -> None:
        """Note that the credentials were refused."""
        if self.state is not State.HALTED:
            self._enter(State.HALTED, reason, message)
        self._probe_failed(now)

    def undecided(self, now: float) -> None:
        """Note that an attempt does not tell whether the other side serves us, so that another may be the probe."""
        if self.state not in _OPEN:
            self._probing_until = now

    def _probe_failed(self, now: float) -> None:
        if now < self._gate:
            # Button named a time; or a call that was on its way when the state changed, of which only the first counts.
            self._probing_until = self._gate
            return
        self._failed_probes += 1
        self._gate = now + self._backoff.ceiling(self._failed_probes) * self._random.uniform(0.5, 1.0)
        self._probing_until = self._gate

    def _enter(self, state: State, reason: str, message: str) -> None:
        if self.state in _OPEN and state not in _OPEN:
            self.outages += 1
        self.state = state
        self._observer(AdmissionChanged(state, reason, message))
