# SPDX-License-Identifier: Apache-2.0
"""Until when calls may be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.engine.lease import (
    LONGEST_CALL_SHARE,
    MARGIN_SHARE,
    Lease,
    Leasehold,
    lease_seconds,
    longest_heartbeat_ms,
)
from connector.engine.observations import LeaseLapsed, LeaseRenewed

if TYPE_CHECKING:
    from connector.engine.observations import Observation


class Engine:
    """Keeps what it and the observer are told, in order; ``may_start`` is asked each time."""

    def __init__(self, seconds: float = 10.0) -> None:
        """Begin at time 0, without a lease."""
        self.now = 0.0
        self.lease = Lease(seconds)
        self.told: list[tuple[str, bool]] = []
        self.seen: list[Observation] = []
        self.hold = Leasehold(self.lease, lambda: self.now, self, self.seen.append)  # type: ignore[arg-type]  # it uses two methods

    def suspend(self) -> None:
        """Keep the call, and whether calls might start at that moment."""
        self.told.append(("suspend", self.lease.is_valid(self.now)))

    def resume(self) -> None:
        """Keep the call, and whether calls might start at that moment."""
        self.told.append(("resume", self.lease.is_valid(self.now)))


def test_there_is_no_lease_before_the_first_proof() -> None:
    """A member that has proven nothing may start nothing, and has lost nothing either [17]."""
    lease = Lease(10.0)
    assert not lease.is_valid(0.0)
    assert not lease.has_lapsed(1e9)


def test_a_lease_counts_from_when_its_proof_was_sent() -> None:
    """The answer may have been read long after the group gave it: the process was frozen in between [17]."""
    lease = Lease(10.0)
    lease.renewed(sent_at=100.0)
    assert lease.is_valid(109.999)
    assert not lease.is_valid(110.0)
    assert lease.has_lapsed(110.0)
    lease.renewed(sent_at=99.0)
    assert lease.valid_until == 110.0


def test_a_call_that_starts_at_the_end_of_a_lease_is_over_before_the_session_is() -> None:
    """Else it could reach Button after another member has taken over its order; a margin is left, too [17]."""
    for session, call in ((45.0, 15.0), (6.0, 2.0), (60.0, 60.0 * LONGEST_CALL_SHARE)):
        assert lease_seconds(session, call) + call == pytest.approx(session * (1 - MARGIN_SHARE))
        assert lease_seconds(session, call) >= session * LONGEST_CALL_SHARE * 0.999


def test_what_brokers_count_from_must_not_outlast_the_margin() -> None:
    """Under the consumer protocol they count from the last heartbeat, and not from the last commit [17]."""
    for session_ms, given_ms in ((45_000, 45_000), (6_000, 6_000), (30_000, 45_000)):
        oldest_ms = longest_heartbeat_ms(session_ms, given_ms)
        assert lease_seconds(session_ms / 1000, 1.0) + 1.0 == pytest.approx((given_ms - oldest_ms) / 1000)


def test_a_lapse_suspends_the_engine_once_and_is_seen() -> None:
    """Whoever looks first tells it, and nobody after him."""
    engine = Engine()
    engine.hold.renew(0.0)
    engine.now = 9.9
    engine.hold.look()
    assert engine.told == []
    engine.now = 10.0
    engine.hold.look()
    engine.hold.look()
    assert engine.told == [("suspend", False)]
    assert [type(each) for each in engine.seen] == [LeaseLapsed]


def test_the_engine_resumes_when_the_lease_is_renewed() -> None:
    """And an operator reads how long nothing was sent."""
    engine = Engine()
    engine.hold.renew(0.0)
    engine.now = 14.0
    engine.hold.look()
    engine.hold.renew(13.5)
    assert engine.told == [("suspend", False), ("resume", True)]
    assert engine.seen[-1] == LeaseRenewed(4.0)
    assert engine.lease.valid_until == 23.5


def test_a_lapse_that_nobody_saw_suspends_the_engine_before_it_is_over() -> None:
    """What was decided before it must not start: others may have written of the same orders since [17]."""
    engine = Engine()
    engine.hold.renew(0.0)
    engine.now = 60.0
    engine.hold.renew(59.9)
    assert engine.told == [("suspend", False), ("resume", True)]


def test_a_proof_that_is_as_old_as_the_lapse_renews_nothing() -> None:
    """The answer to a commit from before the freeze is read after it [17]."""
    engine = Engine()
    engine.hold.renew(0.0)
    engine.now = 60.0
    engine.hold.renew(5.0)
    assert engine.told == [("suspend", False)]
    assert not engine.lease.is_valid(engine.now)


def test_the_group_s_word_ends_a_lease_at_once() -> None:
    """A commit that was refused because the group does not know us says that our partitions are others' [17, 53]."""
    engine = Engine()
    engine.hold.renew(0.0)
    engine.now = 1.0
    engine.hold.end("the group does not know us")
    assert engine.told == [("suspend", False)]
    assert engine.seen == [LeaseLapsed("the group does not know us")]


def test_without_partitions_there_is_nothing_to_lapse() -> None:
    """A replica that the group gives nothing to is well."""
    engine = Engine()
    engine.hold.renew(0.0)
    engine.hold.drop()
    engine.now = 60.0
    engine.hold.look()
    engine.hold.renew(60.0)
    assert engine.told == []
    assert engine.seen == []
