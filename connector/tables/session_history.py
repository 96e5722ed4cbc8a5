# SPDX-License-Identifier: Apache-2.0
"""What is remembered of one session: which token it had from when on.

Owns the history, its order and its form on disk. Entries are ordered by the time at which a token was seen, never by
arrival; a clearing is an entry with a time, too, so what came before it can still be asked for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable


class Entry(NamedTuple):
    """The session's token from a time on (``None``: it was cleared), and the user that it was written for."""

    observed_at_ms: int
    token: str | None
    user_key: str | None


History = tuple[Entry, ...]
"""A session's entries, ascending by time, one for each time."""

observed_at = attrgetter("observed_at_ms")


def insert(history: History, entry: Entry, *, wins_ties: bool, max_entries: int) -> History:
    """Put an entry in its place in time; of two at one time the later record's counts. The newest are kept."""
    at = bisect_left(history, entry.observed_at_ms, key=observed_at)
    is_tie = at < len(history) and history[at].observed_at_ms == entry.observed_at_ms
    if is_tie and not wins_ties:
        return history
    return (*history[:at], entry, *history[at + is_tie :])[-max_entries:]


def as_of(history: History, latest_ms: int) -> Entry | None:
    """Return the newest entry that is not younger."""
    if history and history[-1].observed_at_ms <= latest_ms:
        return history[-1]  # as with nearly every purchase
    at = bisect_right(history, latest_ms, key=observed_at)
    return history[at - 1] if at else None


def encode(history: Iterable[tuple[int, str | None, str | None]]) -> bytes:
    """Return a history as bytes: the fields of all entries in one JSON list, which is short and quick."""
    return orjson.dumps([field for entry in history for field in entry])


def decode(value: bytes | None) -> History:
    """Return the history; ``None`` is an empty one."""
    if value is None:
        return ()
    fields = orjson.loads(value)
    if len(fields) == len(Entry._fields):
        return (Entry(*fields),)
    return tuple([Entry(*fields[at : at + 3]) for at in range(0, len(fields), 3)])
