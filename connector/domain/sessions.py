# SPDX-License-Identifier: Apache-2.0
"""What a record of the sessions topic says, whatever it looked like on the wire.

Owns the words between the codec, which reads the records, and the table, which keeps them. Knows no rule of either.
"""

from __future__ import annotations

from typing import NamedTuple


class TokenSeen(NamedTuple):
    """A session's token from ``observed_at_ms`` on, as it was written; ``None`` when it was cleared then."""

    token: str | None
    observed_at_ms: int


class SessionEntry(NamedTuple):
    """A session's newest token, the tokens that it replaced as far as they are told, and its user where known."""

    session_key: str
    user_key: str | None
    newest: TokenSeen
    previous: tuple[TokenSeen, ...] = ()


class SessionTombstone(NamedTuple):
    """The session's record was deleted; since when is the record's own timestamp."""

    session_key: str


class SessionProblem(NamedTuple):
    """The record cannot be read; the message says why and what to do, and holds no id and no token."""

    message: str


SessionRecord = SessionEntry | SessionTombstone | SessionProblem
