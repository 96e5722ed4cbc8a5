# SPDX-License-Identifier: Apache-2.0
"""Where a partition's records start for us: resolved, never left to the client's defaults.

Owns the rule and the metadata that it rests on. A partition with a committed offset goes on there. Without one it
matters whether the partition is *older* than the group (then the configured start of a new group counts: some member
will see it later than others) or was *added* since (then everything in it is new, and it is read from its beginning).
So each commit carries how many partitions the topic had when the group was born. Never guesses towards skipping: a
group that committed without saying when it was born (another tool reset its offsets) reads from the beginning.

A commit carries the topic's id, too: an offset of a topic that was made anew since means nothing in the new one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.ports import TopicPartition
from connector.kafka.identities import made_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_BIRTH = "partitions_at_birth"
_TOPIC_ID = "topic_id"
_REQUEST_SECONDS = 5.0


class Committed(NamedTuple):
    """What the group has committed for a partition; the offset is ``None`` if nothing."""

    offset: int | None
    partitions_at_birth: int | None
    topic_id: str | None = None


class Start(NamedTuple):
    """The offset of the first record for us; ``is_new`` when the group has not committed it yet."""

    offset: int
    metadata: str
    is_new: bool


def metadata_of(partitions_at_birth: int, topic_id: str | None = None) -> str:
    """Return the metadata that every commit carries; the id is left out where nobody knows it."""
    known = {_BIRTH: partitions_at_birth} if topic_id is None else {_BIRTH: partitions_at_birth, _TOPIC_ID: topic_id}
    return json.dumps(known, separators=(",", ":"))


def partitions_at_birth(metadata: str | None) -> int | None:
    """Return the partition count at the group's birth, or ``None`` where the metadata is not ours."""
    try:
        birth = json.loads(metadata or "null")[_BIRTH]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return birth if type(birth) is int and birth >= 0 else None


def topic_id_of(metadata: str | None) -> str | None:
    """Return the id of the topic that an offset was committed for, or ``None`` where the metadata does not say."""
    try:
        topic_id = json.loads(metadata or "null")[_TOPIC_ID]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return topic_id if isinstance(topic_id, str) else None


def birth_of_group(committed: Iterable[Committed], partition_count: int) -> int:
    """Return how many partitions the topic had when the group began to read it; 0 if nobody knows."""
    present = [each for each in committed if each.offset is not None]
    known = [each.partitions_at_birth for each in present if each.partitions_at_birth is not None]
    if known:
        return min(known)
    return 0 if present else partition_count


def resolve_starts(
    consumer: Consumer,
    partitions: Iterable[TopicPartition],
    configured: Literal["earliest", "latest"],
    topic_ids: Mapping[str, str],
    partition_count: Callable[[str], int],
) -> dict[TopicPartition, Start]:
    """Ask the group and the topics where each partition starts; blocks.

    ``topic_ids`` are those that are known. ``partition_count`` asks another client: to list topics by the one whose
    callback this is would end the process at its next callback within the same poll. Raises ``KafkaException`` when
    the cluster does not answer, and :class:`connector.kafka.failures.KafkaFailure` when the group's offsets are those
    of another topic.
    """
    assigned = list(partitions)
    committed = _committed(consumer, assigned)
    for each, there in committed.items():
        present = topic_ids.get(each.topic)
        if there.topic_id is not None and present is not None and there.topic_id != present:
            raise made_anew(each.topic, there.topic_id, present)
    births = _births(consumer, assigned, committed, partition_count)
    starts = {}
    for each in assigned:
        offset, birth = committed[each].offset, births[each.topic]
        is_new = offset is None
        if offset is None:
            is_added = each.partition >= birth
            offset = _watermark(consumer, each, "earliest" if is_added else configured)
        topic_id = topic_ids.get(each.topic, committed[each].topic_id)
        starts[each] = Start(offset, metadata_of(birth, topic_id), is_new)
    return starts


def _births(
    consumer: Consumer,
    assigned: list[TopicPartition],
    committed: Mapping[TopicPartition, Committed],
    partition_count: Callable[[str], int],
) -> dict[str, int]:
    births = {}
    for topic in {each.topic for each in assigned}:
        own = [committed[each] for each in assigned if each.topic == topic]
        if all(each.partitions_at_birth is not None for each in own):
            births[topic] = birth_of_group(own, 0)
        else:
            count = partition_count(topic)
            whole_topic = _committed(consumer, [TopicPartition(topic, number) for number in range(count)])
            births[topic] = birth_of_group(whole_topic.values(), count)
    return births


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> dict[TopicPartition, Committed]:
    asked = [KafkaTopicPartition(each.topic, each.partition) for each in partitions]
    answer = {}
    for each in consumer.committed(asked, timeout=_REQUEST_SECONDS):
        if each.error is not None:
            raise KafkaException(each.error)
        offset = each.offset if each.offset >= 0 else None
        said = partitions_at_birth(each.metadata), topic_id_of(each.metadata)
        answer[TopicPartition(each.topic, each.partition)] = Committed(offset, *said)
    return answer


def _watermark(consumer: Consumer, partition: TopicPartition, which: Literal["earliest", "latest"]) -> int:
    asked = KafkaTopicPartition(partition.topic, partition.partition)
    low, high = consumer.get_watermark_offsets(asked, timeout=_REQUEST_SECONDS)
    return low if which == "earliest" else high
