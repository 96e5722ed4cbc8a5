# SPDX-License-Identifier: Apache-2.0
"""What a topic is that is about to be followed.

Owns the questions: its partitions and their ends, its id and its cluster's, how long its tombstones are kept. What the
brokers do not allow to be known is ``None``; when they do not answer, that is an error, and the question is to be
asked again: a copy of a topic must not be thrown away because a broker was restarted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as KafkaTopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ConfigResource as Resource  # type: ignore[attr-defined]  # the stubs export it not
from confluent_kafka.admin import ResourceType as Type  # type: ignore[attr-defined]  # as above

from connector.engine.ports import FollowedTopic
from connector.kafka.failures import kafka_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Future

    from confluent_kafka import Consumer

    from connector.kafka.options import FollowerOptions

_UNTOLD = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001  the library's name for it
}
_DELETE_RETENTION = "delete.retention.ms"


def count_partitions(consumer: Consumer, topic: str, timeout_seconds: float) -> int:
    """Count them among all topics, 0 if there is no such topic: asking for one by its name would create it."""
    metadata = consumer.list_topics(timeout=timeout_seconds).topics.get(topic)
    return 0 if metadata is None or metadata.error is not None else len(metadata.partitions)


def ends_of(
    consumer: Consumer,
    topic: str,
    numbers: Iterable[int],
    timeout_seconds: float,
) -> dict[int, tuple[int, int]]:
    """Return the first offset of each partition and the one behind its last, as they are now."""
    ends: dict[int, tuple[int, int]] = {}
    for number in numbers:
        low, high = consumer.get_watermark_offsets(KafkaTopicPartition(topic, number), timeout_seconds)
        ends[number] = (low, high)
    return ends


def describe(consumer: Consumer, options: FollowerOptions, ends: Mapping[int, tuple[int, int]]) -> FollowedTopic:
    """Return what the topic is; raises ``KafkaException`` when the brokers do not answer."""
    topic, timeout = options.topic, options.request_timeout_seconds
    if not options.is_identified:
        return FollowedTopic(topic, None, None, None, ends)
    client = AdminClient({**options.connection.config()})
    description = _told(client.describe_topics(TopicCollection([topic]), request_timeout=timeout)[topic])
    resource = Resource(Type.TOPIC, topic)
    config = _told(client.describe_configs([resource], request_timeout=timeout)[resource])
    entry = None if config is None else config.get(_DELETE_RETENTION)
    return FollowedTopic(
        topic,
        consumer.list_topics(timeout=timeout).cluster_id,
        None if description is None else str(description.topic_id),
        None if entry is None else int(entry.value),
        ends,
    )


def _told(answer: Future[Any]) -> Any:  # noqa: ANN401  whatever was asked for
    try:
        return answer.result()
    except KafkaException as exception:
        if kafka_error(exception).code() in _UNTOLD:
            return None
        raise
