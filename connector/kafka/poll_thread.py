# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the consumer.

Owns every call into the client: polling, rebalance callbacks, commits. Nobody else touches the consumer; the loop's
side sends commands through a queue. Never commits anything that it was not asked to, but for a partition's resolved
start, which is durable before the first record is delivered (else a crash would resolve it anew, perhaps further on).

A revoke runs in this order, inside the callback: the engine drains, what it answers is committed synchronously, the
engine's assignment is fenced, the client lets go. Lost partitions are only fenced: committing for them could undo
their new owner's work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.observations import CommitFailed
from connector.engine.ports import CommitResult, RawRecord, TopicPartition
from connector.kafka import codes
from connector.kafka.commits import Asked, CommitRequest, Commits, result_of
from connector.kafka.credit import STARVED_AFTER_SECONDS, Credit, Flow
from connector.kafka.failures import Complaints, KafkaFailure, Place, failure_of, kafka_error
from connector.kafka.starts import Start, resolve_starts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

    from connector.kafka.loop_side import LoopSide
    from connector.kafka.options import SourceOptions

T = TypeVar("T")

_POLL_SECONDS = 0.02
_HEARTBEAT_SECONDS = 0.1
_CHORES_EVERY_SECONDS = 1.0
_MARGIN_SECONDS = 2.0
_CLUSTER = Place()


@dataclass(slots=True)
class _Owned:
    """A partition while it is ours; ``is_settled`` once the group holds its start."""

    topic_partition: TopicPartition
    epoch: int
    start: Start
    is_settled: bool
    is_paused_by_engine: bool = False
    is_paused: bool = False
    told_position: int = -1


class PollThread:
    """The consumer, and the loop around it; ``run`` is the thread's target, ``submit`` is for everybody."""

    def __init__(self, options: SourceOptions, loop_side: LoopSide, fail: Callable[[KafkaFailure], None]) -> None:
        """Take what the thread works with; nothing happens before :meth:`run`."""
        self._options = options
        self._loop_side = loop_side
        self._fail = fail
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._credit = Credit(time.monotonic())
        self._owned: dict[tuple[str, int], _Owned] = {}
        self._epoch = 0
        self._complaints = Complaints("kafka")
        self._stop_at: float | None = None
        self._is_closing = False
        self._has_started = False
        self._chores_at = 0.0
        self.last_poll_at = time.monotonic()
        self.is_finished = False

    def submit(self, command: Callable[[], None]) -> None:
        """Have a command run on the thread, soon; from any thread."""
        self._commands.put(command)

    def run(self) -> None:
        """Poll until stopped; whatever goes wrong here ends the source with a failure."""
        try:
            self._open()
            while self._stop_at is None:
                self._turn()
            self._give_back([each.topic_partition for each in self._owned.values()])
        except KafkaException as exception:
            error = kafka_error(exception)
            self._fail(
                failure_of(error, Place(), is_starting=not self._has_started)
                or KafkaFailure(f"Kafka: the consumer failed: {error.str()} ({error.name()}). Check kafka.properties."),
            )
        except Exception as exception:  # noqa: BLE001  a dead thread must end the process, with its reason
            self._fail(KafkaFailure(f"the Kafka poll thread ended by {type(exception).__name__}: {exception}"))
        finally:
            self._close()

    def _open(self) -> None:
        config: dict[str, object] = dict(self._options.config())
        config |= {"on_commit": self._on_commit, "error_cb": self._on_error}
        self._consumer = Consumer(config)
        self._commits = Commits(
            lambda elements: self._consumer.commit(offsets=elements, asynchronous=True),
            self._metadata_of,
        )
        self._consumer.subscribe(
            list(self._options.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _close(self) -> None:
        self._is_closing = True
        try:
            self._fence([each.topic_partition for each in self._owned.values()], lost=True)
            if hasattr(self, "_consumer"):
                self._consumer.close()
                self._commits.end("the source has stopped")
        finally:
            self.is_finished = True

    # Commands: run on this thread, asked for by the loop's side.

    def grant(self, records: int) -> None:
        """Let more records be delivered."""
        self._credit.grant(records, time.monotonic())

    def commit(self, request: CommitRequest) -> None:
        """Commit, and answer when the group has."""
        self._commits.ask(request)

    def pause(self, partitions: Iterable[TopicPartition], *, is_paused: bool) -> None:
        """Pause or resume what of these is owned."""
        for each in partitions:
            owned = self._owned.get(each)
            if owned is not None:
                owned.is_paused_by_engine = is_paused
        self._apply_pauses()

    def stop(self, at: float) -> None:
        """Give everything back and end; be done by then (monotonic)."""
        self._stop_at = at

    # The loop.

    def _turn(self) -> None:
        now = self.last_poll_at = time.monotonic()
        while not self._commands.empty():
            self._commands.get_nowait()()
        flow = self._credit.flow(now)
        if flow is Flow.WAITING:
            self._serve(STARVED_AFTER_SECONDS / 2)
            return
        self._apply_pauses()
        message = self._consumer.poll(_POLL_SECONDS)
        if message is not None:
            limit = min(self._credit.left, self._options.max_batch_records) - 1
            self._take([message, *(self._consumer.consume(limit, 0) if limit > 0 else ())])
        if now >= self._chores_at:
            self._chores_at = now + _CHORES_EVERY_SECONDS
            self._do_chores()

    def _serve(self, timeout_seconds: float) -> None:
        """Wait for a command, and run it."""
        try:
            command = self._commands.get(timeout=timeout_seconds)
        except Empty:
            return
        command()

    def _take(self, messages: Sequence[Message]) -> None:
        records = []
        owned_partitions = self._owned
        for message in messages:
            error = message.error()
            if error is not None:
                self._on_error(error, Place(message.topic(), message.partition(), message.offset()))
                continue
            owned = owned_partitions.get((message.topic(), message.partition()))  # type: ignore[arg-type]  # a record has both
            if owned is not None:
                records.append(
                    RawRecord(
                        owned.topic_partition,
                        message.offset(),  # type: ignore[arg-type]  # a record has one
                        message.key(),
                        message.value(),
                        message.headers() or (),  # type: ignore[arg-type]  # a consumer gives a list of pairs
                        message.timestamp()[1],
                    ),
                )
        if records:
            self._credit.spend(len(records), time.monotonic())
            self._loop_side.deliver(records)

    def _apply_pauses(self) -> None:
        everything = self._credit.flow(time.monotonic()) is Flow.PAUSED
        to_pause: list[KafkaTopicPartition] = []
        to_resume: list[KafkaTopicPartition] = []
        for owned in self._owned.values():
            wanted = everything or owned.is_paused_by_engine or not owned.is_settled
            if wanted is not owned.is_paused:
                owned.is_paused = wanted
                (to_pause if wanted else to_resume).append(KafkaTopicPartition(*owned.topic_partition))
        if to_pause:
            self._consumer.pause(to_pause)
        if to_resume:
            self._consumer.resume(to_resume)

    # Chores.

    def _do_chores(self) -> None:
        self._tell_positions()
        self._settle_starts()

    def _tell_positions(self) -> None:
        """Tell how far the client has read: past markers and aborted records that no record will follow for now."""
        if not self._owned:
            return
        asked = [KafkaTopicPartition(*owned.topic_partition) for owned in self._owned.values()]
        positions = {}
        for each in self._consumer.position(asked):
            owned = self._owned[each.topic, each.partition]
            if each.error is None and each.offset > owned.told_position and each.offset >= 0:
                owned.told_position = each.offset
                positions[owned.topic_partition] = each.offset
        if positions:
            self._loop_side.advance(positions)

    def _settle_starts(self) -> None:
        """Commit again the starts that the group refused; until then their partitions stay paused."""
        unsettled = [owned for owned in self._owned.values() if not owned.is_settled]
        if unsettled:
            offsets = {owned.topic_partition: Asked(owned.start.offset, owned.epoch) for owned in unsettled}
            self._commits.ask(CommitRequest(offsets, lambda result: self._settle(unsettled, result), lambda: True))

    def _settle(self, partitions: Iterable[_Owned], result: CommitResult) -> None:
        for owned in partitions:
            owned.is_settled = owned.is_settled or owned.topic_partition in result.committed
        self._tell_refusals(result)

    # Rebalance callbacks: the client calls them on this thread, inside poll, consume and close.

    def _on_assign(self, _consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        assigned = [TopicPartition(each.topic, each.partition) for each in partitions]
        starts = self._resolve(assigned) if assigned else {}
        if starts is None:
            return  # Stopping: the consumer is closed next, whatever it was given.
        settled = self._commit_now({each: start for each, start in starts.items() if start.is_new})
        self._consumer.incremental_assign(
            [KafkaTopicPartition(each.topic, each.partition, start.offset) for each, start in starts.items()],
        )
        self._has_started = True
        if not starts:
            return
        self._epoch += 1
        for each, start in starts.items():
            is_settled = not start.is_new or each in settled
            self._owned[each] = _Owned(each, self._epoch, start, is_settled)
        # The client remembers a pause from an earlier assignment.
        self._consumer.resume([KafkaTopicPartition(*each) for each in starts])
        self._apply_pauses()
        self._loop_side.assign({each: start.offset for each, start in starts.items()}, self._epoch)

    def _on_revoke(self, _consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        if not self._is_closing:
            self._give_back([TopicPartition(each.topic, each.partition) for each in partitions])
        self._consumer.incremental_unassign(partitions)

    def _on_lost(self, _consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        if not self._is_closing:
            self._fence([TopicPartition(each.topic, each.partition) for each in partitions], lost=True)
        self._consumer.incremental_unassign(partitions)

    def _resolve(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Start] | None:
        """Resolve starts for as long as it takes; ``None`` when there is no use in it any more."""
        while self._stop_at is None:
            self.last_poll_at = time.monotonic()
            try:
                return resolve_starts(self._consumer, partitions, self._options.start)
            except KafkaException as exception:
                self._on_error(kafka_error(exception), Place())
                self._serve(_HEARTBEAT_SECONDS)
        return None

    def _give_back(self, partitions: Sequence[TopicPartition]) -> None:
        """Drain, commit and fence what of these is owned."""
        owned = [each for each in partitions if each in self._owned]
        if not owned:
            return
        offsets = self._wait(self._loop_side.drain(owned), self._options.drain_seconds + _MARGIN_SECONDS)
        committable = {each: offset for each, offset in (offsets or {}).items() if each in self._owned}
        self._commit_now(
            {
                each: Start(offset, self._owned[each].start.metadata, is_new=True)
                for each, offset in committable.items()
            },
        )
        self._fence(owned, lost=False)

    def _fence(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        owned = [each for each in partitions if self._owned.pop(each, None) is not None]
        if owned:
            self._wait(self._loop_side.fence(owned, lost=lost), _MARGIN_SECONDS)

    def _wait(self, answer: Future[T], timeout_seconds: float) -> T | None:
        """Wait for the loop, with the heartbeat going and commands served; ``None`` if it did not answer in time."""
        answer.add_done_callback(lambda _: self.submit(_nothing))
        deadline = time.monotonic() + timeout_seconds
        while not answer.done():
            now = self.last_poll_at = time.monotonic()
            remaining = min(deadline, self._stop_at or deadline) - now
            if remaining <= 0:
                answer.cancel()
                return None
            self._serve(min(remaining, _HEARTBEAT_SECONDS))
        return None if answer.cancelled() else answer.result()

    def _commit_now(self, starts: dict[TopicPartition, Start]) -> set[TopicPartition]:
        """Commit synchronously; return what the group took. Only for callbacks and the end: it blocks."""
        if not starts:
            return set()
        elements = [
            KafkaTopicPartition(each.topic, each.partition, start.offset, start.metadata)
            for each, start in starts.items()
        ]
        offsets = {each: start.offset for each, start in starts.items()}
        try:
            result = result_of(offsets, None, self._consumer.commit(offsets=elements, asynchronous=False))
        except KafkaException as exception:
            result = result_of(offsets, kafka_error(exception), ())
        self._tell_refusals(result)
        return set(result.committed)

    # What the client tells.

    def _on_commit(self, error: KafkaError | None, partitions: list[KafkaTopicPartition]) -> None:
        self._commits.answered(error, partitions)

    def _on_error(self, error: KafkaError, place: Place = _CLUSTER) -> None:
        if error.code() == codes.PARTITION_EOF:
            return
        failure = failure_of(error, place, is_starting=not self._has_started)
        if failure is not None:
            self._fail(failure)
            return
        complaint = self._complaints.about(error, time.monotonic())
        if complaint is not None:
            self._loop_side.observe(complaint)

    def _tell_refusals(self, result: CommitResult) -> None:
        for topic_partition, reason in result.failed.items():
            self._loop_side.observe(CommitFailed(topic_partition, reason))

    def _metadata_of(self, topic_partition: TopicPartition, epoch: int) -> str | None:
        owned = self._owned.get(topic_partition)
        return owned.start.metadata if owned is not None and owned.epoch == epoch else None


def _nothing() -> None:
    """Wake the thread."""
