# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the consumer.

Owns every call into the client: polling, commits, and through :mod:`connector.kafka.membership` the rebalance
callbacks, which the client makes on the thread that polls. Nobody else touches the consumer; the loop's side sends
commands through a queue. Never delivers more than the window allows.

A full window is the usual state under load, and the answer that opens it comes by polling, which may hand out a
record as well. Such records are held back here; pausing instead would throw away what was fetched ahead.
"""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.observations import DependencyUnavailable
from connector.engine.ports import RawRecord
from connector.kafka import codes
from connector.kafka.boot_clock import boot_seconds
from connector.kafka.commits import CommitRequest, Commits
from connector.kafka.failures import Complaints, KafkaFailure, Place, failure_of, is_unreleased, kafka_error
from connector.kafka.headers import headers_of
from connector.kafka.identities import TopicIds
from connector.kafka.membership import Membership, Owned
from connector.kafka.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from connector.engine.ports import TopicPartition
    from connector.kafka.loop_side import LoopSide
    from connector.kafka.options import SourceOptions

T = TypeVar("T")

_POLL_SECONDS = 0.02
_HEARTBEAT_SECONDS = 0.1
_CHORES_EVERY_SECONDS = 1.0
_ANSWER_SECONDS = 0.002
_FIRST_NUDGE_SECONDS = 0.02
# What held a full window up may end at any moment; then all of it can be committed, and nothing comes in before that.
_LAST_NUDGE_SECONDS = 0.1
_CLUSTER = Place()
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 5.0
_TAKEN_SECONDS = 3.0
"""After so long without a refusal the group has taken us, though it may have no partition for us."""


class PollThread:
    """The consumer, and the loop around it; ``run`` is the thread's target, ``submit`` is for everybody."""

    def __init__(self, options: SourceOptions, loop_side: LoopSide, fail: Callable[[KafkaFailure], None]) -> None:
        """Take what the thread works with; nothing happens before :meth:`run`."""
        self._options = options
        self._loop_side = loop_side
        self.fail = fail
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._held: list[tuple[Owned, Message]] = []
        self._nudge_at = 0.0
        self._nudge_seconds = _FIRST_NUDGE_SECONDS
        self._complaints = Complaints("kafka")
        self._stop_at: float | None = None
        self._chores_at = 0.0
        self._opened_at = 0.0
        self._is_refused = False
        self.total_partitions = 0
        """How many partitions the topics have in all, 0 while nobody knows; may be read from any thread."""
        self.waits_for: str | None = None
        self.last_poll_at = time.monotonic()
        self.end_offsets: dict[TopicPartition, int] = {}
        self.window = Window(options.max_uncommitted_records, options.max_uncommitted_bytes)

    def submit(self, command: Callable[[], None]) -> None:
        """Have a command run on the thread, soon; from any thread."""
        self._commands.put(command)

    def run(self) -> None:
        """Poll until stopped; whatever goes wrong here ends the source with a failure."""
        try:
            config: dict[str, object] = dict(self._options.config())
            refresh_seconds = self._options.metadata_refresh_interval_ms / 1000
            self._topic_ids = TopicIds(self._options.connection, self._options.topics, refresh_seconds)
            wait_seconds = _FIRST_WAIT_SECONDS
            while self._stop_at is None:
                self._open(config)
                self._stay_a_member()
                if self._is_refused:
                    self._wait_for_release(wait_seconds)
                    wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)
        except KafkaException as exception:
            error = kafka_error(exception)
            self.fail(
                failure_of(error, _CLUSTER, is_starting=True)
                or KafkaFailure(f"Kafka: the consumer failed: {error.str()} ({error.name()}). Check kafka.properties."),
            )
        except Exception as exception:  # noqa: BLE001  a dead thread must end the process, with its reason
            self.fail(KafkaFailure(f"the Kafka poll thread ended by {type(exception).__name__}: {exception}"))

    def _open(self, config: Mapping[str, object]) -> None:
        self._consumer = Consumer({**config, "on_commit": self._on_commit, "error_cb": self.on_error})
        self._membership = Membership(self._consumer, self._options, self._loop_side, self.window, self)
        self._commits = Commits(
            lambda elements: self._consumer.commit(offsets=elements, asynchronous=True),
            self._membership.metadata,
            self.window.commit,
            self._membership.standing,
            boot_seconds,
        )
        self._held.clear()
        self._is_refused = False
        self._opened_at = time.monotonic()

    def _wait_for_release(self, seconds: float) -> None:
        """Wait until a static member's id may be free; a client that was refused has to be made anew."""
        self.waits_for = (
            f"kafka.group_instance_id: another member of group {self._options.group_id!r} has the id "
            f"{self._options.group_instance_id!r}. The id of a process that died is released when its session ends; if "
            "that one is alive, give each process an id of its own."
        )
        self._loop_side.observe(DependencyUnavailable("kafka", self.waits_for))
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.rest():
            pass

    def _stay_a_member(self) -> None:
        try:
            self._membership.join()
            while self._stop_at is None and not self._is_refused:
                self._turn()
            if not self._is_refused:
                self._membership.give_back_all()
        finally:
            self._membership.leave()
            self._commits.end("the group was left")

    # Commands: run on this thread, asked for by the loop's side.

    def commit(self, request: CommitRequest) -> None:
        """Commit, and answer when the group has."""
        self._commits.ask(request)

    def stop(self, at: float) -> None:
        """Give everything back and end; be done by then (monotonic)."""
        self._stop_at = at

    # The loop.

    def _turn(self) -> None:
        now = self.last_poll_at = time.monotonic()
        while not self._commands.empty():
            self._commands.get_nowait()()
        if not self._commits.is_out and (renewal := self._membership.renewal()) is not None:
            self._commits.ask(renewal)
        room = self.window.room(now)
        self._membership.apply_pauses()
        if room > 0:
            self._nudge_at, self._nudge_seconds = now, _FIRST_NUDGE_SECONDS
            self._read(min(room, self._options.max_batch_records))
        else:
            self._wait_for_room(now)
        if now >= self._chores_at:
            self._chores_at = now + _CHORES_EVERY_SECONDS
            self._do_chores()

    def _read(self, room: int) -> None:
        """Deliver up to so many records: first those held back, then what the client has."""
        batch = self._take_held(room)
        if not batch:
            message = self._consumer.poll(_POLL_SECONDS)
            if message is None:
                return
            first = self._records([message])
            # Partitions may have been given to us while this was waited for, and have shares of the window now.
            left = min(room, self.window.room(time.monotonic())) - 1
            rest = self._consumer.consume(left, 0) if left > 0 else []
            # The partition of the first may have been taken away, and even given back, in the second call.
            batch = [*self._still_owned(first), *self._records(rest)]
        if batch:
            for owned, message in batch:
                self.window.deliver(owned.topic_partition, message.offset() or 0, _size(message))
            self._loop_side.deliver([_raw_record(owned, message) for owned, message in batch])

    def _wait_for_room(self, now: float) -> None:
        """Ask for a commit, and be there when it is answered."""
        if now >= self._nudge_at:
            self._nudge_at = now + self._nudge_seconds
            self._nudge_seconds = min(self._nudge_seconds * 2, _LAST_NUDGE_SECONDS)
            self._loop_side.commit_soon()
        if self._membership.rests:
            self._hold(self._consumer.poll(_POLL_SECONDS))
        elif self._commits.is_out:
            self._serve(_ANSWER_SECONDS)
            self._hold(self._consumer.poll(0))
        else:
            self._serve(_POLL_SECONDS)

    def _hold(self, message: Message | None) -> None:
        if message is not None:
            self._held += self._records([message])

    def _take_held(self, room: int) -> list[tuple[Owned, Message]]:
        """Return what may go now of what was held back; what is not ours any more is forgotten."""
        if not self._held:
            return []
        taken: list[tuple[Owned, Message]] = []
        kept: list[tuple[Owned, Message]] = []
        for owned, message in self._still_owned(self._held):
            may_go = len(taken) < room and not self.window.is_paused(owned.topic_partition)
            (taken if may_go else kept).append((owned, message))
        self._held = kept
        return taken

    def _still_owned(self, records: Sequence[tuple[Owned, Message]]) -> list[tuple[Owned, Message]]:
        owned_partitions = self._membership.owned
        return [each for each in records if owned_partitions.get(each[0].topic_partition) is each[0]]

    def _records(self, messages: Sequence[Message]) -> list[tuple[Owned, Message]]:
        """Return the records of partitions that are ours; errors are seen to."""
        records = []
        owned_partitions = self._membership.owned
        for message in messages:
            error = message.error()
            if error is not None:
                self.on_error(error, Place(message.topic(), message.partition(), message.offset()))
                continue
            owned = owned_partitions.get((message.topic(), message.partition()))  # type: ignore[arg-type]  # a record has both
            if owned is not None:
                records.append((owned, message))
        return records

    def _do_chores(self) -> None:
        self._loop_side.look_at_lease()
        positions = self._membership.new_positions({owned.topic_partition for owned, _ in self._held})
        if positions:
            self._loop_side.advance(positions)
        self.end_offsets = self._membership.end_offsets()
        now = time.monotonic()
        if self._membership.has_begun or now - self._opened_at > _TAKEN_SECONDS:
            self.waits_for = None
        failure = self._topic_ids.look(now) or self._membership.standing.failure(boot_seconds())
        self.total_partitions = self._topic_ids.total_partitions
        if failure is not None:
            self.fail(failure)
        request = self._membership.unsettled_starts()
        if request is not None:
            self._commits.ask(request)

    def _serve(self, timeout_seconds: float) -> None:
        """Wait for a command, and run it."""
        try:
            command = self._commands.get(timeout=timeout_seconds)
        except Empty:
            return
        command()

    # For the membership.

    def wait(self, answer: Future[T], timeout_seconds: float) -> T | None:
        """Wait for the loop, with the heartbeat going and commands served; ``None`` if it did not answer in time."""
        answer.add_done_callback(lambda _: self.submit(_nothing))
        deadline = time.monotonic() + timeout_seconds
        while not answer.done():
            now = self.last_poll_at = time.monotonic()
            self._membership.renew_now()
            remaining = min(deadline, self._stop_at or deadline) - now
            if remaining <= 0:
                answer.cancel()
                return None
            self._serve(min(remaining, _HEARTBEAT_SECONDS))
        return None if answer.cancelled() else answer.result()

    def rest(self) -> bool:
        """Let a moment pass; false once the source is to stop."""
        self.last_poll_at = time.monotonic()
        self._serve(_HEARTBEAT_SECONDS)
        return self._stop_at is None

    def partition_count(self, topic: str) -> int:
        """Count a topic's partitions, by another client than the one that is polled."""
        return self._topic_ids.partition_count(topic)

    def topic_ids(self) -> Mapping[str, str]:
        """Return the ids of the topics as far as they are known, after a look at them that may take a moment."""
        failure = self._topic_ids.look_now(time.monotonic())
        self.total_partitions = self._topic_ids.total_partitions
        if failure is not None:
            raise failure
        return self._topic_ids.known

    # What the client tells.

    def on_error(self, error: KafkaError, place: Place = _CLUSTER) -> None:
        """End the source for what only an operator can help with; complain, not too often, about the rest."""
        if error.code() == codes.PARTITION_EOF:
            return
        if is_unreleased(error):
            self._is_refused = True
            return
        failure = failure_of(error, place, is_starting=not self._membership.has_begun)
        if failure is not None:
            self.fail(failure)
            return
        complaint = self._complaints.about(error, time.monotonic())
        if complaint is not None:
            self._loop_side.observe(complaint)

    def _on_commit(self, error: KafkaError | None, partitions: list[KafkaTopicPartition]) -> None:
        self._commits.answered(error, partitions)


def _size(message: Message) -> int:
    return len(message) + len(message.key() or b"")


def _raw_record(owned: Owned, message: Message) -> RawRecord:
    return RawRecord(
        owned.topic_partition,
        message.offset(),  # type: ignore[arg-type]  # a record has one
        message.key(),
        message.value(),
        headers_of(message),
        message.timestamp()[1],
    )


def _nothing() -> None:
    """Wake the thread."""
