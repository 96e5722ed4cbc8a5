# SPDX-License-Identifier: Apache-2.0
"""Which topics the names of the settings stand for.

Owns the question: a topic that was made anew under its old name is another topic, and an event at an old position of
it another event. Where the brokers do not say (too old, or not allowed), the name has to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from connector.engine.ports import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.kafka.options import KafkaConnection


def origins_of(through: KafkaConnection, topics: Sequence[str], timeout_seconds: float = 2.0) -> dict[str, Origin]:
    """Return each topic's cluster and id; blocks for some seconds at most."""
    client = AdminClient({**through.config()})
    try:
        told = client.list_topics(timeout=timeout_seconds).cluster_id
    except KafkaException:
        told = None
    cluster = told or ""  # type: ignore[redundant-expr]  # the stubs know only the value before there is one
    answers = client.describe_topics(TopicCollection(list(topics)), request_timeout=timeout_seconds)
    origins = {}
    for topic, answer in answers.items():
        try:
            origins[topic] = Origin(cluster, str(answer.result(timeout_seconds).topic_id))
        except (KafkaException, TimeoutError):
            origins[topic] = Origin(cluster, topic)
    return origins
