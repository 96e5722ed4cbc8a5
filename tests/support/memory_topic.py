# SPDX-License-Identifier: Apache-2.0
"""A topic in memory, for tables and logs that know no Kafka.

Owns the order of the records and when each follower gets them: at the end of the loop's turn, or when it is told to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from connector.engine.ports import FollowedTopic, RawRecord, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.engine.ports import TableSink

TOPIC = "orders"


class MemoryTopic:
    """The records of all partitions; the writing side of a ledger's topic as well."""

    def __init__(self, partitions: int = 3) -> None:
        """Begin empty."""
        self.partitions = partitions
        self.records: list[RawRecord] = []
        self.feeds: list[MemoryFeed] = []
        self.outstanding = 0
        self.loses = False

    def append(self, partition: int, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        """Write a record, which every follower then gets."""
        if self.loses:
            return
        offset = sum(each.topic_partition.partition == partition for each in self.records)
        self.records.append(RawRecord(TopicPartition(TOPIC, partition), offset, key, value, (), timestamp_ms))
        for feed in self.feeds:
            feed.notice()


class MemoryFeed:
    """One follower of the topic; ``is_held`` keeps what is new from its table."""

    def __init__(self, topic: MemoryTopic) -> None:
        """Follow nothing before :meth:`start`."""
        self._topic = topic
        self._position = 0
        self.is_held = False

    def start(self, sink: TableSink, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to feed the table."""
        self._sink = sink
        self._loop = loop
        starts = sink.begin(FollowedTopic(TOPIC, "cluster", "topic id", None, self._ends()))
        self._skip = dict(starts)
        self._topic.feeds.append(self)
        loop.call_soon(self._begin)

    async def barrier(self) -> None:
        """Bring the table all that the topic holds."""
        self._feed()
        await asyncio.sleep(0)

    async def stop(self, timeout_seconds: float = 5.0) -> None:  # noqa: ARG002  the port's signature
        """Feed it no more."""
        if self in self._topic.feeds:
            self._topic.feeds.remove(self)

    def notice(self) -> None:
        """Feed the table soon, if it is not held."""
        if not self.is_held:
            self._loop.call_soon(self._feed)

    def release(self) -> None:
        """Hold no more."""
        self.is_held = False
        self._feed()

    def _begin(self) -> None:
        self._feed()
        self._sink.mark_current(0)

    def _feed(self) -> None:
        new = self._topic.records[self._position :]
        self._position += len(new)
        rows = [row for row in new if row.offset >= self._skip.get(row.topic_partition.partition, 0)]
        if rows and self in self._topic.feeds:
            self._sink.apply(rows)

    def _ends(self) -> Mapping[int, tuple[int, int]]:
        counts = [0] * self._topic.partitions
        for row in self._topic.records:
            counts[row.topic_partition.partition] += 1
        return {number: (0, count) for number, count in enumerate(counts)}
