# SPDX-License-Identifier: Apache-2.0
"""Follows all partitions of a topic, from their beginning, for a table.

Owns a consumer and its thread. No group: every replica reads everything, nothing is committed. The table lives on the
event loop and gets records in batches, of which only a few are ever on their way. "Caught up" means that every
partition was read up to the end it had at the start, by the client's position or its end-of-partition event: equality
of a record's offset with the end would wait for ever behind a transaction's marker.

A record that the table cannot take yet (its writer's schema is still to be fetched) holds its partition, in order;
other partitions go on. When many records wait, reading stops until the table takes them, so that memory stays bounded.
Nothing has caught up while anything waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.observations import TableCaughtUp
from connector.engine.ports import TopicPartition
from connector.kafka import codes
from connector.kafka.failures import Complaints, KafkaFailure, Place, failure_of, kafka_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connector.engine.observations import Observation
    from connector.engine.ports import Observer, Preparation
    from connector.kafka.options import FollowerOptions

_POLL_SECONDS = 0.05
_BATCHES_ON_THEIR_WAY = 4
_MOST_HELD_RECORDS = 10_000
"""When so many wait for what is to be fetched, no more are read than are on their way already."""


class TableSink(Protocol):
    """What is fed; called on the event loop."""

    def apply(
        self,
        topic_partition: TopicPartition,
        offset: int,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
    ) -> Preparation | None:
        """Take a record; ``value`` is ``None`` for a tombstone.

        What it returns must be ready before the record can be taken: it is brought again, before any other of its
        partition.
        """

    def mark_caught_up(self) -> None:
        """Note that all that the topic held when following began has been applied; called once."""


class Progress(NamedTuple):
    """How far the follower is; ``remaining_at_start`` counts offsets still missing for having caught up.

    Records that wait are counted in it.
    """

    records: int
    partitions: int
    remaining_at_start: int | None
    is_caught_up: bool


class Row(NamedTuple):
    """A record on its way to the table."""

    topic_partition: TopicPartition
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class TopicFollower:
    """Feeds a table from a topic; start and stop it on the table's loop."""

    def __init__(self, options: FollowerOptions, sink: TableSink, observer: Observer) -> None:
        """Take the options; nothing is connected before :meth:`start`."""
        self._options = options
        self._sink = sink
        self._observer = observer
        self._complaints = Complaints(f"kafka topic {options.topic}")
        self._on_their_way = threading.Semaphore(_BATCHES_ON_THEIR_WAY)
        self._is_stopping = threading.Event()
        self._partitions: dict[int, TopicPartition] = {}
        self._ends: dict[int, int] | None = None
        self._reached: dict[int, int] = {}
        self._has_read_to_ends = False
        self._records = 0
        self._refresh_at = 0.0
        self.last_poll_at = time.monotonic()
        # On the loop.
        self._unreleased = 0
        self._held: dict[TopicPartition, deque[Row]] = {}
        self._held_records = 0
        self._holding: set[asyncio.Task[None]] = set()
        self._is_applied_to_ends = False
        self._is_caught_up = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to follow."""
        self._loop = loop
        self._started_at = time.monotonic()
        self._failure: asyncio.Future[KafkaFailure] = loop.create_future()
        self._finished = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"kafka-follower-{self._options.name}", daemon=True)
        self._thread.start()

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """End the thread, or leave it behind after the timeout. May be called again."""
        self._is_stopping.set()
        for task in self._holding:
            task.cancel()
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
        if remaining is not None and not self._is_caught_up:
            remaining += self._held_records
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
            reason = f"following {self._options.topic} ended by {type(exception).__name__}: {exception}"
            self._fail(KafkaFailure(reason))
        finally:
            self._call(self._finished.set)

    def _follow(self) -> None:
        while not self._is_stopping.is_set():
            now = self.last_poll_at = time.monotonic()
            if now >= self._refresh_at:
                self._refresh_at = now + (self._options.refresh_seconds if self._refresh() else 1.0)
            message = self._consumer.poll(_POLL_SECONDS)
            if message is not None:
                self._take([message, *self._consumer.consume(self._options.max_batch_records - 1, 0)])
            if not self._has_read_to_ends:
                self._check_caught_up()

    def _refresh(self) -> bool:
        """Look for partitions, at the start and later; false if the cluster did not answer."""
        timeout = self._options.request_timeout_seconds
        try:
            count = self._count_partitions(timeout)
            added = {number: TopicPartition(self._options.topic, number) for number in range(count)}
            added = {number: each for number, each in added.items() if number not in self._partitions}
            if self._ends is None and added:
                ends = {
                    number: self._consumer.get_watermark_offsets(_asked(each), timeout)
                    for number, each in added.items()
                }
                # An end at the beginning has nothing in front of it, whatever number it has.
                self._ends = {number: high if high > low else 0 for number, (low, high) in ends.items()}
            if added:
                self._consumer.incremental_assign(
                    [KafkaTopicPartition(each.topic, each.partition, OFFSET_BEGINNING) for each in added.values()],
                )
                self._partitions = {**self._partitions, **added}
        except KafkaException as exception:
            self._on_error(kafka_error(exception))
            return False
        return True

    def _count_partitions(self, timeout: float) -> int:
        """Count them among all topics: asking for one by its name would create it."""
        metadata = self._consumer.list_topics(timeout=timeout).topics.get(self._options.topic)
        if metadata is None or metadata.error is not None:
            if not self._partitions:
                self._fail(
                    KafkaFailure(
                        f"{self._options.setting}: topic {self._options.topic!r} does not exist, or the connector's "
                        "user may not DESCRIBE it. Create it, correct the name, or allow it.",
                    ),
                )
            return 0
        return len(metadata.partitions)

    def _take(self, messages: Sequence[Message]) -> None:
        rows = []
        for message in messages:
            error = message.error()
            number, offset = message.partition(), message.offset()
            if error is None and number is not None and offset is not None:
                rows.append(
                    Row(self._partitions[number], offset, message.timestamp()[1], message.key(), message.value()),
                )
                self._reached[number] = offset + 1
            elif error is not None and error.code() == codes.PARTITION_EOF:
                self._reached[number or 0] = offset or 0
            elif error is not None:
                self._on_error(error, Place(message.topic(), number, offset, self._options.setting))
        if rows:
            self._records += len(rows)
            self._hand_over(rows)

    def _hand_over(self, rows: Sequence[Row]) -> None:
        while not self._on_their_way.acquire(timeout=_POLL_SECONDS):
            self.last_poll_at = time.monotonic()
            if self._is_stopping.is_set():
                return
        self._call(partial(self._apply, rows))

    def _check_caught_up(self) -> None:
        if self._ends is None:
            return
        for each in self._consumer.position([_asked(self._partitions[number]) for number in self._ends]):
            if each.offset > self._reached.get(each.partition, 0):
                self._reached[each.partition] = each.offset
        if all(self._reached.get(number, 0) >= end for number, end in self._ends.items()):
            self._has_read_to_ends = True
            self._call(self._note_applied_to_ends)

    def _on_error(self, error: KafkaError, place: Place | None = None) -> None:
        place = place or Place(self._options.topic, setting=self._options.setting)
        failure = failure_of(error, place, is_starting=not self._records)
        if failure is not None:
            self._fail(failure)
            return
        complaint = self._complaints.about(error, time.monotonic())
        if complaint is not None:
            self._call(partial(self._observe, complaint))

    def _fail(self, failure: KafkaFailure) -> None:
        self._call(lambda: None if self._failure.done() else self._failure.set_result(failure))

    def _call(self, function: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    # On the loop.

    def _apply(self, rows: Sequence[Row]) -> None:
        self._unreleased += 1
        self._let_more_come()
        if not self._is_stopping.is_set():
            for row in rows:
                self._apply_or_hold(row)

    def _let_more_come(self) -> None:
        while self._unreleased and self._held_records < _MOST_HELD_RECORDS:
            self._unreleased -= 1
            self._on_their_way.release()

    def _apply_or_hold(self, row: Row) -> None:
        held = self._held.get(row.topic_partition)
        preparation = self._sink.apply(*row) if held is None else None
        if preparation is not None:
            held = self._held[row.topic_partition] = deque()
            task = self._loop.create_task(self._apply_held(row.topic_partition, held, preparation))
            self._holding.add(task)
            task.add_done_callback(self._end_holding)
        if held is not None:
            held.append(row)
            self._held_records += 1

    async def _apply_held(self, topic_partition: TopicPartition, held: deque[Row], preparation: Preparation) -> None:
        """Apply a partition's rows in order, each when it can be taken."""
        awaited: Preparation | None = preparation
        while awaited is not None:
            await awaited.ready()
            awaited = None
            while held and awaited is None:
                awaited = self._sink.apply(*held[0])
                if awaited is None:
                    held.popleft()
                    self._held_records -= 1
            self._let_more_come()
        del self._held[topic_partition]
        self._mark_caught_up()

    def _end_holding(self, task: asyncio.Task[None]) -> None:
        self._holding.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(KafkaFailure(f"following {self._options.topic} ended by {type(error).__name__}: {error}"))

    def _note_applied_to_ends(self) -> None:
        """Note that every batch up to the ends has come; called behind the last of them."""
        self._is_applied_to_ends = True
        self._mark_caught_up()

    def _mark_caught_up(self) -> None:
        """Tell the table, once, if nothing is missing any more and nothing waits."""
        if self._is_applied_to_ends and not (self._held or self._is_caught_up or self._is_stopping.is_set()):
            self._is_caught_up = True
            self._sink.mark_caught_up()
            seconds = time.monotonic() - self._started_at
            self._observer(TableCaughtUp(self._options.name, self._records, seconds))

    def _observe(self, observation: Observation) -> None:
        self._observer(observation)


def _asked(topic_partition: TopicPartition) -> KafkaTopicPartition:
    return KafkaTopicPartition(topic_partition.topic, topic_partition.partition)
