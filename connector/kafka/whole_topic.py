# SPDX-License-Identifier: Apache-2.0
"""Reads partitions of a topic once, from their beginnings to where they end now.

Owns a consumer that is assigned by hand and thrown away: no group is joined, nothing is committed, and no topic is
created by asking for it. Holds one batch at a time. What is written while it reads is not waited for.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.ports import RawRecord, TopicPartition
from connector.kafka import codes
from connector.kafka.failures import KafkaFailure, Place, failure_of, kafka_error
from connector.kafka.followed_topic import count_partitions, ends_of
from connector.kafka.headers import headers_of
from connector.kafka.topics import check_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from connector.kafka.options import KafkaConnection

_BATCH_RECORDS = 1_000
_POLL_SECONDS = 0.1


class HowFar(NamedTuple):
    """How many offsets of the topic were passed so far, and how many there are to pass."""

    topic: str
    passed: int
    wanted: int


@dataclass(frozen=True, slots=True)
class WholeTopicOptions:
    """What is read; ``setting`` is the key of the topic.

    The client wants a group id, though the group is never joined: give one that the connector's user may READ.
    ``silence_seconds`` is how long the brokers may send nothing. ``report`` is told every ``report_seconds``.
    """

    connection: KafkaConnection
    topic: str
    setting: str
    group_id: str
    silence_seconds: float = 30.0
    report: Callable[[HowFar], None] = lambda _: None
    report_seconds: float = 2.0

    def config(self) -> dict[str, str | bool | int]:
        """Return the consumer's configuration."""
        return {
            **self.connection.config(),
            "group.id": self.group_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",  # the beginning may be deleted before it is read
            "isolation.level": "read_committed",
        }


def read_whole(
    options: WholeTopicOptions,
    choose: Callable[[int], Iterable[int]] = range,
) -> Iterator[Sequence[RawRecord]]:
    """Yield the records in batches, those of a partition in their order; raises :class:`KafkaFailure`.

    ``choose`` says which partitions, given how many there are.
    """
    for problem in check_topics(options.connection, {options.setting: (options.topic,)}, options.silence_seconds):
        reason = f"{problem.setting}: {problem.message}"
        raise KafkaFailure(reason)
    try:
        consumer = Consumer(dict(options.config()))
        try:
            count = count_partitions(consumer, options.topic, options.silence_seconds)
            asked = ends_of(consumer, options.topic, choose(count), options.silence_seconds)
            yield from _Reading(options, consumer, asked).batches()
        finally:
            consumer.close()
    except KafkaException as exception:
        error = kafka_error(exception)
        reason = (
            f"{options.setting}: topic {options.topic!r} cannot be read: {error.str()} ({error.name()}). The command "
            "check says more."
        )
        raise KafkaFailure(reason) from None


class _Reading:
    """One reading; ``asked`` has where each partition begins and ends."""

    def __init__(self, options: WholeTopicOptions, consumer: Consumer, asked: dict[int, tuple[int, int]]) -> None:
        self._options = options
        self._consumer = consumer
        self._left = {number: high for number, (low, high) in asked.items() if high > low}
        self._reached = {number: asked[number][0] for number in self._left}
        self._passed_before = sum(self._reached.values())
        self._wanted = sum(self._left.values()) - self._passed_before
        self._places = {number: TopicPartition(options.topic, number) for number in self._left}

    def batches(self) -> Iterator[Sequence[RawRecord]]:
        topic = self._options.topic
        self._consumer.assign([KafkaTopicPartition(topic, each, at) for each, at in self._reached.items()])
        passed_at = reported_at = time.monotonic()
        while self._left:
            before = self._passed()
            taken = map(self._taken, self._consumer.consume(_BATCH_RECORDS, _POLL_SECONDS))
            records = [record for record in taken if record is not None]
            if records:
                yield records
            now = time.monotonic()
            if self._passed() != before:
                passed_at = now
            elif now - passed_at > self._options.silence_seconds:
                reason = (
                    f"{self._options.setting}: topic {topic!r}: the brokers sent nothing for "
                    f"{self._options.silence_seconds:g} s. Look at them and at the network, or give a longer --timeout."
                )
                raise KafkaFailure(reason)
            if now - reported_at >= self._options.report_seconds:
                reported_at = now
                self._options.report(HowFar(topic, self._passed(), self._wanted))

    def _passed(self) -> int:
        return sum(self._reached.values()) - self._passed_before

    def _taken(self, message: Message) -> RawRecord | None:
        number, offset = message.partition(), message.offset()
        error = message.error()
        if error is not None and error.code() != codes.PARTITION_EOF:
            place = Place(self._options.topic, number, offset, self._options.setting)
            failure = failure_of(error, place, is_starting=True)
            if failure is not None:
                raise failure
            return None
        if number is None or offset is None or number not in self._left:
            return None
        end = self._left[number]
        self._reached[number] = min(end, offset if error is not None else offset + 1)
        if self._reached[number] >= end:
            del self._left[number]
            self._consumer.pause([KafkaTopicPartition(self._options.topic, number)])
        if error is not None or offset >= end:
            return None
        key, value, timestamp_ms = message.key(), message.value(), message.timestamp()[1]
        return RawRecord(self._places[number], offset, key, value, headers_of(message), timestamp_ms)
