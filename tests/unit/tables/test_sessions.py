# SPDX-License-Identifier: Apache-2.0
"""The sessions table: as of a time, by session, by user."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from connector.avro.session_decoding import SessionDecoder
from connector.domain.attribution import Found, Missing, OnlyNewer, SessionLookup
from connector.engine.observations import BadTableRecord
from connector.engine.ports import TopicPartition
from connector.tables.sessions import Sessions
from tests.support.avro_records import encode_session, session

if TYPE_CHECKING:
    from connector.engine.observations import Observation
    from connector.engine.ports import SessionTable

T = 1_767_225_600_000
SKEW_MS = 5
TOPIC = TopicPartition("sessions", 3)


def reported_nowhere(observation: Observation) -> None:
    """Fail: nothing is to be reported."""
    raise AssertionError(observation)


class Table:
    """A table that has caught up, and what it reported."""

    def __init__(self, **options: int) -> None:
        """Begin empty."""
        self.reported: list[Observation] = []
        self.sessions = Sessions(SessionDecoder(), self._observe, clock_skew_ms=SKEW_MS, **options)
        self.sessions.mark_caught_up()
        self._offset = 0

    def put(self, key: str, token: str | None, at: int, **fields: Any) -> None:  # noqa: ANN401  fields of any type
        """Apply a record that was seen ``at`` milliseconds after T."""
        self._apply(key, encode_session(session(key, token, T + at, **fields)), at)

    def delete(self, key: str, at: int) -> None:
        """Apply a tombstone."""
        self._apply(key, None, at)

    def ask(self, at: int, *keys: str, user: str | None = None) -> SessionLookup:
        """Look up as of ``at`` milliseconds after T."""
        table: SessionTable = self.sessions
        return table.lookup(session_keys=keys, user_key=user, as_of_ms=T + at)

    def _observe(self, observation: Observation) -> None:
        self.reported.append(observation)

    def _apply(self, key: str, value: bytes | None, at: int) -> None:
        self.sessions.apply(TOPIC, self._offset, T + at, key.encode(), value)
        self._offset += 1


def found(token: str, at: int, by: str = "session") -> Found:
    """Return the answer that is expected."""
    return Found(token, T + at, by)


def test_the_token_is_the_one_of_the_events_time() -> None:
    """A token that was seen later cannot have caused the purchase."""
    table = Table()
    table.put("S", "first", 100)
    table.put("S", "second", 200)
    assert table.ask(150, "S") == found("first", 100)
    assert table.ask(200, "S") == found("second", 200)
    assert table.ask(9_999, "S") == found("second", 200)


def test_time_decides_and_not_arrival() -> None:
    """Records that arrive in another order give the same answers."""
    entries = [("first", 100), ("second", 200), (None, 300), ("third", 400)]
    for arrival in permutations(entries):
        table = Table()
        for token, at in arrival:
            table.put("S", token, at)
        assert table.ask(150, "S") == found("first", 100)
        assert table.ask(250, "S") == found("second", 200)
        assert table.ask(350, "S") == Missing()
        assert table.ask(450, "S") == found("third", 400)


def test_of_two_tokens_of_one_time_the_later_record_counts() -> None:
    """A correction of the same moment replaces; a predecessor that a later record repeats does not."""
    table = Table()
    table.put("S", "wrong", 100)
    table.put("S", "right", 100)
    table.put("S", "next", 200, previous=[{"btn_ref": "wrong", "observed_at": T + 100}])
    assert table.ask(150, "S") == found("right", 100)


def test_a_token_within_the_clock_skew_still_counts() -> None:
    """Clocks differ; one millisecond more is too late."""
    table = Table()
    table.put("S", "token", 100)
    assert table.ask(100 - SKEW_MS, "S") == found("token", 100)
    assert table.ask(100 - SKEW_MS - 1, "S") == OnlyNewer()


def test_a_lookup_that_finds_only_newer_tokens_says_so() -> None:
    """Never seen, seen only later, and cleared before are different answers."""
    table = Table()
    table.put("S", "token", 100)
    table.put("cleared", "token", 10)
    table.put("cleared", None, 20)
    table.put("cleared", "token", 100)
    assert table.ask(50, "S") == OnlyNewer()
    assert table.ask(50, "other") == Missing()
    assert table.ask(50, "cleared") == Missing()


def test_a_clearing_and_a_tombstone_count_from_their_time_on() -> None:
    """What was bought before the session was cleared keeps its token."""
    cleared, deleted = Table(), Table()
    for table in (cleared, deleted):
        table.put("S", "token", 100)
    cleared.put("S", None, 200)
    deleted.delete("S", 200)
    for table in (cleared, deleted):
        assert table.ask(150, "S") == found("token", 100)
        assert table.ask(200, "S") == Missing()
        table.put("S", "again", 300)
        assert table.ask(300, "S") == found("again", 300)


def test_predecessors_in_a_value_outlive_compaction() -> None:
    """A replica that sees only the newest record can still answer for an earlier event."""
    table = Table()
    earlier = [{"btn_ref": "first", "observed_at": T + 100}, {"btn_ref": None, "observed_at": T + 200}]
    table.put("S", "third", 300, previous=earlier)
    assert table.ask(150, "S") == found("first", 100)
    assert table.ask(250, "S") == Missing()
    assert table.ask(350, "S") == found("third", 300)


def test_the_first_session_key_with_a_token_counts() -> None:
    """The UUID is asked for before the number; a key without a token is passed over."""
    table = Table()
    table.put("number", "by-number", 50)
    assert table.ask(100, "uuid", "number") == found("by-number", 50)
    table.put("uuid", "by-uuid", 10)
    assert table.ask(100, "uuid", "number") == found("by-uuid", 10)


def test_the_users_newest_token_stands_in_for_the_sessions() -> None:
    """Click and purchase are often in different sessions; the user's newest token as of the event is taken."""
    table = Table()
    table.put("S1", "one", 100, mpid=-7)
    table.put("S2", "two", 200, mpid="-7")
    table.put("S3", "stranger", 150, mpid=8)
    assert table.ask(199 - SKEW_MS, "new", user="-7") == found("one", 100, "user")
    assert table.ask(300, "new", user="-7") == found("two", 200, "user")
    assert table.ask(300, "S1", user="-7") == found("one", 100)
    assert table.ask(50, "new", user="-7") == OnlyNewer()
    assert table.ask(300, "new", user="nobody") == Missing()


def test_a_session_that_changed_hands_keeps_its_users_apart() -> None:
    """A token that was seen for one user is never another's."""
    table = Table()
    table.put("shared", "mine", 100, mpid=1)
    table.put("shared", "yours", 200, mpid=2)
    assert table.ask(300, user="1") == found("mine", 100, "user")
    assert table.ask(300, user="2") == found("yours", 200, "user")


def test_a_clearing_ends_a_users_other_sessions_only_when_it_names_the_user() -> None:
    """A log-out ends the user's older tokens; a tombstone, which may be mere tidying up, only its session's."""
    table = Table()
    table.put("S1", "one", 100, mpid=7)
    table.put("S2", "two", 200, mpid=7)
    table.delete("S2", 300)
    assert table.ask(400, user="7") == found("one", 100, "user")
    table.put("S2", None, 500, mpid=7)
    assert table.ask(600, user="7") == Missing()


@pytest.mark.parametrize(
    ("token", "words"),
    [("org-0123456789", "organisation"), ("", "not a token"), ("a b", "not a token"), ("x" * 256, "255")],
)
def test_what_cannot_be_a_token_is_passed_over_and_reported(token: str, words: str) -> None:
    """A publisher's organisation id is no token; the last good token stays, and the message holds none."""
    table = Table()
    table.put("S", "good", 100)
    table.put("S", token, 200)
    assert table.ask(300, "S") == found("good", 100)
    (report,) = table.reported
    assert isinstance(report, BadTableRecord)
    assert (report.table, report.topic_partition, report.offset) == ("sessions", TOPIC, 1)
    assert words in report.message
    assert not token or token not in report.message


def test_a_bad_token_does_not_take_its_predecessors_with_it() -> None:
    """The good tokens of a record are kept."""
    table = Table()
    table.put("S", "org-1", 200, previous=[{"btn_ref": "good", "observed_at": T + 100}])
    assert table.ask(300, "S") == found("good", 100)
    assert len(table.reported) == 1


def test_a_record_that_cannot_be_read_is_passed_over_and_reported() -> None:
    """One bad record stops nothing."""
    table = Table()
    table.sessions.apply(TOPIC, 41, T, b"S", b"rubbish")
    table.sessions.apply(TOPIC, 42, T, None, None)
    table.sessions.apply(TOPIC, 43, -1, b"S", None)
    table.put("S", "token", 0)
    assert [report.offset for report in table.reported if isinstance(report, BadTableRecord)] == [41, 42, 43]
    assert table.ask(0, "S") == found("token", 0)


def test_a_session_keeps_its_newest_entries_whatever_their_order() -> None:
    """Memory is bounded; what is too old for the bound finds nothing."""
    for order in (range(20), reversed(range(20))):
        table = Table(max_entries=16)
        for number in order:
            table.put("S", f"token-{number}", number * 100)
        assert table.ask(350, "S") == OnlyNewer()
        assert table.ask(450, "S") == found("token-4", 400)
        assert table.ask(5_000, "S") == found("token-19", 1_900)


def test_a_user_keeps_the_sessions_with_the_newest_entries() -> None:
    """A user of many sessions stays bounded."""
    table = Table(max_sessions=2)
    for number in (3, 1, 2):
        table.put(f"S{number}", f"token-{number}", number * 100, mpid=7)
    assert table.ask(150, user="7") == OnlyNewer()
    assert table.ask(250, user="7") == found("token-2", 200, "user")


def test_the_table_answers_nothing_before_it_has_caught_up() -> None:
    """A token that has not been read yet must not look like one that does not exist."""
    sessions = Sessions(SessionDecoder(), reported_nowhere, clock_skew_ms=SKEW_MS)
    with pytest.raises(RuntimeError, match="caught up"):
        sessions.lookup(session_keys=["S"], user_key=None, as_of_ms=T)


async def test_who_waits_for_the_table_is_woken_when_it_has_caught_up() -> None:
    """Waiting ends with the mark, and whoever comes later does not wait."""
    sessions = Sessions(SessionDecoder(), reported_nowhere, clock_skew_ms=SKEW_MS)
    waiting = asyncio.create_task(sessions.caught_up())
    await asyncio.sleep(0)
    assert not waiting.done()
    sessions.mark_caught_up()
    await waiting
    await sessions.caught_up()
