# SPDX-License-Identifier: Apache-2.0
"""From the records of the sessions topic to what the table holds.

Owns the two kinds of keys (a session's history; a user's sessions) and the bounds: a session keeps its newest
``max_entries`` entries and a user its ``max_sessions`` sessions with the newest entries. A user is a few session keys,
so that nothing is kept twice. What cannot be used is reported and passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from connector.domain.attribution import is_token
from connector.domain.sessions import SessionEntry, SessionProblem, SessionTombstone
from connector.engine.observations import BadTableRecord
from connector.engine.ports import Waits
from connector.tables.session_history import Entry, decode, encode, insert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connector.domain.sessions import SessionRecord, TokenSeen
    from connector.engine.ports import Observer, Preparation, RawRecord
    from connector.tables.global_table import Batch

_BETWEEN_KEYS = b"\n"
"""Between the session keys of a user; no session key holds one."""


class SessionCodec(Protocol):
    """Reads the records of the sessions topic."""

    def decode(self, key: bytes | None, value: bytes | None) -> SessionRecord | Preparation:
        """Return what the record says, or what must be fetched before that is known.

        A value of ``None`` is a tombstone. Never raises for foreign bytes. Session keys are printable.
        """


def session_row(session_key: str) -> bytes:
    """Return the key under which a session's history is."""
    return b"s" + session_key.encode()


def user_row(user_key: str) -> bytes:
    """Return the key under which a user's session keys are."""
    return b"u" + user_key.encode()


def session_rows(value: bytes | None) -> list[bytes]:
    """Return the keys of the histories of a user's sessions."""
    return [] if value is None else [b"s" + each for each in value.split(_BETWEEN_KEYS)]


class SessionRecords:
    """Applies records; implements the table's ``Applier``. ``arrived`` is told the keys that have a new entry."""

    layout = "sessions-1"

    def __init__(
        self,
        codec: SessionCodec,
        observer: Observer,
        arrived: Callable[[str, str | None], None],
        *,
        max_entries: int = 16,
        max_sessions: int = 16,
    ) -> None:
        """Take the codec and the bounds."""
        self._codec = codec
        self._observer = observer
        self._arrived = arrived
        self._max_entries = max_entries
        self._max_sessions = max_sessions

    def apply(self, rows: Sequence[RawRecord], batch: Batch) -> Waits | None:
        """Put into the batch what the rows say."""
        for index, row in enumerate(rows):
            record = self._codec.decode(row.key, row.value)
            match record:
                case SessionEntry():
                    problem = self._apply_entry(record, batch)
                case SessionTombstone():
                    problem = self._apply_tombstone(record, row.timestamp_ms, batch)
                case SessionProblem():
                    problem = record.message
                case _:
                    return Waits(index, record)
            if problem is not None:
                self._observer(BadTableRecord("sessions", row.topic_partition, row.offset, problem))
        return None

    def _apply_entry(self, record: SessionEntry, batch: Batch) -> str | None:
        seen = (record.newest, *record.previous)
        usable = [one for one in seen if one.token is None or is_token(one.token)]
        if usable:
            self._insert_all(session_row(record.session_key), usable, record, batch)
            if record.user_key is not None:
                self._remember_session(user_row(record.user_key), record.session_key.encode(), batch)
            self._arrived(record.session_key, record.user_key)
        return None if len(usable) == len(seen) else _bad_token(seen)

    def _insert_all(self, row: bytes, usable: list[TokenSeen], record: SessionEntry, batch: Batch) -> None:
        known = batch.get(row)
        if known is None and len(usable) == 1:  # Nearly all sessions, and all that a restore does for them.
            batch.put(row, encode(((usable[0].observed_at_ms, usable[0].token, record.user_key),)))
            return
        history = decode(known)
        for one in usable:
            entry = Entry(one.observed_at_ms, one.token, record.user_key)
            history = insert(history, entry, wins_ties=one is record.newest, max_entries=self._max_entries)
        batch.put(row, encode(history))

    def _apply_tombstone(self, record: SessionTombstone, timestamp_ms: int, batch: Batch) -> str | None:
        if timestamp_ms < 0:
            return "the tombstone has no timestamp, so that it is not known since when the session has no token"
        row = session_row(record.session_key)
        entry = Entry(timestamp_ms, None, None)
        history = insert(decode(batch.get(row)), entry, wins_ties=True, max_entries=self._max_entries)
        batch.put(row, encode(history))
        return None

    def _remember_session(self, user: bytes, session_key: bytes, batch: Batch) -> None:
        """Add a session to a user's; when there are too many, the one goes whose newest entry is the oldest."""
        known = batch.get(user)
        keys = [] if known is None else known.split(_BETWEEN_KEYS)
        if session_key in keys:
            return
        keys.append(session_key)
        if len(keys) > self._max_sessions:
            keys.sort(key=lambda key: decode(batch.get(b"s" + key))[-1].observed_at_ms)
        batch.put(user, _BETWEEN_KEYS.join(keys[-self._max_sessions :]))


def _bad_token(seen: tuple[TokenSeen, ...]) -> str:
    if any(one.token and one.token.startswith("org-") for one in seen):
        return (
            "btn_ref is a publisher's organisation id (org-), not a token; send the one of the landing page's address"
        )
    return "btn_ref is not a token: it must be 1 to 255 characters that may stand in a URL; send null to clear it"
