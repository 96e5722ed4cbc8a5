# SPDX-License-Identifier: Apache-2.0
"""Which topics the names of the settings stand for.

Owns the question: a topic that was made anew under its old name is another topic, and an event at an old position of
it another event. Where the brokers do not say (too old, or not allowed), the name has to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from connector.engine.ports import Origin
from connector.kafka import codes
from connector.kafka.failures import kafka_error
from connector.kafka.identities import NO_ID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from connector.kafka.options import KafkaConnection

_WILL_NOT_SAY = frozenset(
    (
        KafkaError.UNSUPPORTED_VERSION,
        codes.UNSUPPORTED_FEATURE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    ),
)


def origins_of(
    through: KafkaConnection,
    topics: Sequence[str],
    timeout_seconds: float = 2.0,
) -> dict[str, Origin] | None:
    """Return each topic's cluster and id, or ``None`` when the brokers did not answer; blocks for some seconds at most.

    Silence is no answer: an event that is known by where it lies would be another one after a restart.
    """
    client = AdminClient({**through.config()})
    try:
        told = client.list_topics(timeout=timeout_seconds).cluster_id
        cluster = told or ""  # type: ignore[redundant-expr]  # the stubs do not know of brokers that have none
        answers = client.describe_topics(TopicCollection(list(topics)), request_timeout=timeout_seconds)
        return {topic: Origin(cluster, _id_of(topic, answer, timeout_seconds)) for topic, answer in answers.items()}
    except (KafkaException, TimeoutError):
        return None


def named(topics: Sequence[str]) -> dict[str, Origin]:
    """Return origins that go by the topics' names, for brokers that do not say more."""
    return {topic: Origin("", topic) for topic in topics}


def _id_of(topic: str, answer: Future[Any], timeout_seconds: float) -> str:
    try:
        told = str(answer.result(timeout_seconds).topic_id)
    except KafkaException as exception:
        if kafka_error(exception).code() not in _WILL_NOT_SAY:
            raise
        return topic
    return topic if told == NO_ID else told
