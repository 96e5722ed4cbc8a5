# SPDX-License-Identifier: Apache-2.0
"""Tables without Kafka: a follower that is a list of rows.

Owns feeding a table by hand. Never decides what a row means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.engine.ports import FollowedTopic, RawRecord
from connector.tables.global_table import TableOptions
from connector.tables.store import StoreOptions

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from pathlib import Path

    from connector.engine.ports import TableSink, TopicPartition

NOW_MS = 1_767_300_000_000
DAY_MS = 86_400_000


class SetClock:
    """A clock that is set."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        """Begin at a time."""
        self.time_ms = now_ms

    def now_ms(self) -> int:
        """Return the time."""
        return self.time_ms


class HandFeed:
    """A follower that is led by the hand: the test calls the sink."""

    def start(self, sink: TableSink, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing flows by itself."""

    async def barrier(self) -> None:
        """Be there already."""

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Nothing flows anyway."""


def table_options(directory: Path, *, name: str = "sessions", is_kept: bool = False) -> TableOptions:
    """Return the options of a small table."""
    return TableOptions(name, StoreOptions(directory, cache_bytes=8 * 1024 * 1024), is_kept=is_kept)


def followed(
    topic: str = "sessions",
    ends: Mapping[int, tuple[int, int]] | None = None,
    *,
    topic_id: str | None = "topic-1",
    cluster_id: str | None = "cluster-1",
    delete_retention_ms: int | None = DAY_MS,
) -> FollowedTopic:
    """Return what a follower says of its topic."""
    return FollowedTopic(topic, cluster_id, topic_id, delete_retention_ms, ends or {0: (0, 10_000), 1: (0, 10_000)})


def row(
    topic_partition: TopicPartition,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    timestamp_ms: int = NOW_MS,
) -> RawRecord:
    """Return a row as a follower gives it."""
    return RawRecord(topic_partition, offset, key, value, (), timestamp_ms)
