# SPDX-License-Identifier: Apache-2.0
"""Which call meets which fault.

Owns the decision; what a fault does on the wire is the connection's business. The decision for a call depends on the
seed, the order id, the operation and the number of the attempt, and on nothing else: never on the time, nor on the
order in which calls of different orders arrive. So a run can be repeated, however its calls interleave.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from connector.sandbox.switches import fault_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.sandbox.switches import Switches

MAX_RULES = 1_000


class Fault(StrEnum):
    """What may happen to a call; the names are those of the switches without ``_share``."""

    FAIL = "fail"
    FAIL_AFTER = "fail_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    NO_ANSWER_BEFORE = "no_answer_before"
    NO_ANSWER = "no_answer"
    HALF_BODY = "half_body"
    SLOW_DRIP = "slow_drip"
    HUGE_BODY = "huge_body"
    REDIRECT = "redirect"
    META_ERROR = "meta_error"
    PAGE = "page"
    DELAY = "delay"

    @property
    def takes_the_order(self) -> bool:
        """Whether the call is carried out although its caller is not told, or not properly."""
        return self not in _NOT_TAKEN


_NOT_TAKEN = frozenset(
    {Fault.FAIL, Fault.DROP_BEFORE, Fault.NO_ANSWER_BEFORE, Fault.REDIRECT, Fault.META_ERROR, Fault.PAGE},
)


class Attempt(NamedTuple):
    """The ``number``-th call of one operation on one order."""

    order_id: str
    operation: str
    number: int


@dataclass(frozen=True, slots=True)
class Play:
    """What a call meets: at most one fault, its status where it is a failure, and a delay."""

    fault: Fault | None = None
    status: int = 503
    delay_seconds: float = 0.0


NOTHING = Play()


@dataclass(slots=True)
class FaultRule:
    """A fault for the orders whose id matches a pattern.

    ``times`` counts attempts of one order and operation since the rule was set; ``None`` is for ever. ``status`` is
    for the two kinds of failure; ``delay_ms`` comes on top of any kind, and alone with ``delay``.
    """

    order_id: str
    fault: Fault
    operation: str | None = None
    times: int | None = None
    status: int = 503
    delay_ms: int = 0
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False, compare=False)

    def hits(self, attempt: Attempt) -> bool:
        """Tell whether this attempt meets the fault; asking counts as an attempt."""
        if self.operation not in (None, attempt.operation) or not fnmatchcase(attempt.order_id, self.order_id):
            return False
        if self.times is None:
            return True
        self._seen[attempt.order_id, attempt.operation] += 1
        return self._seen[attempt.order_id, attempt.operation] <= self.times


def roll(seed: int, *parts: object) -> float:
    """Return a number from 0 up to but not 1 that is always the same for the same arguments."""
    text = "\x1f".join(map(str, (seed, *parts)))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest()) / (1 << 56)


class Faults:
    """The faults of a sandbox: by share, as its switches say, and by order id."""

    def __init__(self, switches: Switches) -> None:
        """Read the shares once; only those above zero are looked at for a call."""
        self.rules: list[FaultRule] = []
        self.follow(switches)

    def follow(self, switches: Switches) -> None:
        """Take other switches from the next call on."""
        self._switches = switches
        shares = ((Fault(name.removesuffix("_share")), getattr(switches, name)) for name in fault_shares())
        self._shares: Sequence[tuple[Fault, float]] = [(fault, share) for fault, share in shares if share]

    def add(self, rule: FaultRule) -> None:
        """Add a fault by order id; the newest rule that matches is played."""
        self.rules.insert(0, rule)
        del self.rules[MAX_RULES:]

    def decide(self, attempt: Attempt, open_calls: int) -> Play:
        """Decide what this attempt meets; a rule for the order goes before the shares."""
        for rule in self.rules:
            if rule.hits(attempt):
                return Play(None if rule.fault is Fault.DELAY else rule.fault, rule.status, rule.delay_ms / 1000)
        if not self._shares and not self._switches.delay_share:
            return NOTHING
        delay_seconds = _delay_seconds(self._switches, attempt, open_calls)
        return Play(self._fault(attempt), self._switches.fail_status, delay_seconds)

    def _fault(self, attempt: Attempt) -> Fault | None:
        rolled = roll(self._switches.seed, "fault", *attempt)
        for fault, share in self._shares:
            rolled -= share
            if rolled < 0:
                return fault
        return None


def _delay_seconds(switches: Switches, attempt: Attempt, open_calls: int) -> float:
    if not switches.delay_share or roll(switches.seed, "delay", *attempt) >= switches.delay_share:
        return 0.0
    delay_seconds = switches.delay_ms / 1000
    if switches.delay_mode == "jitter":
        return delay_seconds * (0.5 + roll(switches.seed, "jitter", *attempt))
    return delay_seconds * open_calls if switches.delay_mode == "load" else delay_seconds
