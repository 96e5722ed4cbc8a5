# SPDX-License-Identifier: Apache-2.0
"""Reads one record by its position.

Owns a consumer that is assigned the partition by hand and thrown away: no group is joined and nothing is committed.
Never creates a topic by asking for it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.ports import RawRecord
from connector.kafka import codes
from connector.kafka.failures import KafkaFailure, Place, failure_of, kafka_error
from connector.kafka.headers import headers_of

if TYPE_CHECKING:
    from connector.engine.ports import TopicPartition
    from connector.kafka.options import KafkaConnection

_POLL_SECONDS = 0.1


class RecordGone(KafkaFailure):
    """The brokers answered: there is no record at the offset, and none will come back to it."""


def read_record(
    connection: KafkaConnection,
    group_id: str,
    topic_partition: TopicPartition,
    offset: int,
    timeout_seconds: float,
) -> RawRecord:
    """Return the record at the offset; raises :class:`KafkaFailure`, which says why there is none, and what to do.

    Of these, :class:`RecordGone` is raised where there is none for good, and not only for now or for us.
    The client wants a group id, though the group is never joined: give one that the connector's user may READ.
    """
    config: dict[str, str | bool | int] = {
        **connection.config(),
        "group.id": group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
    }
    try:
        consumer = Consumer(dict(config))
        try:
            deadline = time.monotonic() + timeout_seconds
            _check(consumer, topic_partition, offset, timeout_seconds)
            consumer.assign([KafkaTopicPartition(*topic_partition, offset)])
            return _read(consumer, topic_partition, offset, deadline)
        finally:
            consumer.close()
    except KafkaException as exception:
        error = kafka_error(exception)
        reason = f"{topic_partition} cannot be read: {error.str()} ({error.name()}). The command check says more."
        raise KafkaFailure(reason) from None


def _check(consumer: Consumer, topic_partition: TopicPartition, offset: int, timeout_seconds: float) -> None:
    topic, partition = topic_partition
    known = consumer.list_topics(timeout=timeout_seconds).topics.get(topic)
    if known is None or known.error is not None:
        reason = f"--topic: {topic!r} does not exist, or the connector's user may not DESCRIBE it. Correct or allow it."
        raise KafkaFailure(reason)
    if partition not in known.partitions:
        reason = f"--partition: {topic!r} has the partitions 0 to {len(known.partitions) - 1}. Give one of them."
        raise RecordGone(reason)
    low, high = consumer.get_watermark_offsets(KafkaTopicPartition(topic, partition), timeout_seconds)
    if not low <= offset < high:
        there = f"the offsets {low} to {high - 1}" if high > low else "no records"
        reason = f"--offset: {topic_partition} has {there}, not {offset}. Give an offset that is there."
        raise RecordGone(reason)


def _read(consumer: Consumer, topic_partition: TopicPartition, offset: int, deadline: float) -> RawRecord:
    place = Place(*topic_partition, offset)
    reason = f"{place} at offset {offset}: the brokers did not send it in time. Give a longer --timeout."
    while time.monotonic() < deadline:
        message = consumer.poll(_POLL_SECONDS)
        if message is None:
            continue
        error = message.error()
        if error is None and message.offset() == offset:
            return _record(message, topic_partition, offset)
        if error is None or error.code() == codes.PARTITION_EOF:
            reason = (
                f"{place} has no record at offset {offset}: compaction took it, or it is the mark of a transaction."
            )
            raise RecordGone(f"{reason} Give another offset.")  # noqa: TRY003, EM102  the sentence is built above
        failure = failure_of(error, place, is_starting=True)
        if failure is not None:
            raise failure
    raise KafkaFailure(reason)


def _record(message: Message, topic_partition: TopicPartition, offset: int) -> RawRecord:
    return RawRecord(
        topic_partition,
        offset,
        message.key(),
        message.value(),
        headers_of(message),
        message.timestamp()[1],
    )
