# SPDX-License-Identifier: Apache-2.0
"""How far a consumer group has got, for those who wait for it.

Owns the questions. Joins no group, commits nothing and creates no topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException
from confluent_kafka import TopicPartition as KafkaTopicPartition
from confluent_kafka.admin import AdminClient

from connector.engine.ports import TopicPartition
from connector.kafka.failures import KafkaFailure, kafka_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connector.kafka.options import KafkaConnection


class GroupProgress:
    """A group, seen from outside."""

    def __init__(self, connection: KafkaConnection, group_id: str, timeout_seconds: float) -> None:
        """Take which group, and how long an answer may take."""
        self._client = AdminClient({**connection.config()})
        self._group_id = group_id
        self._timeout_seconds = timeout_seconds

    def members(self) -> int:
        """Return how many members the group has; raises :class:`KafkaFailure`."""
        try:
            asked = self._client.describe_consumer_groups([self._group_id], request_timeout=self._timeout_seconds)
            return len(asked[self._group_id].result(self._timeout_seconds).members)
        except (KafkaException, TimeoutError) as exception:
            raise self._failure(exception) from None

    def committed(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the committed offset of each partition, -1 for none; raises :class:`KafkaFailure`."""
        asked = ConsumerGroupTopicPartitions(self._group_id, [KafkaTopicPartition(*each) for each in places])
        try:
            answers = self._client.list_consumer_group_offsets([asked], request_timeout=self._timeout_seconds)
            found = answers[self._group_id].result(self._timeout_seconds).topic_partitions or []
        except (KafkaException, TimeoutError) as exception:
            raise self._failure(exception) from None
        return {TopicPartition(each.topic, each.partition): max(-1, each.offset) for each in found}

    def _failure(self, exception: Exception) -> KafkaFailure:
        said = kafka_error(exception).str() if isinstance(exception, KafkaException) else "no answer in time"
        return KafkaFailure(
            f"kafka.group_id: the brokers do not say how far group {self._group_id!r} is: {said}. What was replayed is "
            "replayed all the same; allow the user of this command to DESCRIBE the group, or give --no-wait.",
        )


def partitions_of(connection: KafkaConnection, topics: Sequence[str], timeout_seconds: float) -> dict[str, int]:
    """Return how many partitions each topic has, 0 for one that is not there; raises :class:`KafkaFailure`."""
    try:
        known = AdminClient({**connection.config()}).list_topics(timeout=timeout_seconds).topics
    except KafkaException as exception:
        reason = f"kafka.bootstrap_servers: the brokers do not answer: {kafka_error(exception).str()}. Check them."
        raise KafkaFailure(reason) from None
    return {topic: len(known[topic].partitions) if topic in known else 0 for topic in topics}
