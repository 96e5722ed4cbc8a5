# SPDX-License-Identifier: Apache-2.0
"""The half of a follower that lives on the table's event loop.

Owns the rows that wait: a row that the table cannot take yet holds its partition, in order; other partitions go on.
When many wait, no more batches are let come until the table takes them. A mark ("all that the topic held then") is
told only when everything in front of it was applied. Never touches the consumer.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence

    from connector.engine.ports import Preparation, RawRecord, TableSink, TopicPartition

_MOST_HELD_ROWS = 10_000
"""When so many wait for what is to be fetched, no more are read than are on their way already."""


class Mark(NamedTuple):
    """Ends that were read from the topic, and what is to be called when the table has applied all before them."""

    ends: Mapping[int, int]
    reached: Callable[[], None]


class LoopFeed:
    """Gives batches to the table; everything is called on the loop."""

    def __init__(
        self,
        sink: TableSink,
        loop: asyncio.AbstractEventLoop,
        release: Callable[[], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Feed the sink; ``release`` lets one more batch come, ``fail`` ends the follower."""
        self._sink = sink
        self._loop = loop
        self._release = release
        self._fail = fail
        self._unreleased = 0
        self._held: dict[TopicPartition, deque[RawRecord]] = {}
        self._holding: set[asyncio.Task[None]] = set()
        self._marks: list[Mark] = []
        self._is_stopped = False
        self.held_rows = 0

    def stop(self) -> None:
        """Apply no more."""
        self._is_stopped = True
        for task in self._holding:
            task.cancel()

    def apply(self, rows: Sequence[RawRecord]) -> None:
        """Give a batch to the table; what raises there ends the follower."""
        self._unreleased += 1
        self._let_more_come()
        self._guarded(partial(self._apply_free, rows))

    def mark(self, mark: Mark) -> None:
        """Note a mark behind the batches that were given before."""
        self._marks.append(mark)
        self._guarded(self._pass_marks)

    def _guarded(self, step: Callable[[], None]) -> None:
        if self._is_stopped:
            return
        try:
            step()
        except Exception as error:  # noqa: BLE001  a table that missed rows must not go on; the process ends by it
            self._is_stopped = True
            self._fail(error)

    def _apply_free(self, rows: Sequence[RawRecord]) -> None:
        """Give the table what is behind no row that waits; the rest is held."""
        while rows:
            if self._held:
                rows = [row for row in rows if not self._is_held(row)]
            waits = self._sink.apply(rows) if rows else None
            if waits is None:
                return
            rows = rows[waits.taken :]
            self._hold(rows[0].topic_partition, waits.preparation)

    def _is_held(self, row: RawRecord) -> bool:
        held = self._held.get(row.topic_partition)
        if held is None:
            return False
        held.append(row)
        self.held_rows += 1
        return True

    def _hold(self, topic_partition: TopicPartition, preparation: Preparation) -> None:
        held = self._held[topic_partition] = deque()
        task = self._loop.create_task(self._apply_held(topic_partition, held, preparation))
        self._holding.add(task)
        task.add_done_callback(self._end_holding)

    async def _apply_held(
        self,
        topic_partition: TopicPartition,
        held: deque[RawRecord],
        preparation: Preparation,
    ) -> None:
        """Apply a partition's rows in order, each when it can be taken."""
        awaited: Preparation | None = preparation
        while awaited is not None:
            await awaited.ready()
            waits = self._sink.apply(list(held))
            taken, awaited = (len(held), None) if waits is None else waits
            for _ in range(taken):
                held.popleft()
            self.held_rows -= taken
            self._let_more_come()
        del self._held[topic_partition]
        self._pass_marks()

    def _end_holding(self, task: asyncio.Task[None]) -> None:
        self._holding.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._fail(error)

    def _let_more_come(self) -> None:
        while self._unreleased and self.held_rows < _MOST_HELD_ROWS:
            self._unreleased -= 1
            self._release()

    def _pass_marks(self) -> None:
        """Tell the marks in front of which nothing waits any more, in order."""
        while self._marks and not self._is_stopped and self._is_passed(self._marks[0]):
            self._marks.pop(0).reached()

    def _is_passed(self, mark: Mark) -> bool:
        return all(held[0].offset >= mark.ends.get(each.partition, 0) for each, held in self._held.items() if held)
