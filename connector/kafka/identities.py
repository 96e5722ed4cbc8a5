# SPDX-License-Identifier: Apache-2.0
"""Whether the topics that are read are still those that were read at first.

Owns the question and its verdict. A topic that was deleted and made anew under its old name is another topic: offsets
of the former one mean nothing there, and reading on from them would skip what lies before. Only an assignment waits
for an answer, for a moment. Brokers that do not say (too old, not allowed, away) are not held against a topic.
"""

from __future__ import annotations

from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from connector.kafka.failures import KafkaFailure, kafka_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from connector.kafka.options import KafkaConnection

_MOMENT_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_PATIENCE_INTERVALS = 2.0
"""How long a topic may be unknown, counted in looks: brokers that have just started may not know of it yet."""
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""What brokers that give topics no ids say."""


def made_anew(topic: str, former: str, present: str) -> KafkaFailure:
    """Return why a topic that is another one by now cannot be read on."""
    return KafkaFailure(
        f"kafka.topics: topic {topic!r} was deleted and made anew (its id was {former}, now it is {present}): the "
        "group's committed offsets are those of the former one, and reading on from them would skip records. Set the "
        f"group's offsets for the new one (kafka-consumer-groups --reset-offsets --to-earliest --topic {topic}), then "
        "start again.",
    )


def _deleted(topic: str, seconds: float) -> KafkaFailure:
    return KafkaFailure(
        f"kafka.topics: topic {topic!r} was deleted while it was read: the brokers have not known it for "
        f"{seconds:.0f} s. What was not delivered is gone with it. Create it, or take it out, then start again.",
    )


class TopicIds:
    """Asks for the ids of the topics every so often; for one thread."""

    def __init__(self, connection: KafkaConnection, topics: tuple[str, ...], every_seconds: float) -> None:
        """Ask for the first time."""
        self._client = AdminClient({**connection.config()})
        self._topics = TopicCollection(list(topics))
        self._every_seconds = every_seconds
        self._ids: dict[str, str] = {}
        self._partitions = dict.fromkeys(topics, 0)
        self._missing_since: dict[str, float] = {}
        self._has_answers = False
        self._ask_at = 0.0
        self._asked: dict[str, Future[Any]] | None = self._ask(_MOMENT_SECONDS)

    @property
    def known(self) -> Mapping[str, str]:
        """The ids that the topics had when they were first told."""
        return self._ids

    @property
    def total_partitions(self) -> int:
        """How many partitions all topics had when they were last told, 0 while it is not known of each."""
        return sum(self._partitions.values()) if all(self._partitions.values()) else 0

    def look_now(self, now: float) -> KafkaFailure | None:
        """Return why reading may not go on, by answers not judged before: asked for now, or a while ago.

        Waits a moment, not for brokers that never answer.
        """
        if self._ids and self._asked is None:
            self._asked = self._ask(_MOMENT_SECONDS)
        if self._asked is not None and (self._ids or not self._has_answers):
            wait(self._asked.values(), _MOMENT_SECONDS)
        return self.look(now)

    def look(self, now: float) -> KafkaFailure | None:
        """Return why reading may not go on, as far as is known by now; ask again when it is time."""
        if self._asked is None:
            if now >= self._ask_at:
                self._asked = self._ask(_ANSWER_SECONDS)
            return None
        if not all(answer.done() for answer in self._asked.values()):
            return None
        answers, self._asked = self._asked, None
        self._has_answers, self._ask_at = True, now + self._every_seconds
        failures = [self._judge(topic, answer, now) for topic, answer in answers.items()]
        return next((failure for failure in failures if failure is not None), None)

    def partition_count(self, topic: str) -> int:
        """Count a topic's partitions among all topics, because asking for one by its name would create it; blocks."""
        metadata = self._client.list_topics(timeout=_ANSWER_SECONDS).topics.get(topic)
        if metadata is None:
            return 0
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        return len(metadata.partitions)

    def _ask(self, timeout_seconds: float) -> dict[str, Future[Any]]:
        return self._client.describe_topics(self._topics, request_timeout=timeout_seconds)

    def _judge(self, topic: str, answer: Future[Any], now: float) -> KafkaFailure | None:
        try:
            described = answer.result()
        except KafkaException as exception:
            return self._judge_error(topic, kafka_error(exception), now)
        self._missing_since.pop(topic, None)
        self._partitions[topic] = len(described.partitions)
        told = str(described.topic_id)
        if told == NO_ID:
            return None
        first = self._ids.setdefault(topic, told)
        return None if told == first else made_anew(topic, first, told)

    def _judge_error(self, topic: str, error: KafkaError, now: float) -> KafkaFailure | None:
        if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART or topic not in self._ids:
            self._missing_since.pop(topic, None)
            return None
        missing_seconds = now - self._missing_since.setdefault(topic, now)
        is_gone = missing_seconds >= self._every_seconds * _PATIENCE_INTERVALS
        return _deleted(topic, missing_seconds) if is_gone else None
