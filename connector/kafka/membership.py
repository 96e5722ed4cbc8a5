# SPDX-License-Identifier: Apache-2.0
"""The partitions that the group has given us, and how they come and go.

Owns the rebalance callbacks. Runs on the poll thread, inside the client's calls. Never commits anything that it was
not asked to, but for a partition's resolved start, which is durable before the first record of it is delivered (else
a crash would resolve it anew, perhaps further on): until the group has taken it, the partition stays paused.

A revoke runs in this order: the engine drains, what it answers is committed synchronously, the engine's assignment is
fenced, the client lets go. Lost partitions are only fenced: a commit could undo their new owner's work. So are those
that are taken back after the group has said that it does not know us: the client may have forgotten that by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.observations import CommitFailed
from connector.engine.ports import CommitResult, TopicPartition
from connector.kafka.boot_clock import boot_seconds
from connector.kafka.commits import Asked, CommitRequest, heard, result_of
from connector.kafka.failures import KafkaFailure, kafka_error
from connector.kafka.standing import Standing
from connector.kafka.starts import Start, resolve_starts

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from connector.kafka.loop_side import LoopSide
    from connector.kafka.options import SourceOptions
    from connector.kafka.window import Window

T = TypeVar("T")

_MARGIN_SECONDS = 2.0


@dataclass(slots=True)
class Owned:
    """A partition while it is ours; ``is_settled`` once the group holds its start.

    ``asked`` is the highest offset that the group was asked to hold for it, whether or not it has answered.
    """

    topic_partition: TopicPartition
    epoch: int
    start: Start
    is_settled: bool
    asked: int = -1
    is_paused: bool = False
    told_position: int = -1


class Host(Protocol):
    """What the thread around does for its membership."""

    def wait(self, answer: Future[T], timeout_seconds: float) -> T | None:
        """Wait for the loop with the heartbeat going; ``None`` if it does not answer in time."""

    def rest(self) -> bool:
        """Let a moment pass; false once there is no use in trying again."""

    def on_error(self, error: KafkaError) -> None:
        """Take note of an error."""

    def fail(self, failure: KafkaFailure) -> None:
        """End the source, in order."""

    def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has; blocks, and raises ``KafkaException`` where nobody answers."""

    def topic_ids(self) -> Mapping[str, str]:
        """Return the ids of the topics as far as they are known; raises ``KafkaFailure`` for one made anew."""


class Membership:
    """What we own of the group's partitions."""

    def __init__(
        self,
        consumer: Consumer,
        options: SourceOptions,
        loop_side: LoopSide,
        window: Window,
        host: Host,
    ) -> None:
        """Begin with nothing; :meth:`join` subscribes."""
        self._consumer = consumer
        self._options = options
        self._loop_side = loop_side
        self._window = window
        self.standing = Standing(
            options.lease_seconds,
            options.max_poll_interval_ms / 1000,
            loop_side.renew_lease,
            loop_side.end_lease,
        )
        self._host = host
        self._epoch = 0
        self._is_leaving = False
        self._going: Sequence[TopicPartition] = ()
        self.owned: dict[tuple[str, int], Owned] = {}
        self.has_begun = False

    def join(self) -> None:
        """Become a member; the client calls back while it is polled."""
        self._consumer.subscribe(
            list(self._options.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def give_back_all(self) -> None:
        """Drain, commit and fence everything."""
        self._give_back([owned.topic_partition for owned in self.owned.values()])

    def leave(self) -> None:
        """Leave the group and close the client; what was not given back is fenced."""
        self._is_leaving = True
        self._fence([owned.topic_partition for owned in self.owned.values()], lost=True)
        self._consumer.close()

    def metadata(self, topic_partition: TopicPartition, asked: Asked) -> str | None:
        """Return what a commit that is sent now must carry, or ``None`` if that assignment is over."""
        owned = self.owned.get(topic_partition)
        if owned is None or owned.epoch != asked.epoch or self.standing.is_ended:
            return None
        owned.asked = max(owned.asked, asked.offset)
        return owned.start.metadata

    # The proof that we are a member.

    def renewal(self) -> CommitRequest | None:
        """Return a commit for the sake of its answer, if one is due: of what was to be committed last, once more.

        What was to be, and not what is known to be: a commit whose answer was lost may well have been taken.
        """
        owned = [*self.owned.values()]
        if not owned or not self.standing.is_due(boot_seconds()):
            return None
        offsets = {each.topic_partition: Asked(_offset(each), each.epoch) for each in owned}
        return CommitRequest(offsets, lambda result: self._settle(owned, result), lambda: True)

    def renew_now(self) -> None:
        """Have the same done synchronously for what stays ours: in a callback, where no answer comes otherwise.

        Not where the group does not seem to answer: that would hold the callback up for as long as it does not.
        """
        now = boot_seconds()
        if self.standing.is_due(now) and self.standing.is_answered(now):
            staying = [each for each in self.owned.values() if each.topic_partition not in self._going]
            self._commit_now({each.topic_partition: (_offset(each), each.start.metadata) for each in staying})

    # What is read, and how far.

    def apply_pauses(self) -> None:
        """Pause and resume what has to be, as the window says."""
        changed = [owned for owned in self.owned.values() if self._must_rest(owned) is not owned.is_paused]
        for owned in changed:
            owned.is_paused = not owned.is_paused
        if to_pause := [_element(owned) for owned in changed if owned.is_paused]:
            self._consumer.pause(to_pause)
        if to_resume := [_element(owned) for owned in changed if not owned.is_paused]:
            self._consumer.resume(to_resume)

    @property
    def rests(self) -> bool:
        """Whether there are partitions, and all of them are paused."""
        return bool(self.owned) and all(owned.is_paused for owned in self.owned.values())

    def new_positions(self, without: Container[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where reading has got since it was last asked: past markers and aborted records, too."""
        positions = {}
        asked = [_element(owned) for owned in self.owned.values() if owned.topic_partition not in without]
        for each in self._consumer.position(asked) if asked else ():
            owned = self.owned[each.topic, each.partition]
            if each.offset >= 0 and each.offset > owned.told_position:
                owned.told_position = each.offset
                positions[owned.topic_partition] = each.offset
        return positions

    def end_offsets(self) -> dict[TopicPartition, int]:
        """Return the high watermarks as the client last saw them, without asking the cluster."""
        ends = {}
        for owned in self.owned.values():
            _, high = self._consumer.get_watermark_offsets(_element(owned), cached=True)
            if high >= 0:
                ends[owned.topic_partition] = high
        return ends

    def unsettled_starts(self) -> CommitRequest | None:
        """Return a commit of the starts that the group has not taken yet."""
        unsettled = [owned for owned in self.owned.values() if not owned.is_settled]
        if not unsettled:
            return None
        offsets = {owned.topic_partition: Asked(owned.start.offset, owned.epoch) for owned in unsettled}
        return CommitRequest(offsets, lambda result: self._settle(unsettled, result), lambda: True)

    def _must_rest(self, owned: Owned) -> bool:
        return self._window.is_paused(owned.topic_partition) or not owned.is_settled

    def _settle(self, partitions: Iterable[Owned], result: CommitResult) -> None:
        for owned in partitions:
            owned.is_settled = owned.is_settled or owned.topic_partition in result.committed
        self._tell_refusals(result)

    # Callbacks.

    def _on_assign(self, _consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        self.standing.called_back(boot_seconds())
        starts = self._resolve([TopicPartition(each.topic, each.partition) for each in partitions])
        if starts is None:
            return  # Stopping: the client is closed next, whatever it was given.
        settled = self._commit_now(
            {each: (start.offset, start.metadata) for each, start in starts.items() if start.is_new},
        )
        self._consumer.incremental_assign(
            [KafkaTopicPartition(each.topic, each.partition, start.offset) for each, start in starts.items()],
        )
        self.has_begun = True
        if starts:
            self._take_over(starts, settled)

    def _take_over(self, starts: Mapping[TopicPartition, Start], settled: set[TopicPartition]) -> None:
        self._epoch += 1
        for each, start in starts.items():
            self.owned[each] = Owned(each, self._epoch, start, is_settled=not start.is_new or each in settled)
            self._window.open(each)
        # The client remembers a pause from an earlier assignment.
        self._consumer.resume([KafkaTopicPartition(*each) for each in starts])
        self.apply_pauses()
        self._loop_side.assign({each: start.offset for each, start in starts.items()}, self._epoch)
        # The answer to the starts' own commit came before the engine had anything to hold a lease for.
        self.standing.ask_soon()

    def _on_revoke(self, _consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        if not self._is_leaving:
            self._give_back([TopicPartition(each.topic, each.partition) for each in partitions])
        self._consumer.incremental_unassign(partitions)

    def _on_lost(self, _consumer: Consumer, partitions: list[KafkaTopicPartition]) -> None:
        if not self._is_leaving:
            self._fence([TopicPartition(each.topic, each.partition) for each in partitions], lost=True)
            self.standing.called_back(boot_seconds())
        self._consumer.incremental_unassign(partitions)

    def _resolve(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Start] | None:
        """Resolve starts for as long as it takes; ``None`` when there is no use in it any more."""
        if not partitions:
            return {}
        while True:
            try:
                known, count = self._host.topic_ids(), self._host.partition_count
                return resolve_starts(self._consumer, partitions, self._options.start, known, count)
            except KafkaException as exception:
                self._host.on_error(kafka_error(exception))
            except KafkaFailure as failure:
                self._host.fail(failure)
            if not self._host.rest():
                return None

    def _give_back(self, partitions: Sequence[TopicPartition]) -> None:
        owned = [each for each in partitions if each in self.owned]
        if not owned:
            return
        self._going, offsets = owned, None
        if not self.standing.is_ended:
            offsets = self._host.wait(self._loop_side.drain(owned), self._options.drain_seconds + _MARGIN_SECONDS)
        if self.standing.is_ended:
            self._fence(owned, lost=True)
            return
        offsets = offsets or {}
        self._commit_now({each: (offsets[each], self.owned[each].start.metadata) for each in owned if each in offsets})
        self._fence(owned, lost=False)

    def _fence(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        owned = [each for each in partitions if self.owned.pop(each, None) is not None]
        for each in owned:
            self._window.close(each)
        if owned:
            self._host.wait(self._loop_side.fence(owned, lost=lost), _MARGIN_SECONDS)

    def _commit_now(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> set[TopicPartition]:
        """Commit synchronously and return what the group took; for callbacks only, because it blocks."""
        if not offsets:
            return set()
        elements = [KafkaTopicPartition(*each, offset, metadata) for each, (offset, metadata) in offsets.items()]
        asked = {each: offset for each, (offset, _) in offsets.items()}
        error, answers = None, []
        sent_at = boot_seconds()
        self.standing.sent(sent_at)
        try:
            answers = self._consumer.commit(offsets=elements, asynchronous=False)
        except KafkaException as exception:
            error = kafka_error(exception)
        result = result_of(asked, error, answers)
        self.standing.heard(heard(sent_at, result, error, answers), boot_seconds())
        self._tell_refusals(result)
        return set(result.committed)

    def _tell_refusals(self, result: CommitResult) -> None:
        for topic_partition, reason in result.failed.items():
            self._loop_side.observe(CommitFailed(topic_partition, reason))


def _offset(owned: Owned) -> int:
    return max(owned.asked, owned.start.offset)


def _element(owned: Owned) -> KafkaTopicPartition:
    return KafkaTopicPartition(*owned.topic_partition)
