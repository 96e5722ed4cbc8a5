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
from connector.tables.arrivals import Arrivals
from connector.tables.sessions import Sessions
from tests.support.avro_records import encode_session, session
from tests.support.tables import HandFeed, SetClock, followed, row, table_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from connector.engine.observations import Observation
    from connector.engine.ports import Observer, SessionTable

    NewTable = Callable[..., "Table"]

T = 1_767_225_600_000
SKEW_MS = 5
TOPIC = TopicPartition("sessions", 3)


def reported_nowhere(observation: Observation) -> None:
    """Fail: nothing is to be reported."""
    raise AssertionError(observation)


def opened(directory: Path, observe: Observer, **bounds: int) -> Sessions:
    """Return a table that has begun, and has not caught up."""
    feed, clock = HandFeed(), SetClock()
    options = table_options(directory)
    sessions = Sessions(options, SessionDecoder(), feed, clock, observe, clock_skew_ms=SKEW_MS, **bounds)
    sessions.table.begin(followed())
    return sessions


class Table:
    """A table that has caught up, and what it reported."""

    def __init__(self, directory: Path, **bounds: int) -> None:
        """Begin empty."""
        self.reported: list[Observation] = []
        self.sessions = opened(directory, self._observe, **bounds)
        self.sessions.table.mark_current(T)
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
        self.take(key.encode(), value, self._offset, T + at)
        self._offset += 1

    def take(self, key: bytes | None, value: bytes | None, offset: int, timestamp_ms: int = T) -> None:
        """Apply a row."""
        assert self.sessions.table.apply([row(TOPIC, offset, key, value, timestamp_ms)]) is None


@pytest.fixture
async def new_table(tmp_path: Path) -> AsyncIterator[NewTable]:
    """Give tables, each with files of its own."""
    made: list[Table] = []

    def new(**bounds: int) -> Table:
        made.append(Table(tmp_path / str(len(made)), **bounds))
        return made[-1]

    yield new
    for table in made:
        await table.sessions.table.stop()


@pytest.fixture
def table(new_table: NewTable) -> Table:
    """Give a table."""
    return new_table()


def found(token: str, at: int, by: str = "session") -> Found:
    """Return the answer that is expected."""
    return Found(token, T + at, by)


def test_the_token_is_the_one_of_the_events_time(table: Table) -> None:
    """A token that was seen later cannot have caused the purchase."""
    table.put("S", "first", 100)
    table.put("S", "second", 200)
    assert table.ask(150, "S") == found("first", 100)
    assert table.ask(200, "S") == found("second", 200)
    assert table.ask(9_999, "S") == found("second", 200)


def test_time_decides_and_not_arrival(new_table: NewTable) -> None:
    """Records that arrive in another order give the same answers."""
    entries = [("first", 100), ("second", 200), (None, 300), ("third", 400)]
    for arrival in permutations(entries):
        table = new_table()
        for token, at in arrival:
            table.put("S", token, at)
        assert table.ask(150, "S") == found("first", 100)
        assert table.ask(250, "S") == found("second", 200)
        assert table.ask(350, "S") == Missing()
        assert table.ask(450, "S") == found("third", 400)


def test_of_two_tokens_of_one_time_the_later_record_counts(table: Table) -> None:
    """A correction of the same moment replaces; a predecessor that a later record repeats does not."""
    table.put("S", "wrong", 100)
    table.put("S", "right", 100)
    table.put("S", "next", 200, previous=[{"btn_ref": "wrong", "observed_at": T + 100}])
    assert table.ask(150, "S") == found("right", 100)


def test_a_token_within_the_clock_skew_still_counts(table: Table) -> None:
    """Clocks differ; one millisecond more is too late."""
    table.put("S", "token", 100)
    assert table.ask(100 - SKEW_MS, "S") == found("token", 100)
    assert table.ask(100 - SKEW_MS - 1, "S") == OnlyNewer()


def test_a_lookup_that_finds_only_newer_tokens_says_so(table: Table) -> None:
    """Never seen, seen only later, and cleared before are different answers."""
    table.put("S", "token", 100)
    table.put("cleared", "token", 10)
    table.put("cleared", None, 20)
    table.put("cleared", "token", 100)
    assert table.ask(50, "S") == OnlyNewer()
    assert table.ask(50, "other") == Missing()
    assert table.ask(50, "cleared") == Missing()


def test_a_clearing_and_a_tombstone_count_from_their_time_on(new_table: NewTable) -> None:
    """What was bought before the session was cleared keeps its token."""
    cleared, deleted = new_table(), new_table()
    for table in (cleared, deleted):
        table.put("S", "token", 100)
    cleared.put("S", None, 200)
    deleted.delete("S", 200)
    for table in (cleared, deleted):
        assert table.ask(150, "S") == found("token", 100)
        assert table.ask(200, "S") == Missing()
        table.put("S", "again", 300)
        assert table.ask(300, "S") == found("again", 300)


def test_predecessors_in_a_value_outlive_compaction(table: Table) -> None:
    """A replica that sees only the newest record can still answer for an earlier event."""
    earlier = [{"btn_ref": "first", "observed_at": T + 100}, {"btn_ref": None, "observed_at": T + 200}]
    table.put("S", "third", 300, previous=earlier)
    assert table.ask(150, "S") == found("first", 100)
    assert table.ask(250, "S") == Missing()
    assert table.ask(350, "S") == found("third", 300)


def test_the_first_session_key_with_a_token_counts(table: Table) -> None:
    """The UUID is asked for before the number; a key without a token is passed over."""
    table.put("number", "by-number", 50)
    assert table.ask(100, "uuid", "number") == found("by-number", 50)
    table.put("uuid", "by-uuid", 10)
    assert table.ask(100, "uuid", "number") == found("by-uuid", 10)


def test_the_users_newest_token_stands_in_for_the_sessions(table: Table) -> None:
    """Click and purchase are often in different sessions; the user's newest token as of the event is taken."""
    table.put("S1", "one", 100, mpid=-7)
    table.put("S2", "two", 200, mpid="-7")
    table.put("S3", "stranger", 150, mpid=8)
    assert table.ask(199 - SKEW_MS, "new", user="-7") == found("one", 100, "user")
    assert table.ask(300, "new", user="-7") == found("two", 200, "user")
    assert table.ask(300, "S1", user="-7") == found("one", 100)
    assert table.ask(50, "new", user="-7") == OnlyNewer()
    assert table.ask(300, "new", user="nobody") == Missing()


def test_a_session_that_changed_hands_keeps_its_users_apart(table: Table) -> None:
    """A token that was seen for one user is never another's."""
    table.put("shared", "mine", 100, mpid=1)
    table.put("shared", "yours", 200, mpid=2)
    assert table.ask(300, user="1") == found("mine", 100, "user")
    assert table.ask(300, user="2") == found("yours", 200, "user")


def test_a_clearing_ends_a_users_other_sessions_only_when_it_names_the_user(table: Table) -> None:
    """A log-out ends the user's older tokens; a tombstone, which may be mere tidying up, only its session's."""
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
def test_what_cannot_be_a_token_is_passed_over_and_reported(token: str, words: str, table: Table) -> None:
    """A publisher's organisation id is no token; the last good token stays, and the message holds none."""
    table.put("S", "good", 100)
    table.put("S", token, 200)
    assert table.ask(300, "S") == found("good", 100)
    (report,) = table.reported
    assert isinstance(report, BadTableRecord)
    assert (report.table, report.topic_partition, report.offset) == ("sessions", TOPIC, 1)
    assert words in report.message
    assert not token or token not in report.message


def test_a_bad_token_does_not_take_its_predecessors_with_it(table: Table) -> None:
    """The good tokens of a record are kept."""
    table.put("S", "org-1", 200, previous=[{"btn_ref": "good", "observed_at": T + 100}])
    assert table.ask(300, "S") == found("good", 100)
    assert len(table.reported) == 1


def test_a_record_that_cannot_be_read_is_passed_over_and_reported(table: Table) -> None:
    """One bad record stops nothing."""
    table.take(b"S", b"rubbish", 41)
    table.take(None, None, 42)
    table.take(b"S", None, 43, -1)
    table.put("S", "token", 0)
    assert [report.offset for report in table.reported if isinstance(report, BadTableRecord)] == [41, 42, 43]
    assert table.ask(0, "S") == found("token", 0)


def test_a_session_keeps_its_newest_entries_whatever_their_order(new_table: NewTable) -> None:
    """Memory is bounded; what is too old for the bound finds nothing."""
    for order in (range(20), reversed(range(20))):
        table = new_table(max_entries=16)
        for number in order:
            table.put("S", f"token-{number}", number * 100)
        assert table.ask(350, "S") == OnlyNewer()
        assert table.ask(450, "S") == found("token-4", 400)
        assert table.ask(5_000, "S") == found("token-19", 1_900)


def test_a_user_keeps_the_sessions_with_the_newest_entries(new_table: NewTable) -> None:
    """A user of many sessions stays bounded."""
    table = new_table(max_sessions=2)
    for number in (3, 1, 2):
        table.put(f"S{number}", f"token-{number}", number * 100, mpid=7)
    assert table.ask(150, user="7") == OnlyNewer()
    assert table.ask(250, user="7") == found("token-2", 200, "user")


async def test_the_table_answers_nothing_before_it_has_caught_up(tmp_path: Path) -> None:
    """A token that has not been read yet must not look like one that does not exist."""
    sessions = opened(tmp_path, reported_nowhere)
    with pytest.raises(RuntimeError, match="caught up"):
        sessions.lookup(session_keys=["S"], user_key=None, as_of_ms=T)
    await sessions.table.stop()


async def test_who_waits_for_the_table_is_woken_when_it_has_caught_up(tmp_path: Path) -> None:
    """Waiting ends with the mark, and whoever comes later does not wait."""
    sessions = opened(tmp_path, reported_nowhere)
    waiting = asyncio.create_task(sessions.caught_up())
    await asyncio.sleep(0)
    assert not waiting.done()
    sessions.table.mark_current(T)
    await waiting
    await sessions.caught_up()
    await sessions.table.stop()


async def test_who_waits_for_a_token_is_woken_by_its_session_or_its_user_and_finds_it(table: Table) -> None:
    """A click may come a moment after its order; other sessions' records wake nobody."""
    by_session = asyncio.create_task(table.sessions.arrival(["S"], None, 20.0))
    by_user = asyncio.create_task(table.sessions.arrival(["other"], "7", 20.0))
    await asyncio.sleep(0)
    table.put("S1", "one", 100)
    await asyncio.sleep(0)
    assert [by_session.done(), by_user.done()] == [False, False]
    table.put("S", "token", 100)
    assert await by_session
    assert table.ask(100, "S") == found("token", 100)
    assert not by_user.done()
    table.put("S2", "two", 100, mpid=7)
    assert await by_user
    assert table.ask(100, "other", user="7") == found("two", 100, "user")


async def test_waiting_for_a_token_ends_after_its_time(table: Table) -> None:
    """An order without a click is not held up for longer, and nothing of the waiting is left."""
    assert not await table.sessions.arrival(["S"], "7", 0.01)
    table.put("S", "token", 100, mpid=7)
    assert not await table.sessions.arrival(["S"], "7", 0.01)


async def test_only_so_many_wait_for_tokens() -> None:
    """Whoever is one too many does not wait, whatever time it has."""
    arrivals = Arrivals(1)
    first = asyncio.create_task(arrivals.first_of(["a"], 20.0))
    await asyncio.sleep(0)
    assert not await arrivals.first_of(["a"], 20.0)
    arrivals.tell("a")
    assert await first
    assert not arrivals.is_awaited
