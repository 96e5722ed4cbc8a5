# SPDX-License-Identifier: Apache-2.0
"""Commits on their way to the group, and their answers.

Owns the order of commits: one request is out at a time, so that a repeated older one can never land behind a newer
one and take the group back. Explicit offsets only. Each answer also says how we stand with the group, and counts from
when its request was sent. Runs on the poll thread.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.ports import CommitResult, TopicPartition
from connector.kafka.failures import kafka_error
from connector.kafka.standing import Heard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connector.kafka.standing import Standing

NOT_OWNED = "not owned any more"


class Asked(NamedTuple):
    """An offset to commit, and the assignment under which it was asked for."""

    offset: int
    epoch: int


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """One call of ``commit``; ``is_wanted`` turns false when nobody waits for the answer any more."""

    offsets: Mapping[TopicPartition, Asked]
    answer: Callable[[CommitResult], None]
    is_wanted: Callable[[], bool]


class _Sent(NamedTuple):
    request: CommitRequest
    offsets: dict[TopicPartition, int]
    failed: dict[TopicPartition, str]
    at: float


class Commits:
    """The queue of commit requests."""

    def __init__(
        self,
        send: Callable[[list[KafkaTopicPartition]], None],
        metadata: Callable[[TopicPartition, Asked], str | None],
        committed: Callable[[TopicPartition, int], None],
        standing: Standing,
        now: Callable[[], float],
    ) -> None:
        """Take how to send, and what says a partition's metadata, or ``None`` if that assignment is over.

        ``committed`` is told what the group has taken, ``standing`` what its answers say of us; ``now`` is the clock of
        the lease.
        """
        self._send = send
        self._metadata = metadata
        self._committed = committed
        self._standing = standing
        self._now = now
        self._waiting: deque[CommitRequest] = deque()
        self._sent: _Sent | None = None

    @property
    def is_out(self) -> bool:
        """Whether an answer is being waited for."""
        return self._sent is not None

    def ask(self, request: CommitRequest) -> None:
        """Send the request, behind those before it."""
        self._waiting.append(request)
        self._send_next()

    def answered(self, error: KafkaError | None, partitions: Iterable[KafkaTopicPartition]) -> None:
        """Take the group's answer to the request that is out."""
        if self._sent is None:
            return
        request, offsets, failed, sent_at = self._sent
        self._sent = None
        answers = [*partitions]
        result = result_of(offsets, error, answers, failed)
        self._standing.heard(heard(sent_at, result, error, answers), self._now())
        for topic_partition, offset in result.committed.items():
            self._committed(topic_partition, offset)
        request.answer(result)
        self._send_next()

    def end(self, reason: str) -> None:
        """Answer everything that is still open; no answer will come any more."""
        if self._sent is not None:
            self._waiting.appendleft(self._sent.request)
            self._sent = None
        while self._waiting:
            request = self._waiting.popleft()
            request.answer(CommitResult({}, dict.fromkeys(request.offsets, reason)))

    def _send_next(self) -> None:
        while self._waiting and self._sent is None:
            request = self._waiting.popleft()
            if request.is_wanted():
                self._send_request(request)

    def _send_request(self, request: CommitRequest) -> None:
        elements, offsets, failed = [], {}, {}
        for each, asked in request.offsets.items():
            metadata = self._metadata(each, asked)
            if metadata is None:
                failed[each] = NOT_OWNED
            else:
                offsets[each] = asked.offset
                elements.append(KafkaTopicPartition(each.topic, each.partition, asked.offset, metadata))
        if not elements:
            request.answer(CommitResult({}, failed))
            return
        # Before it is sent: the time until it really is counts against us.
        sent_at = self._now()
        self._standing.sent(sent_at)
        self._sent = _Sent(request, offsets, failed, sent_at)
        try:
            self._send(elements)
        except KafkaException as exception:
            self.answered(kafka_error(exception), ())


def result_of(
    offsets: Mapping[TopicPartition, int],
    error: KafkaError | None,
    partitions: Iterable[KafkaTopicPartition],
    failed: Mapping[TopicPartition, str] | None = None,
) -> CommitResult:
    """Sort an answer: durable is only what the group named without an error."""
    answers = {TopicPartition(each.topic, each.partition): each for each in partitions}
    committed: dict[TopicPartition, int] = {}
    refused = dict(failed or {})
    for topic_partition, offset in offsets.items():
        answer = answers.get(topic_partition)
        problem = (answer.error if answer is not None else None) or error
        if problem is not None:
            refused[topic_partition] = f"{problem.name()}: {problem.str()}"
        elif answer is None:
            refused[topic_partition] = "the group did not answer for it"
        else:
            committed[topic_partition] = offset
    return CommitResult(committed, refused)


def heard(
    sent_at: float,
    result: CommitResult,
    error: KafkaError | None,
    partitions: Iterable[KafkaTopicPartition],
) -> Heard:
    """Return what an answer says of us."""
    errors = (error, *(each.error for each in partitions))
    return Heard(sent_at, bool(result.committed), tuple(each for each in errors if each is not None))
