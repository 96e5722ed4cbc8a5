# SPDX-License-Identifier: Apache-2.0
"""What is on its way in a running world, for choosing the moment of a kill.

Owns a running count only: whether the moment was a good one is judged afterwards, by the evidence.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tests.support.oracle import Disturbance, call_of
from tests.support.polling import wait_until
from tests.support.processes import now_ms

if TYPE_CHECKING:
    from collections.abc import Container

    from connector.demo.parts import Connector
    from tests.support.processes import World


class Seen(NamedTuple):
    """How many events are acknowledged and not committed, how many calls are open, and how many are committed."""

    acknowledged: int
    open_calls: int
    committed: int


class Flight:
    """Follows the sandbox's log."""

    def __init__(self, world: World) -> None:
        """Begin with the log's first line."""
        self._world = world
        self._since = 0
        self._told: Counter[str] = Counter()
        self._counted: set[int] = set()

    def look(self, partitions: Container[int], at_ms: float) -> Seen:
        """Return what was on its way of these partitions at a moment just past."""
        open_orders = self.follow(at_ms)
        committed = self._world.offsets.committed()
        placed = self._world.placed
        acknowledged = sum(
            offset >= committed[partition]
            for order_id, told in self._told.items()
            for partition, offset in placed[order_id][:told]
            if partition in partitions
        )
        open_calls = sum(placed[order_id][0][0] in partitions for order_id in open_orders)
        done = sum(offset for partition, offset in committed.items() if partition in partitions)
        return Seen(acknowledged, open_calls, done)

    def kill(self, victim: Connector, partitions: Container[int], least: Seen, window: int) -> Disturbance:
        """Kill a member once so much of these partitions, which are its own, is on its way.

        It is frozen to be looked at: if the moment is a good one it never runs again, so that it was killed then.
        """

        def frozen_at_ms() -> float:
            victim.child.check()
            self.follow(now_ms())  # so that little is left to be read while it is frozen
            os.kill(victim.child.pid, signal.SIGSTOP)
            at_ms = now_ms()
            if all(there >= wanted for there, wanted in zip(self.look(partitions, at_ms), least, strict=True)):
                return at_ms
            os.kill(victim.child.pid, signal.SIGCONT)
            return 0.0

        at_ms = wait_until(frozen_at_ms, 30, awaiting="a full flight", interval_seconds=0.1)
        victim.child.kill()
        return Disturbance(at_ms, now_ms(), self._world.offsets.committed(), window)

    def follow(self, at_ms: float) -> list[str]:
        """Count what was acknowledged until then; return the orders of the calls that were open then."""
        open_orders: dict[int, str] = {}
        newest = self._since
        for request in self._world.sandbox.control.requests(self._since):
            order_id, call = str(request["order_id"]), call_of(request)
            if call.started_ms > at_ms:
                break
            newest = request["sequence"]
            if not call.tells:
                continue
            if call.finished_ms > at_ms:
                open_orders[newest] = order_id
            elif newest not in self._counted:
                self._counted.add(newest)
                self._told[order_id] += call.is_acknowledged
        # What was open is looked at again, and with it what ended behind it.
        self._since = min(open_orders, default=newest + 1) - 1
        self._counted = {sequence for sequence in self._counted if sequence > self._since}
        return list(open_orders.values())
