# SPDX-License-Identifier: Apache-2.0
"""The table of attribution tokens by session and by user, as of a time.

Owns what is remembered of the sessions topic and the answer to "which token did this session have when the event
happened". Entries are ordered by the time at which a token was seen, never by arrival; a clearing (a token of null, a
tombstone) is an entry with a time, too, so what came before it can still be asked for. Never decides whether an
order gets the token.

Bounds: a session keeps its newest ``max_entries`` entries and a user its ``max_sessions`` sessions with the newest
entries; an event that is older than all of them finds no token. The number of sessions is the topic's.

A user is a few session keys, so that nothing is kept twice. Of a session's entries those count for a user that were
written for that user. A clearing ends its session for everybody; the user's other sessions it ends only when it names
the user: a tombstone names nobody.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from connector.domain.attribution import Found, Missing, OnlyNewer, is_token
from connector.domain.sessions import SessionEntry, SessionProblem, SessionTombstone
from connector.engine.observations import BadTableRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connector.domain.attribution import SessionLookup
    from connector.domain.sessions import SessionRecord, TokenSeen
    from connector.engine.ports import Observer, Preparation, TopicPartition


class SessionCodec(Protocol):
    """Reads the records of the sessions topic."""

    def decode(self, key: bytes | None, value: bytes | None) -> SessionRecord | Preparation:
        """Return what the record says, or what must be fetched before that is known.

        A value of ``None`` is a tombstone. Never raises for foreign bytes.
        """


class _Entry(NamedTuple):
    observed_at_ms: int
    token: str | None
    user_key: str | None


_History = tuple[_Entry, ...]
_observed_at = attrgetter("observed_at_ms")


class Sessions:
    """The sessions table in memory; implements the engine's ``SessionTable``.

    A follower feeds it. ``apply`` may be called on one thread other than the loop's, because a history is replaced
    and never changed; everything else is called on the engine's loop. A token that was seen up to ``clock_skew_ms``
    after the event still counts as seen before it: click and purchase may be recorded by different clocks. What this
    credits wrongly at worst is a link that was followed within that time after the purchase, in the same session.
    """

    def __init__(
        self,
        codec: SessionCodec,
        observer: Observer,
        *,
        clock_skew_ms: int,
        max_entries: int = 16,
        max_sessions: int = 16,
    ) -> None:
        """Begin empty; the table answers after :meth:`mark_caught_up`."""
        self._codec = codec
        self._observer = observer
        self._clock_skew_ms = clock_skew_ms
        self._max_entries = max_entries
        self._max_sessions = max_sessions
        self._sessions: dict[str, _History] = {}
        self._users: dict[str, tuple[str, ...]] = {}
        self._caught_up = asyncio.Event()

    def apply(
        self,
        topic_partition: TopicPartition,
        offset: int,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
    ) -> Preparation | None:
        """Take in one record of the topic; what cannot be used is reported and passed over.

        What it returns must be waited for, and the record brought again before any other of its partition.
        """
        record = self._codec.decode(key, value)
        match record:
            case SessionEntry():
                problem = self._apply_entry(record)
            case SessionTombstone():
                problem = self._apply_tombstone(record, timestamp_ms)
            case SessionProblem():
                problem = record.message
            case _:
                return record
        if problem is not None:
            self._observer(BadTableRecord("sessions", topic_partition, offset, problem))
        return None

    def mark_caught_up(self) -> None:
        """Let the table answer: all that the topic held at the start has been applied."""
        self._caught_up.set()

    async def caught_up(self) -> None:
        """Return once the table may answer."""
        await self._caught_up.wait()

    def lookup(self, *, session_keys: Sequence[str], user_key: str | None, as_of_ms: int) -> SessionLookup:
        """Return the token that was newest at ``as_of_ms``: of the first session key that has one, else the user's."""
        if not self._caught_up.is_set():
            msg = "the sessions table was asked before it had caught up"
            raise RuntimeError(msg)
        latest_ms = as_of_ms + self._clock_skew_ms
        sessions = [self._sessions.get(key, ()) for key in session_keys]
        for history in sessions:
            if (entry := _as_of(history, latest_ms)) and entry.token is not None:
                return Found(entry.token, entry.observed_at_ms, "session")
        users = self._histories_of(user_key)
        newest = max(_for_the_user(users, user_key, latest_ms), key=_observed_at, default=None)
        if newest and newest.token is not None:
            return Found(newest.token, newest.observed_at_ms, "user")
        return _nothing_found([*sessions, *users], latest_ms)

    def _histories_of(self, user_key: str | None) -> list[_History]:
        keys = () if user_key is None else self._users.get(user_key, ())
        return [
            tuple(entry for entry in self._sessions[key] if entry.token is None or entry.user_key == user_key)
            for key in keys
        ]

    def _apply_entry(self, record: SessionEntry) -> str | None:
        seen = (record.newest, *record.previous)
        usable = [one for one in seen if one.token is None or is_token(one.token)]
        for one in usable:
            entry = _Entry(one.observed_at_ms, one.token, record.user_key)
            self._insert(record.session_key, entry, wins_ties=one is record.newest)
        if record.user_key is not None and usable:
            self._remember_session(record.user_key, record.session_key)
        return None if len(usable) == len(seen) else _bad_token(seen)

    def _apply_tombstone(self, record: SessionTombstone, timestamp_ms: int) -> str | None:
        if timestamp_ms < 0:
            return "the tombstone has no timestamp, so that it is not known since when the session has no token"
        self._insert(record.session_key, _Entry(timestamp_ms, None, None), wins_ties=True)
        return None

    def _insert(self, session_key: str, entry: _Entry, *, wins_ties: bool) -> None:
        """Put an entry in its place in time; of two at one time the later record's counts."""
        history = self._sessions.get(session_key, ())
        at = bisect_left(history, entry.observed_at_ms, key=_observed_at)
        is_tie = at < len(history) and history[at].observed_at_ms == entry.observed_at_ms
        if is_tie and not wins_ties:
            return
        merged = (*history[:at], entry, *history[at + is_tie :])
        self._sessions[session_key] = merged[-self._max_entries :]

    def _remember_session(self, user_key: str, session_key: str) -> None:
        keys = self._users.get(user_key, ())
        if session_key in keys:
            return
        by_age = sorted((*keys, session_key), key=lambda key: self._sessions[key][-1].observed_at_ms)
        self._users[user_key] = tuple(by_age[-self._max_sessions :])


def _as_of(history: _History, latest_ms: int) -> _Entry | None:
    at = bisect_right(history, latest_ms, key=_observed_at)
    return history[at - 1] if at else None


def _for_the_user(histories: list[_History], user_key: str | None, latest_ms: int) -> Iterator[_Entry]:
    for history in histories:
        entry = _as_of(history, latest_ms)
        if entry and (entry.token is not None or entry.user_key == user_key):
            yield entry


def _nothing_found(histories: list[_History], latest_ms: int) -> SessionLookup:
    times = [entry.observed_at_ms for history in histories for entry in history if entry.token is not None]
    return OnlyNewer() if times and min(times) > latest_ms else Missing()


def _bad_token(seen: tuple[TokenSeen, ...]) -> str:
    if any(one.token and one.token.startswith("org-") for one in seen):
        return (
            "btn_ref is a publisher's organisation id (org-), not a token; send the one of the landing page's address"
        )
    return "btn_ref is not a token: it must be 1 to 255 characters that may stand in a URL; send null to clear it"
