# SPDX-License-Identifier: Apache-2.0
"""Settings that contradict one another.

Owns the sums and relations between settings: each is one row. What is bad by itself never gets here.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from connector.engine.lease import LONGEST_CALL_SHARE
from connector.settings.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.settings.root import Settings

DRAIN_MARGIN_SECONDS = 5.0
"""What a drain needs beyond the last call: a dead letter's acknowledgement, and the commit."""
CLOSE_MARGIN_SECONDS = 3.0
"""What a stop needs beyond the drain: leaving the group, and closing connections."""


class Sum(NamedTuple):
    """Two sides of a relation between settings, written out with their values, and whether it holds."""

    left: str
    relation: str
    right: str
    why: str
    is_kept: bool

    def __str__(self) -> str:
        """Return the relation as one line."""
        return f"{self.left} {self.relation} {self.right}"


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A setting's value with its unit; ``per_second`` is how many of the unit make a second."""

    key: str
    value: float
    unit: str = "s"
    per_second: float = 1.0

    @property
    def seconds(self) -> float:
        return self.value / self.per_second

    def write(self, seconds: float | None = None) -> str:
        """Return this value, or another one, in this setting's unit."""
        value = self.value if seconds is None else seconds * self.per_second
        return f"{value:.3f}".rstrip("0").rstrip(".") + (f" {self.unit}" if self.unit else "")


@dataclass(frozen=True, slots=True)
class _Below:
    """``low + more`` must be below ``high * share``, or equal to it if ``may_equal``."""

    low: _Quantity
    high: _Quantity
    why: str
    more: float = 0.0
    share: float = 1.0
    may_equal: bool = False

    @property
    def is_kept(self) -> bool:
        sum_needed, limit = self.low.seconds + self.more, self.high.seconds * self.share
        return sum_needed < limit or (self.may_equal and sum_needed == limit)

    def written(self) -> Sum:
        """Return both sides with their values."""
        plus = f" + {self.more:g} s to finish" if self.more else ""
        part = f"{self.share:.0%} of " if self.share != 1 else ""
        return Sum(
            left=f"{self.low.key} ({self.low.write()}){plus}",
            relation="<=" if self.may_equal else "<",
            right=f"{part}{self.high.key} ({self.high.write()})",
            why=self.why,
            is_kept=self.is_kept,
        )

    def problem(self) -> Problem | None:
        """Return what is wrong, or ``None``."""
        if self.is_kept:
            return None
        sum_needed, limit = self.low.seconds + self.more, self.high.seconds * self.share
        plus = f" and {self.more:g} s to finish" if self.more else ""
        part = f"{self.share:.0%} of " if self.share != 1 else ""
        relation, lower, higher = ("exceeds", "to", "to") if self.may_equal else ("is not below", "below", "above")
        return Problem(
            keys=(self.low.key, self.high.key),
            what=f"{self.low.write()}{plus} {relation} {part}{self.high.write()}; {self.why}",
            remedy=f"Lower {self.low.key} {lower} {self.low.write(max(limit - self.more, 0))}, "
            f"or raise {self.high.key} {higher} {self.high.write(sum_needed / self.share)}.",
        )


def sums(settings: Settings) -> tuple[Sum, ...]:
    """Return every relation that must hold between these settings, with what it comes to."""
    return tuple(relation.written() for relation in _relations(settings))


def contradictions(settings: Settings) -> tuple[Problem, ...]:
    """Return what cannot be true at once in these settings; where the values came from is not known here."""
    problems = [relation.problem() for relation in _relations(settings)]
    return (*(problem for problem in problems if problem is not None), *_topics_used_twice(settings))


def _relations(settings: Settings) -> tuple[_Below, ...]:
    kafka, button, delivery = settings.kafka, settings.button, settings.delivery
    connect = _Quantity("button.connect_timeout_seconds", button.connect_timeout_seconds)
    request = _Quantity("button.request_timeout_seconds", button.request_timeout_seconds)
    session = _Quantity("kafka.session_timeout_ms", kafka.session_timeout_ms, "ms", 1_000)
    poll = _Quantity("kafka.max_poll_interval_ms", kafka.max_poll_interval_ms, "ms", 1_000)
    drain = _Quantity("delivery.drain_seconds", delivery.drain_seconds)
    shutdown = _Quantity("delivery.shutdown_seconds", delivery.shutdown_seconds)
    liveness = _Quantity("ops.liveness_timeout_seconds", settings.ops.liveness_timeout_seconds)
    first_retry = _Quantity("delivery.retry_initial_seconds", delivery.retry_initial_seconds)
    last_retry = _Quantity("delivery.retry_max_seconds", delivery.retry_max_seconds)
    pin = _Quantity("delivery.pin_seconds", delivery.pin_seconds)
    poison = _Quantity("delivery.poison_seconds", delivery.poison_seconds)
    return (
        _Below(connect, request, "connecting is a part of the call"),
        _Below(
            request,
            session,
            "a call that starts at the end of the lease could reach Button after another member took over its order",
            share=LONGEST_CALL_SHARE,
            may_equal=True,
        ),
        _Below(session, poll, "a member's lease must end before it is expelled for not polling", may_equal=True),
        _Below(session, liveness, "with the coordinator away a commit at a revoke may take as long as a session"),
        _Below(
            request,
            drain,
            "a call that is under way when the drain begins must be able to end within it, and to land unanswered "
            "(button.settle_seconds)",
            more=DRAIN_MARGIN_SECONDS + button.settle_seconds,
        ),
        _Below(drain, poll, "the group expels a member that drains for longer", share=0.5, may_equal=True),
        _Below(drain, shutdown, "after the drain the group has to be left", more=CLOSE_MARGIN_SECONDS),
        _Below(first_retry, last_retry, "waits grow from the first to the second", may_equal=True),
        _Below(pin, poison, "what holds a partition up is given up first", may_equal=True),
    )


def _topics_used_twice(settings: Settings) -> Iterator[Problem]:
    uses = [(f"kafka.topics[{index}]", topic) for index, topic in enumerate(settings.kafka.topics)]
    uses += [("sessions.topic", settings.sessions.topic), ("dead_letters.topic", settings.dead_letters.topic)]
    uses += [("ledger.topic", settings.ledger.topic)]
    for (key, topic), (other_key, other_topic) in combinations(uses, 2):
        if topic == other_topic:
            what = f"{topic!r} is given for both"
            yield Problem((key, other_key), what, "Each topic has one purpose: name another one.")
