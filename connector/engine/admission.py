# SPDX-License-Identifier: Apache-2.0
"""Admission: who may send now. One state machine; it decides, with ``now`` passed in, and does nothing itself.

``running``: calls start freely, unless Button named a time to wait for (the gate).
``probing``: several different orders failed with nothing succeeding in between, so the other side is taken to be
down: one call at a time, behind a growing gate, until one gets an answer.
``halted``: Button refused the credentials; the same, but the reason lies with us and no order is to blame.

A probe is an ordinary call of an ordinary order, so nothing is sent that would not have been sent anyway. ``now`` is
the event loop's time in seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from connector.engine.observations import AdmissionChanged

if TYPE_CHECKING:
    from random import Random

    from connector.engine.backoff import Backoff
    from connector.engine.ports import Observer

_FAILING_ORDERS_BEFORE_PROBING = 8
_PROBE_PATIENCE_SECONDS = 60.0


class State(StrEnum):
    """Who may send."""

    RUNNING = "running"
    PROBING = "probing"
    HALTED = "halted"


class Admission:
    """Decides whether an attempt may start, from what came of the attempts before it."""

    def __init__(self, backoff: Backoff, random: Random, observer: Observer) -> None:
        """Start in ``running``; ``backoff`` gives the waits between probes."""
        self._backoff = backoff
        self._random = random
        self._observer = observer
        self.state = State.RUNNING
        self._gate = 0.0
        self._failing_orders: set[str] = set()
        self._failed_probes = 0
        self._probing_until = 0.0

    def try_start(self, now: float) -> float:
        """Return 0 when an attempt may start at once (it then counts as started), else the seconds until asking again.

        A worker that waits is also told by the engine when the state changes.
        """
        if now < self._gate:
            return self._gate - now
        if self.state is State.RUNNING:
            return 0.0
        if now < self._probing_until:
            return self._probing_until - now
        self._probing_until = now + _PROBE_PATIENCE_SECONDS
        return 0.0

    def answered(self) -> None:
        """Note that the other side dealt with a call, whatever it thought of the order."""
        self._failing_orders.clear()
        if self.state is not State.RUNNING:
            self._enter(State.RUNNING, "answered", "the other side answers again")
            self._failed_probes = 0
            self._gate = 0.0

    def failed(self, now: float, order_id: str, reason: str, message: str, after_seconds: float | None) -> None:
        """Note an attempt that the other side could not serve; it may have named a time to wait for."""
        if after_seconds is not None:
            self._gate = max(self._gate, now + after_seconds)
        self._failing_orders.add(order_id)
        if self.state is not State.RUNNING:
            self._probe_failed(now)
        elif len(self._failing_orders) >= _FAILING_ORDERS_BEFORE_PROBING:
            self._enter(State.PROBING, reason, message)
            self._probe_failed(now)

    def unauthorized(self, now: float, reason: str, message: str) -> None:
        """Note that the credentials were refused."""
        if self.state is not State.HALTED:
            self._enter(State.HALTED, reason, message)
        self._probe_failed(now)

    def abandoned(self, now: float) -> None:
        """Note that an attempt that was allowed did not take place, so that another may be the probe."""
        if self.state is not State.RUNNING:
            self._probing_until = now

    def _probe_failed(self, now: float) -> None:
        # Calls that were on their way when the state changed come back one by one; only the first counts.
        if now < self._gate:
            return
        self._failed_probes += 1
        self._gate = now + self._backoff.ceiling(self._failed_probes) * self._random.uniform(0.5, 1.0)
        self._probing_until = self._gate

    def _enter(self, state: State, reason: str, message: str) -> None:
        self.state = state
        self._observer(AdmissionChanged(state, reason, message))
