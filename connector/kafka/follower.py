# SPDX-License-Identifier: Apache-2.0
"""Follows all partitions of a topic for a table, from where the table's copy ends.

Owns a consumer and its thread. No group: every replica reads everything, nothing is committed. The table lives on the
event loop and gets rows in batches, of which only a few are ever on their way, so that memory stays bounded.

"Caught up" and a barrier mean: every partition was read up to the end that was asked for, by the client's position or
its end-of-partition event, and all of it was applied. Equality of a record's offset with the end would wait for ever
behind a transaction's marker.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.observations import TableCaughtUp, TableRestoring
from connector.engine.ports import RawRecord, TopicPartition
from connector.kafka import codes
from connector.kafka.failures import Complaints, KafkaFailure, Place, failure_of, kafka_error
from connector.kafka.followed_topic import count_partitions, describe, ends_of
from connector.kafka.follower_loop import LoopFeed, Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connector.engine.ports import Observer, TableSink
    from connector.kafka.options import FollowerOptions

_POLL_SECONDS = 0.05
_ASK_AGAIN_SECONDS = 1.0
_BATCHES_ON_THEIR_WAY = 4


class Progress(NamedTuple):
    """How far the follower is; ``remaining_at_start`` counts offsets still missing for having caught up.

    Records that wait are counted in it.
    """

    records: int
    partitions: int
    remaining_at_start: int | None
    is_caught_up: bool


class TopicFollower:
    """Feeds a table from a topic; start and stop it on the table's loop."""

    def __init__(self, options: FollowerOptions, observer: Observer) -> None:
        """Take the options; nothing is connected before :meth:`start`."""
        self._options = options
        self._observer = observer
        self._complaints = Complaints(f"kafka topic {options.topic}")
        self._on_their_way = threading.Semaphore(_BATCHES_ON_THEIR_WAY)
        self._is_stopping = threading.Event()
        self._partitions: dict[int, TopicPartition] = {}
        self._reached: dict[int, int] = {}
        self._ends: dict[int, int] | None = None
        self._to_read = 0
        self._asked: deque[Callable[[], None]] = deque()
        self._marks: list[Mark] = []
        self._records = 0
        self._refresh_at = self._ask_at = self._current_at = self._report_at = 0.0
        self._is_caught_up = False
        self._feed: LoopFeed | None = None
        self.last_poll_at = time.monotonic()

    def start(self, sink: TableSink, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to follow."""
        self._sink = sink
        self._loop = loop
        self._feed = LoopFeed(sink, loop, self._on_their_way.release, self._end_by)
        self._started_at = time.monotonic()
        self._failure: asyncio.Future[KafkaFailure] = loop.create_future()
        self._finished = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"kafka-follower-{self._options.name}", daemon=True)
        self._thread.start()

    async def barrier(self) -> None:
        """Return once the table has applied all that the topic holds now; may be awaited before :meth:`start`."""
        reached = asyncio.Event()
        self._asked.append(reached.set)
        await reached.wait()

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """End the thread, or leave it behind after the timeout. May be called again."""
        if self._feed is None:
            return
        self._is_stopping.set()
        self._feed.stop()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._finished.wait()
        except TimeoutError:
            pass  # It is a daemon, and what it still hands over is not applied any more.

    async def failed(self) -> KafkaFailure:
        """Return when the topic cannot be followed any more, with the reason; the process is to end."""
        return await asyncio.shield(self._failure)

    @property
    def progress(self) -> Progress:
        """How far it is; from any thread."""
        ends, reached = self._ends, self._reached
        remaining = None if ends is None else sum(max(0, end - reached.get(each, 0)) for each, end in ends.items())
        if remaining is not None and not self._is_caught_up and self._feed is not None:
            remaining += self._feed.held_rows
        return Progress(self._records, len(self._partitions), remaining, self._is_caught_up)

    # The thread.

    def _run(self) -> None:
        try:
            config: dict[str, object] = {**self._options.config(), "error_cb": self._on_error}
            self._consumer = Consumer(config)
            try:
                self._follow()
            finally:
                self._consumer.close()
        except KafkaException as exception:
            error = kafka_error(exception)
            self._fail(KafkaFailure(f"Kafka: following {self._options.topic}: {error.str()} ({error.name()})."))
        except Exception as exception:  # noqa: BLE001  a dead thread must end the process, with its reason
            self._end_by(exception)
        finally:
            self._call(self._finished.set)

    def _follow(self) -> None:
        while not self._is_stopping.is_set():
            now = self.last_poll_at = time.monotonic()
            if now >= self._refresh_at:
                self._refresh_at = now + (
                    self._options.refresh_seconds if self._answered(self._refresh) else _ASK_AGAIN_SECONDS
                )
            if self._partitions and now >= self._ask_at and (self._asked or now >= self._current_at):
                self._ask_at = 0.0 if self._answered(self._ask_for_ends) else now + _ASK_AGAIN_SECONDS
            message = self._consumer.poll(_POLL_SECONDS)
            if message is not None:
                self._take([message, *self._consumer.consume(self._options.max_batch_records - 1, 0)])
            if self._marks:
                self._pass_marks()
            if not self._is_caught_up and now >= self._report_at:
                self._report(now)

    def _answered(self, question: Callable[[], None]) -> bool:
        try:
            question()
        except KafkaException as exception:
            self._on_error(kafka_error(exception))
            return False
        return True

    def _refresh(self) -> None:
        """Look for partitions, at the start and later."""
        options, starts = self._options, {}
        count = count_partitions(self._consumer, options.topic, options.request_timeout_seconds)
        if not count and not self._partitions:
            self._fail(
                KafkaFailure(
                    f"{options.setting}: topic {options.topic!r} does not exist, or the connector's user may not "
                    "DESCRIBE it. Create it, correct the name, or allow it.",
                ),
            )
        added = {each: TopicPartition(options.topic, each) for each in range(count) if each not in self._partitions}
        if added and not self._partitions:
            ends = ends_of(self._consumer, options.topic, added, options.request_timeout_seconds)
            starts = dict(self._sink.begin(describe(self._consumer, options, ends)))
            self._reached.update(starts)
        if added:
            self._consumer.incremental_assign(
                [KafkaTopicPartition(options.topic, each, starts.get(each, OFFSET_BEGINNING)) for each in added],
            )
            self._partitions = {**self._partitions, **added}

    def _ask_for_ends(self) -> None:
        """Ask where the topic ends now, for those who want to know when the table is there."""
        now_ms = time.time_ns() // 1_000_000
        wanted = len(self._asked)
        asked = ends_of(self._consumer, self._options.topic, self._partitions, self._options.request_timeout_seconds)
        # An end at the beginning has nothing in front of it, whatever number it has.
        ends = {number: high if high > low else 0 for number, (low, high) in asked.items()}
        if self._ends is None:
            self._ends = ends
            self._to_read = self.progress.remaining_at_start or 0
        if time.monotonic() >= self._current_at:
            self._current_at = time.monotonic() + self._options.current_seconds
            self._marks.append(Mark(ends, partial(self._mark_current, now_ms)))
        self._marks += [Mark(ends, self._asked.popleft()) for _ in range(wanted)]

    def _take(self, messages: Sequence[Message]) -> None:
        rows = []
        for message in messages:
            error = message.error()
            number, offset = message.partition(), message.offset()
            if error is None and number is not None and offset is not None:
                key, value, timestamp_ms = message.key(), message.value(), message.timestamp()[1]
                rows.append(RawRecord(self._partitions[number], offset, key, value, (), timestamp_ms))
                self._reached[number] = offset + 1
            elif error is not None and error.code() == codes.PARTITION_EOF:
                self._reached[number or 0] = offset or 0
            elif error is not None:
                self._on_error(error, Place(message.topic(), number, offset, self._options.setting))
        if rows:
            self._records += len(rows)
            self._hand_over(rows)

    def _hand_over(self, rows: Sequence[RawRecord]) -> None:
        while not self._on_their_way.acquire(timeout=_POLL_SECONDS):
            self.last_poll_at = time.monotonic()
            if self._is_stopping.is_set():
                return
        if self._feed is not None:
            self._call(partial(self._feed.apply, rows))

    def _pass_marks(self) -> None:
        asked = [KafkaTopicPartition(each.topic, each.partition) for each in self._partitions.values()]
        for each in self._consumer.position(asked):
            self._reached[each.partition] = max(each.offset, self._reached.get(each.partition, 0))
        while self._marks and self._is_reached(self._marks[0]) and self._feed is not None:
            self._call(partial(self._feed.mark, self._marks.pop(0)))

    def _is_reached(self, mark: Mark) -> bool:
        return all(self._reached.get(number, 0) >= end for number, end in mark.ends.items())

    def _report(self, now: float) -> None:
        """Say now and then how long it will still take."""
        remaining = self.progress.remaining_at_start
        is_first = not self._report_at
        self._report_at = now + self._options.progress_seconds
        if remaining is None or is_first:
            return
        read = self._to_read - remaining
        left = (now - self._started_at) * remaining / read if read > 0 else None
        self._call(partial(self._observer, TableRestoring(self._options.name, read, self._to_read, left)))

    def _on_error(self, error: KafkaError, place: Place | None = None) -> None:
        place = place or Place(self._options.topic, setting=self._options.setting)
        failure = failure_of(error, place, is_starting=not self._records)
        if failure is not None:
            self._fail(failure)
            return
        complaint = self._complaints.about(error, time.monotonic())
        if complaint is not None:
            self._call(partial(self._observer, complaint))

    def _end_by(self, error: Exception) -> None:
        """End because of a fault; from any thread."""
        self._fail(KafkaFailure(f"following {self._options.topic} ended by {type(error).__name__}: {error}"))

    def _fail(self, failure: KafkaFailure) -> None:
        self._call(lambda: None if self._failure.done() else self._failure.set_result(failure))

    def _call(self, function: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    # On the loop.

    def _mark_current(self, as_of_ms: int) -> None:
        self._sink.mark_current(as_of_ms)
        if not self._is_caught_up:
            self._is_caught_up = True
            self._observer(TableCaughtUp(self._options.name, self._records, time.monotonic() - self._started_at))
