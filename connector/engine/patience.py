# SPDX-License-Identifier: Apache-2.0
"""How long an event may fail: only time in which its own calls failed while other orders succeeded counts.

Owns that count and its bounds. An outage never ends an event, and waiting (for a time that Button named, for admission,
the ledger, sessions, dead letters or the group) never counts. Whether others succeed is told by first attempts alone:
an order that failed before says nothing of the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.domain.orders import Reject

if TYPE_CHECKING:
    from connector.engine.task import Task

POISON, PIN = "keeps_failing", "pins_partition"
_REMEDY = "see what is special about this order; once it can be told, replay the dead letter"


class Failing:
    """How an event has failed until now; ``delay_seconds`` is the wait before its next attempt that counts."""

    __slots__ = ("delay_seconds", "failures", "others_failed", "others_served", "outages", "seconds")

    def __init__(self) -> None:
        """Start at the first failure."""
        self.seconds = self.delay_seconds = 0.0
        self.failures = self.others_served = self.others_failed = self.outages = 0


@dataclass(slots=True)
class Patience:
    """What became of the orders' first attempts, and how long one of them may fail beside them."""

    poison_seconds: float
    pin_seconds: float
    served: int = 0
    unserved: int = 0

    def first_attempt(self, *, is_served: bool) -> None:
        """Note what became of an event's first attempt."""
        if is_served:
            self.served += 1
        else:
            self.unserved += 1

    def failed(self, task: Task, attempt_seconds: float, delay_seconds: float, outages: int) -> bool:
        """Note an attempt that failed; true when the event failed before and others succeeded in between.

        ``outages`` is how often the other side was away until now.
        """
        failing = task.failing = task.failing or Failing()
        served, unserved = self.served - failing.others_served, self.unserved - failing.others_failed
        counts = failing.failures > 0 and outages == failing.outages and served > unserved
        failing.failures += 1
        if counts:
            failing.seconds += attempt_seconds + failing.delay_seconds
        failing.delay_seconds = delay_seconds
        failing.others_served, failing.others_failed, failing.outages = self.served, self.unserved, outages
        return counts

    def over(self, task: Task, *, is_oldest: bool, last: str) -> Reject | None:
        """Return why the event is given up, if it is; ``is_oldest`` says that its partition's commit waits for it."""
        seconds = 0.0 if task.failing is None else task.failing.seconds
        if seconds >= self.poison_seconds:
            what = f"failed for {seconds:.0f} s while other orders were told (delivery.poison_seconds)"
            return Reject(POISON, f"{what}; {_REMEDY}; at last: {last}")
        if is_oldest and seconds >= self.pin_seconds:
            what = f"held its partition's commit up by failing for {seconds:.0f} s while other orders were told"
            return Reject(PIN, f"{what} (delivery.pin_seconds); {_REMEDY}; at last: {last}")
        return None
