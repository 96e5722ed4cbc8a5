# SPDX-License-Identifier: Apache-2.0
"""The table of attribution tokens by session and by user, as of a time.

Owns the answer to "which token did this session have when the event happened". Never decides whether an order gets
the token.

Bounds: a session keeps its newest ``max_entries`` entries and a user its ``max_sessions`` sessions with the newest
entries; an event that is older than all of them finds no token. The number of sessions is the topic's.

Of a session's entries those count for a user that were written for that user. A clearing ends its session for
everybody; the user's other sessions it ends only when it names the user: a tombstone names nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.attribution import Found, Missing, OnlyNewer
from connector.tables.arrivals import Arrivals
from connector.tables.global_table import GlobalTable
from connector.tables.session_history import as_of, decode, observed_at
from connector.tables.session_records import SessionRecords, session_row, session_rows, user_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connector.domain.attribution import SessionLookup
    from connector.engine.ports import Clock, Observer, TableFeed
    from connector.tables.global_table import TableOptions
    from connector.tables.session_history import Entry, History
    from connector.tables.session_records import SessionCodec

_MAX_WAITING = 10_000


class Sessions:
    """The sessions table; implements the engine's ``SessionTable``.

    A token that was seen up to ``clock_skew_ms`` after the event still counts as seen before it: click and purchase
    may be recorded by different clocks. What this credits wrongly at worst is a link that was followed within that
    time after the purchase, in the same session.
    """

    def __init__(  # noqa: PLR0913  the parts that meet here, each by its name
        self,
        options: TableOptions,
        codec: SessionCodec,
        feed: TableFeed,
        clock: Clock,
        observer: Observer,
        *,
        clock_skew_ms: int,
        max_entries: int = 16,
        max_sessions: int = 16,
    ) -> None:
        """Put the table together; nothing is opened before it is started."""
        self._clock_skew_ms = clock_skew_ms
        self._arrivals = Arrivals(_MAX_WAITING)
        bounds = {"max_entries": max_entries, "max_sessions": max_sessions}
        records = SessionRecords(codec, observer, self._note_arrival, **bounds)
        self.table = GlobalTable(options, records, feed, clock, observer)
        """What holds the entries: to be started and stopped."""

    async def caught_up(self) -> None:
        """Return once the table may answer."""
        await self.table.caught_up()

    async def arrival(self, session_keys: Sequence[str], user_key: str | None, timeout_seconds: float) -> bool:
        """Return true as soon as one of the sessions, or one of the user's, has a new entry; else false.

        It is false after the timeout, and at once when too many wait already.
        """
        wanted = [session_row(key) for key in session_keys]
        return await self._arrivals.first_of(
            wanted if user_key is None else [*wanted, user_row(user_key)],
            timeout_seconds,
        )

    def lookup(self, *, session_keys: Sequence[str], user_key: str | None, as_of_ms: int) -> SessionLookup:
        """Return the token that was newest at ``as_of_ms``: of the first session key that has one, else the user's."""
        latest_ms = as_of_ms + self._clock_skew_ms
        sessions = []
        for key in session_keys:
            history = decode(self.table.get(session_row(key)))
            if (entry := as_of(history, latest_ms)) and entry.token is not None:
                return Found(entry.token, entry.observed_at_ms, "session")
            sessions.append(history)
        users = self._histories_of(user_key)
        newest = max(_for_the_user(users, user_key, latest_ms), key=observed_at, default=None)
        if newest and newest.token is not None:
            return Found(newest.token, newest.observed_at_ms, "user")
        return _nothing_found([*sessions, *users], latest_ms)

    def _histories_of(self, user_key: str | None) -> list[History]:
        rows = [] if user_key is None else session_rows(self.table.get(user_row(user_key)))
        return [
            tuple(entry for entry in decode(self.table.get(row)) if entry.token is None or entry.user_key == user_key)
            for row in rows
        ]

    def _note_arrival(self, session_key: str, user_key: str | None) -> None:
        if self._arrivals.is_awaited:
            self._arrivals.tell(session_row(session_key))
            if user_key is not None:
                self._arrivals.tell(user_row(user_key))


def _for_the_user(histories: list[History], user_key: str | None, latest_ms: int) -> Iterator[Entry]:
    for history in histories:
        entry = as_of(history, latest_ms)
        if entry and (entry.token is not None or entry.user_key == user_key):
            yield entry


def _nothing_found(histories: list[History], latest_ms: int) -> SessionLookup:
    times = [entry.observed_at_ms for history in histories for entry in history if entry.token is not None]
    return OnlyNewer() if times and min(times) > latest_ms else Missing()
