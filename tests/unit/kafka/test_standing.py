# SPDX-License-Identifier: Apache-2.0
"""What the group's answers to commits mean for us."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from connector.kafka.standing import Heard, Standing

LOST = ["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_INSTANCE_ID"]
UNPROVEN = ["REBALANCE_IN_PROGRESS", "STALE_MEMBER_EPOCH"]
NOT_OF_US = ["NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS", "_TRANSPORT", "_TIMED_OUT", "REQUEST_TIMED_OUT"]
_ILLEGAL = KafkaError(KafkaError.ILLEGAL_GENERATION)


class Member:
    """One standing, and what it said of the lease."""

    def __init__(self) -> None:
        """Under a lease of 30 seconds, with 300 seconds of patience."""
        self.proofs: list[float] = []
        self.ends: list[str] = []
        self.standing = Standing(30.0, 300.0, self.proofs.append, self.ends.append)

    def refuse(self, name: str, now: float = 50.0) -> None:
        """Have the group refuse a commit."""
        error = KafkaError(getattr(KafkaError, name))
        self.standing.heard(Heard(now - 0.01, has_taken=False, refusals=(error,)), now)

    def take(self, sent_at: float, now: float) -> None:
        """Have the group take a commit."""
        self.standing.heard(Heard(sent_at, has_taken=True, refusals=()), now)


def test_what_the_group_took_renews_the_lease_from_when_it_was_sent() -> None:
    """However late the answer is read [17]."""
    member = Member()
    member.take(sent_at=10.0, now=25.0)
    assert (member.proofs, member.ends) == ([10.0], [])


@pytest.mark.parametrize("name", LOST)
def test_a_group_that_does_not_know_us_ends_the_lease_until_the_client_calls_back(name: str) -> None:
    """At once, and once; nothing is sent for the sake of a proof meanwhile [17, 53]."""
    member = Member()
    member.take(10.0, 10.0)
    member.refuse(name, now=50.0)
    member.refuse(name, now=51.0)
    assert len(member.ends) == 1
    assert name in member.ends[0]
    assert (member.standing.is_ended, member.standing.is_due(1e9)) == (True, False)
    member.standing.called_back(52.0)
    assert (member.standing.is_ended, member.standing.is_due(52.0)) == (False, True)


def test_what_the_group_took_before_it_ended_the_membership_gives_no_lease_again() -> None:
    """The answer was underway longer than the one that ended it: the partitions may be others' by now [17]."""
    member = Member()
    member.refuse("UNKNOWN_MEMBER_ID", now=50.0)
    member.take(sent_at=49.0, now=50.1)
    assert member.proofs == []
    member.standing.called_back(50.5)
    member.take(sent_at=51.0, now=51.1)
    assert member.proofs == [51.0]


@pytest.mark.parametrize("name", LOST)
def test_what_is_said_of_a_membership_that_is_over_does_not_end_the_next_one(name: str) -> None:
    """The client has joined anew since; nobody would call back a second time, so a new proof is asked for [17, 53]."""
    member = Member()
    member.standing.called_back(60.0)
    member.standing.sent(60.1)
    member.refuse(name, now=60.005)
    assert (member.ends, member.standing.is_due(60.1)) == ([], True)
    member.refuse(name, now=60.2)
    member.refuse(name, now=60.4)
    assert len(member.ends) == 1


def test_a_commit_that_crossed_a_rebalance_does_not_end_the_lease() -> None:
    """It is answered as of a generation that is over; one that is sent at once afterwards shows what is true [52]."""
    member = Member()
    member.take(10.0, 10.0)
    member.standing.sent(49.9)
    member.refuse("ILLEGAL_GENERATION", now=50.0)
    assert member.standing.is_due(50.0)
    member.standing.heard(Heard(49.95, has_taken=False, refusals=(_ILLEGAL,)), 50.1)
    assert member.ends == []
    member.take(50.2, 50.3)
    member.refuse("ILLEGAL_GENERATION", now=80.0)
    assert member.ends == []


@pytest.mark.parametrize("name", UNPROVEN + NOT_OF_US)
def test_other_refusals_only_fail_to_renew(name: str) -> None:
    """A change under way, or a coordinator that moves, says nothing of us; the lease runs out by itself [52]."""
    member = Member()
    member.refuse(name)
    assert (member.proofs, member.ends) == ([], [])
    assert not member.standing.is_ended


@pytest.mark.parametrize("name", LOST + UNPROVEN)
def test_a_group_that_goes_on_refusing_us_without_a_call_back_ends_the_process(name: str) -> None:
    """The client may have dropped that we are lost, or hang: reading on for ever would look like idling [53, 54]."""
    member = Member()
    member.refuse(name, now=50.0)
    member.refuse(name, now=200.0)
    assert member.standing.failure(349.0) is None
    failure = member.standing.failure(350.0)
    assert failure is not None
    assert name in failure.reason
    assert "Restart" in failure.reason


@pytest.mark.parametrize("name", NOT_OF_US)
def test_an_outage_of_the_coordinator_ends_nothing(name: str) -> None:
    """However long it takes, all goes on by itself afterwards (P5)."""
    member = Member()
    for now in range(0, 100_000, 10):
        member.refuse(name, now=float(now))
    assert member.standing.failure(1e9) is None


def test_what_the_group_takes_or_gives_ends_the_patience() -> None:
    """Only refusals without a break in between count [53]."""
    taken, given = Member(), Member()
    taken.refuse("STALE_MEMBER_EPOCH")
    taken.take(60.0, 60.0)
    given.refuse("ILLEGAL_GENERATION")
    given.standing.called_back(100.0)
    assert taken.standing.failure(1e9) is None
    assert given.standing.failure(1e9) is None


def test_a_group_that_does_not_answer_is_not_waited_for_in_a_callback() -> None:
    """A synchronous commit to a coordinator that is gone would hold a revoke up [13, 15]."""
    member = Member()
    assert not member.standing.is_answered(1000.0)
    member.take(1000.0, 1000.0)
    assert member.standing.is_answered(1019.0)
    assert not member.standing.is_answered(1020.0)
    member.refuse("_TRANSPORT", now=1021.0)
    assert not member.standing.is_answered(1021.0)
