# SPDX-License-Identifier: Apache-2.0
"""How we stand with the group: what its answers to our commits prove, and when the next proof is due.

Owns what an answer means for the lease. A commit that was taken proves that we were a member when it was sent. One that
was refused because the group does not know us (``LOST``) ends the membership at once: nothing more is committed, and a
revoke is treated as a loss, until the client calls back with what the group has given us since. For the client may
forget that we were expelled, and hand back in good order partitions that have long had another owner. One that was
refused for a change under way (``UNPROVEN``) proves nothing either way.

A commit that crosses a rebalance of the classic protocol is answered as of another generation, though we are a member
of the next one already. So that answer counts only when a commit that was sent after it gets it, too.

Used on the poll thread; ``now`` is the clock of the lease.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError

from connector.kafka.failures import KafkaFailure

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = frozenset({KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.FENCED_INSTANCE_ID})
UNPROVEN = frozenset({KafkaError.REBALANCE_IN_PROGRESS, KafkaError.STALE_MEMBER_EPOCH})
_RENEWALS_A_LEASE = 3


class Heard(NamedTuple):
    """The group's answer to a commit that was sent then; ``has_taken`` whether it holds any of it."""

    sent_at: float
    has_taken: bool
    refusals: tuple[KafkaError, ...]


class Standing:
    """What the group thinks of us, as far as its answers say."""

    def __init__(
        self,
        lease_seconds: float,
        patience_seconds: float,
        renew: Callable[[float], None],
        end: Callable[[str], None],
    ) -> None:
        """Begin as a member that nothing is known of.

        ``renew`` and ``end`` take note for the lease: of when a proof was sent, and of why there is none any more.
        ``patience_seconds`` is how long the group may refuse us without the client calling back.
        """
        self._interval_seconds = lease_seconds / _RENEWALS_A_LEASE
        self._patience_seconds = patience_seconds
        self._renew = renew
        self._end = end
        self._due_at = 0.0
        self._called_back_at = 0.0
        self._heard_at = 0.0
        self._refused_since: float | None = None
        self._suspected_at: float | None = None
        self._refusal = ""
        self.is_ended = False
        """Whether the group has ended this membership, and the client has not called back since."""

    def is_due(self, now: float) -> bool:
        """Return whether a commit is to be sent for the sake of its answer."""
        return not self.is_ended and now >= self._due_at

    def is_answered(self, now: float) -> bool:
        """Return whether the group has answered lately."""
        return now - self._heard_at < 2 * self._interval_seconds

    def sent(self, now: float) -> None:
        """Note that a commit is sent."""
        self._due_at = now + self._interval_seconds

    def ask_soon(self) -> None:
        """Have a proof asked for at once: what was proven before was proven to nobody."""
        self._due_at = 0.0

    def heard(self, answer: Heard, now: float) -> None:
        """Take an answer; what the group said before it ended this membership proves nothing any more."""
        if answer.has_taken:
            self._heard_at = now
            self._refused_since = self._suspected_at = None
            if not self.is_ended:
                self._renew(answer.sent_at)
            return
        refusal = next((each for each in answer.refusals if each.code() in LOST | UNPROVEN), None)
        if refusal is None:
            return
        self._heard_at = now
        self._refusal = f"{refusal.str()} ({refusal.name()})"
        if self._refused_since is None:
            self._refused_since = now
        if self._is_final(refusal.code(), answer.sent_at, now) and not self.is_ended:
            self.is_ended = True
            self._end(f"the group does not take this process for a member: {self._refusal}")

    def _is_final(self, code: int, sent_at: float, now: float) -> bool:
        if code not in LOST:
            return False
        if sent_at < self._called_back_at:
            self._due_at = 0.0  # It is about a membership that is over; what is sent now tells of this one.
            return False
        if code != KafkaError.ILLEGAL_GENERATION:
            return True
        if self._suspected_at is None:
            self._suspected_at = now
            self._due_at = 0.0
        return sent_at > self._suspected_at

    def called_back(self, now: float) -> None:
        """Note that the client has called back: what we own from now on is the group's word."""
        self._called_back_at = now
        self.is_ended = False
        self._refused_since = self._suspected_at = None
        self._due_at = 0.0

    def failure(self, now: float) -> KafkaFailure | None:
        """Return why there is no use in waiting any longer, if so."""
        if self._refused_since is None or now - self._refused_since < self._patience_seconds:
            return None
        return KafkaFailure(
            f"Kafka: for {now - self._refused_since:.0f} s the group has refused this process's commits and has given "
            f"it nothing new: {self._refusal}. Restart the connector; if it comes back, look at the group "
            "(kafka-consumer-groups --describe --members) and for a second process with the same member id.",
        )
