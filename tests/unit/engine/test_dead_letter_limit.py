# SPDX-License-Identifier: Apache-2.0
"""How many dead letters are too many."""

from __future__ import annotations

from connector.domain.parking import ORDER_PARKED
from connector.engine.backoff import Backoff
from connector.engine.dead_letter_limit import DeadLetterLimit, LimitOptions
from connector.engine.observations import DeadLettersHalted
from tests.support.fakes import Recorder

PROBE = Backoff(30.0, 100.0)


def _limit(row: int = 3, share: float = 1.0, window: int = 10) -> tuple[DeadLetterLimit, Recorder]:
    seen = Recorder()
    return DeadLetterLimit(LimitOptions(row, share, window, PROBE), seen), seen


def test_the_letter_that_would_exceed_the_limit_is_the_first_that_is_held() -> None:
    """So many in a row, and not one more."""
    limit, seen = _limit(row=3)
    assert [limit.admits(f"o-{number}", "bad") for number in range(5)] == [True, True, True, False, False]
    assert limit.is_halted
    assert [each.is_halted for each in seen.of(DeadLettersHalted)] == [True]


def test_a_good_end_in_between_begins_a_new_row() -> None:
    """Some bad orders among good ones are what dead letters are for."""
    limit, _ = _limit(row=3)
    for number in range(100):
        assert limit.admits(f"o-{number}", "bad")
        limit.ended_well()


def test_one_order_counts_once_and_what_is_skipped_not_at_all() -> None:
    """Neither can hide a broken deployment, nor look like one."""
    limit, _ = _limit(row=3)
    assert all(limit.admits("o-1", "bad") for _ in range(50))
    for number in range(2, 4):
        limit.ended_otherwise()
        assert limit.admits(f"o-{number}", "bad")
    assert not limit.admits("o-4", "bad")


def test_refunds_behind_a_parked_purchase_are_no_failures() -> None:
    """They come long after, and are not held either."""
    limit, _ = _limit(row=1)
    assert all(limit.admits(f"o-{number}", ORDER_PARKED) for number in range(9))
    assert limit.admits("p-1", "bad")
    assert not limit.admits("p-2", "bad")
    assert limit.admits("o-10", ORDER_PARKED)


def test_the_share_is_that_of_the_last_events() -> None:
    """What has left the window counts no longer."""
    limit, _ = _limit(row=0, share=0.3, window=10)
    for number in range(50):
        for _ in range(4):
            limit.ended_well()
        assert limit.admits(f"o-{number}", "bad")
    assert limit.admits("p-1", "bad")
    assert not limit.admits("p-2", "bad")


def test_no_limit_is_none() -> None:
    """Whatever comes."""
    limit, _ = _limit(row=0, share=1.0)
    assert all(limit.admits(f"o-{number}", "bad") for number in range(5000))


def test_a_probe_is_one_event_and_each_failed_one_makes_the_next_wait_longer() -> None:
    """Nobody is called again and again for nothing."""
    limit, _ = _limit(row=0, share=0.01, window=10)
    assert not limit.admits("o-1", "bad")
    waits = []
    for number in range(4):
        assert not limit.claims("o-1")
        waits.append(limit.wait_seconds)
        limit.let_one_through()
        assert (limit.may_take_in(), limit.claims(f"p-{number}"), limit.claims("another")) == (True, True, False)
        assert not limit.admits(f"p-{number}", "bad")
    assert waits == [30.0, 60.0, 100.0, 100.0]


def test_one_good_end_is_the_way_out_and_so_is_somebody_s_word() -> None:
    """With a fresh count."""
    for how in ("probe", "word"):
        limit, seen = _limit(row=1)
        assert limit.admits("o-1", "bad")
        assert not limit.admits("o-2", "bad")
        limit.ended_well()  # a call that was under way when it halted is no probe
        assert not limit.may_take_in()
        if how == "probe":
            limit.let_one_through()
            assert limit.claims("o-3")
            limit.ended_well()
        else:
            limit.resume("somebody said so")
        assert not limit.is_halted
        assert [each.is_halted for each in seen.of(DeadLettersHalted)] == [True, False]
        assert limit.admits("o-3", "bad")
        limit.resume("once more")
        assert len(seen.of(DeadLettersHalted)) == 2


def test_a_probe_that_is_skipped_lets_another_one_through() -> None:
    """It said nothing."""
    limit, _ = _limit(row=0, share=0.01)
    assert not limit.admits("o-1", "bad")
    limit.let_one_through()
    assert limit.claims("o-2")
    limit.ended_otherwise()
    assert limit.claims("o-3")


def test_what_was_let_through_may_be_decided_as_often_as_it_takes() -> None:
    """It was tried again, or looked up first; meanwhile no other order is let through."""
    limit, _ = _limit(row=0, share=0.01)
    assert not limit.admits("o-1", "bad")
    limit.let_one_through()
    assert limit.claims("o-2")
    assert not limit.claims("o-3")
    assert limit.claims("o-2")
    limit.ended_well()
    assert not limit.is_halted


def test_a_parked_refund_that_was_let_through_lets_another_one_through() -> None:
    """Its letter is written, and said nothing."""
    limit, _ = _limit(row=0, share=0.01)
    assert not limit.admits("o-1", "bad")
    limit.let_one_through()
    assert limit.claims("o-2")
    assert limit.admits("o-2", ORDER_PARKED)
    assert limit.claims("o-3")
