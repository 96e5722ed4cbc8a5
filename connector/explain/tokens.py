# SPDX-License-Identifier: Apache-2.0
"""The sessions topic, read once to its end, to look tokens up in.

Owns the bound on how long that may take. Reads the topic as the connector does: without a group, committing nothing,
but never into the connector's own files: one may be running.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from connector import wiring
from connector.avro.session_decoding import RegisteredSessionWriters, SessionDecoder
from connector.kafka.failures import KafkaFailure
from connector.kafka.follower import TopicFollower
from connector.tables.sessions import Sessions

if TYPE_CHECKING:
    from connector.engine.observations import Observation
    from connector.kafka.options import KafkaConnection
    from connector.settings import Settings


class _WallClock:
    """The table's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


async def read_sessions(settings: Settings, through: KafkaConnection, timeout_seconds: float) -> Sessions:
    """Return the table, caught up; raises :class:`KafkaFailure` that says why it cannot be had."""
    clock_skew_ms = round(settings.sessions.clock_skew_seconds * 1000)
    registered = wiring.registered_writers(settings, partial(_registry_password, settings), _pass_over)
    of_sessions = RegisteredSessionWriters.beside(registered) if registered is not None else None
    passing = Path(tempfile.mkdtemp(prefix="button-connector-"))
    settings = settings.model_copy(update={"tables": settings.tables.model_copy(update={"directory": None})})
    follower = TopicFollower(wiring.sessions_options(settings, through), _pass_over)
    sessions = Sessions(
        wiring.table_options(settings, "sessions", passing),
        SessionDecoder(registered=of_sessions),
        follower,
        _WallClock(),
        _pass_over,
        clock_skew_ms=clock_skew_ms,
    )
    weakref.finalize(sessions, shutil.rmtree, passing, ignore_errors=True)
    sessions.table.start(asyncio.get_running_loop())
    caught_up, failed = asyncio.ensure_future(sessions.caught_up()), asyncio.ensure_future(follower.failed())
    try:
        await asyncio.wait({caught_up, failed}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        if caught_up.done():
            return sessions
        if failed.done():
            raise failed.result()
        left = follower.progress.remaining_at_start
        how_far = "no broker answered" if left is None else f"{left} records were still to be read"
        reason = f"sessions.topic: {settings.sessions.topic!r} was not read within {timeout_seconds:g} s: {how_far}."
        raise KafkaFailure(f"{reason} Give a longer --timeout.")  # noqa: TRY003, EM102  the sentence is built above
    finally:
        caught_up.cancel()
        failed.cancel()
        await follower.stop()


def _registry_password(settings: Settings) -> str:
    password = settings.schema_registry.read_password()
    return password.get_secret_value() if password is not None else ""


def _pass_over(observation: Observation) -> None:
    """Let it be: what is said of other records is of no use here."""
