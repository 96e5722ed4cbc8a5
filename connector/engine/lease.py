# SPDX-License-Identifier: Apache-2.0
"""The lease: until when calls may be started on the strength of the last proof that we are a member of the group.

Owns that time, and what the engine is told when it has passed and when it is put off again. A member that was frozen
past its session does not know that its partitions have another owner by now; only time does, so time is asked before
every call.

The proof is an answered commit, counted from when it was *sent*: the group cannot have expelled us within a session
timeout from then. A call that starts at the very end of the lease must be over, too, before the session can be; and a
margin is left for clocks that differ and for groups that count from the last heartbeat and not from the last commit.
Never reads a clock: ``now`` is an argument, in seconds of a clock that goes on while the machine is suspended.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from connector.engine.observations import LeaseLapsed, LeaseRenewed

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.engine.ports import Intake, Observer

MARGIN_SHARE = 0.2
"""The part of the session timeout that is left as a margin, for clocks and for heartbeats."""
LONGEST_CALL_SHARE = 0.4
"""The part of the session timeout that a call may take at most, so that the lease lasts as long at least."""


def lease_seconds(session_timeout_seconds: float, call_seconds: float) -> float:
    """Return how long a lease lasts: a call that starts at its end is over before the session is."""
    return session_timeout_seconds * (1 - MARGIN_SHARE) - call_seconds


def longest_heartbeat_ms(session_timeout_ms: int, given_ms: int) -> int:
    """Return how seldom a member may show itself where the group counts from that.

    ``session_timeout_ms`` is the session that the lease is made of, ``given_ms`` the one that the brokers give.
    """
    return given_ms - round(session_timeout_ms * (1 - MARGIN_SHARE))


class Lease:
    """Until when calls may be started."""

    __slots__ = ("seconds", "valid_until")

    def __init__(self, seconds: float) -> None:
        """Begin without one; each proof gives one of so many seconds."""
        self.seconds = seconds
        self.valid_until = -math.inf

    def is_valid(self, now: float) -> bool:
        """Return whether a call may be started."""
        return now < self.valid_until

    def has_lapsed(self, now: float) -> bool:
        """Return whether there was a lease, and is none any more."""
        return -math.inf < self.valid_until <= now

    def renewed(self, sent_at: float) -> None:
        """Note that the group has taken a commit that was sent then."""
        self.valid_until = max(self.valid_until, sent_at + self.seconds)

    def ended(self, now: float) -> None:
        """Note that the group has said that we are no member any more."""
        self.valid_until = min(self.valid_until, now)

    def dropped(self) -> None:
        """Note that there is nothing left for which one is needed."""
        self.valid_until = -math.inf


class Leasehold:
    """The lease on the engine's loop: while it has lapsed the engine is suspended.

    The engine is told before calls may start again, so that nothing which was decided before the lapse can start.
    """

    def __init__(self, lease: Lease, now: Callable[[], float], intake: Intake, observe: Observer) -> None:
        """Take the lease, and whom to tell."""
        self._lease = lease
        self._now = now
        self._intake = intake
        self._observe = observe
        self._lapsed_at: float | None = None

    def look(self, reason: str = "the group has answered no commit for too long") -> None:
        """Suspend the engine if the lease has lapsed."""
        if self._lapsed_at is None and self._lease.has_lapsed(self._now()):
            self._lapsed_at = self._lease.valid_until
            self._intake.suspend()
            self._observe(LeaseLapsed(reason))

    def renew(self, sent_at: float) -> None:
        """Take note of a commit that the group has taken; ``sent_at`` is when it was sent."""
        self.look()  # It may have lapsed unseen, and then the engine must be suspended first.
        self._lease.renewed(sent_at)
        now = self._now()
        if self._lapsed_at is not None and self._lease.is_valid(now):
            self._observe(LeaseRenewed(now - self._lapsed_at))
            self._lapsed_at = None
            self._intake.resume()

    def end(self, reason: str) -> None:
        """Take note that the group has said that we are no member any more."""
        self._lease.ended(self._now())
        self.look(reason)

    def drop(self) -> None:
        """Take note that no partition is left."""
        self._lease.dropped()
        self._lapsed_at = None
