# SPDX-License-Identifier: Apache-2.0
"""The window: how much may be delivered and not yet committed, and what must wait for that.

Owns the bound on memory, and on what a crash has read again: by count and by bytes, as a whole and for each partition.
One partition may use up half of the window at most while others are there, so that a record that does not get done
stops its own partition and nobody else's.

Pausing a partition throws away what the client has fetched ahead of it. A window that is full is therefore waited out
for a moment, because a commit usually comes soon; only what stays full is paused, and goes on when a quarter of it is
free.
Never reads a clock: ``now`` is monotonic, in seconds. Knows nothing of the client.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.engine.ports import TopicPartition

PATIENCE_SECONDS = 0.1
_LOW_MARK = 0.75
_SIZE_DECAY = 0.99


class _Delivered:
    """The records of one partition that are delivered and not committed."""

    __slots__ = ("bytes", "full_since", "is_paused", "records")

    def __init__(self) -> None:
        self.records: deque[tuple[int, int]] = deque()
        self.bytes = 0
        self.full_since: float | None = None
        self.is_paused = False


class Window:
    """What is delivered and not committed; used on the poll thread.

    A single record may exceed ``max_bytes``: it is then let in alone. Otherwise the bound is exceeded only by records
    that are larger than those before them, by what one call of the client returns.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        """Begin without partitions."""
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._partitions: dict[TopicPartition, _Delivered] = {}
        self._total = _Delivered()
        self._count = 0
        self._largest = 1.0

    def open(self, topic_partition: TopicPartition) -> None:
        """Take in a partition that was assigned."""
        self._partitions[topic_partition] = _Delivered()

    def close(self, topic_partition: TopicPartition) -> None:
        """Forget a partition that was taken away, with all that it had in the window."""
        gone = self._partitions.pop(topic_partition, None)
        if gone is not None:
            self._count -= len(gone.records)
            self._total.bytes -= gone.bytes

    def deliver(self, topic_partition: TopicPartition, offset: int, size: int) -> None:
        """Note a record that was delivered."""
        delivered = self._partitions[topic_partition]
        delivered.records.append((offset, size))
        delivered.bytes += size
        self._total.bytes += size
        self._count += 1
        self._largest = max(float(size), self._largest * _SIZE_DECAY)

    def commit(self, topic_partition: TopicPartition, offset: int) -> None:
        """Note that the group holds this offset (next to read)."""
        delivered = self._partitions.get(topic_partition)
        if delivered is None:
            return
        records = delivered.records
        while records and records[0][0] < offset:
            _, size = records.popleft()
            delivered.bytes -= size
            self._total.bytes -= size
            self._count -= 1

    def room(self, now: float) -> int:
        """Return how many records may be asked for now, whichever partition they come from; 0 for none."""
        room = self._judge(self._total, self._count, 1.0, now)
        share = 1.0 if len(self._partitions) == 1 else 0.5
        for delivered in self._partitions.values():
            left = self._judge(delivered, len(delivered.records), share, now)
            if not delivered.is_paused:
                room = min(room, left)
        return room

    def _judge(self, delivered: _Delivered, count: int, share: float, now: float) -> int:
        """Return how much of its share is left, and see to its pause."""
        max_records, max_bytes = max(1, int(self._max_records * share)), self._max_bytes * share
        left = max_records - count
        if delivered.bytes:
            left = min(left, int((max_bytes - delivered.bytes) / self._largest))
        if left > 0:
            delivered.full_since = None
            if count <= max_records * _LOW_MARK and delivered.bytes <= max_bytes * _LOW_MARK:
                delivered.is_paused = False
            return left
        if delivered.full_since is None:
            delivered.full_since = now
        elif now - delivered.full_since >= PATIENCE_SECONDS:
            delivered.is_paused = True
        return 0

    def is_paused(self, topic_partition: TopicPartition) -> bool:
        """Whether nothing more of this partition may be fetched for now, as of the last :meth:`room`."""
        return self._total.is_paused or self._partitions[topic_partition].is_paused

    @property
    def records(self) -> int:
        """Records that are delivered and not committed; may be read from any thread."""
        return self._count

    @property
    def bytes(self) -> int:
        """Their bytes; may be read from any thread."""
        return self._total.bytes
