# SPDX-License-Identifier: Apache-2.0
"""What the cluster says of its topics, of the group and of what the connector's user may do.

Owns the questions, each within a bounded time, and that what the brokers do not tell is told as not known, with their
reason. Judges nothing and changes nothing: topics are found by listing all of them, because asking for one by its name
would create it on many brokers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ConfigResource as Resource  # type: ignore[attr-defined]  # the stubs export it not
from confluent_kafka.admin import ResourceType as Type  # type: ignore[attr-defined]  # as above

from connector.kafka.failures import kafka_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Future

    from connector.kafka.options import KafkaConnection

_PASSING = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}
"""What brokers say of a group while they are starting."""
_ASK_AGAIN_SECONDS = 0.2
_DENIED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}


class Untold(NamedTuple):
    """The brokers do not say; ``is_denied`` where they said that they may not."""

    why: str
    is_denied: bool = False


class TopicFacts(NamedTuple):
    """A topic that exists; ``replicas`` of the partition that has the fewest."""

    partitions: int
    replicas: int
    config: Mapping[str, str] | Untold
    operations: frozenset[str] | Untold


class ClusterFacts(NamedTuple):
    """What was asked for; ``topics`` has those that exist, ``names`` all that the user may see."""

    brokers: int
    names: frozenset[str]
    topics: Mapping[str, TopicFacts]
    group_operations: frozenset[str] | Untold
    creates_topics: bool | Untold
    group_session_timeout_ms: int | Untold


def inspect(
    connection: KafkaConnection,
    topics: Iterable[str],
    group_id: str,
    timeout_seconds: float,
) -> ClusterFacts | Untold:
    """Ask the cluster; blocks, for a few times the timeout at most."""
    client = AdminClient({**connection.config()})
    try:
        listed = client.list_topics(timeout=timeout_seconds)
    except KafkaException as exception:
        return _untold(exception)
    there = {name: listed.topics[name] for name in topics if name in listed.topics and not listed.topics[name].error}
    if listed.controller_id < 0:
        return _stand_in(len(listed.brokers), frozenset(listed.topics), there)
    how: dict[str, Any] = {"request_timeout": timeout_seconds}
    rights = {**how, "include_authorized_operations": True}
    described = client.describe_topics(TopicCollection(list(there)), **rights) if there else {}
    resources = {name: Resource(Type.TOPIC, name) for name in there}
    broker = Resource(Type.BROKER, str(listed.controller_id))
    group = Resource(Type.GROUP, group_id)
    configs = {each: client.describe_configs([each], **how)[each] for each in [*resources.values(), broker, group]}
    facts = {
        name: TopicFacts(*_size(metadata), _config(configs[resources[name]]), _operations(described[name]))
        for name, metadata in there.items()
    }
    return ClusterFacts(
        brokers=len(listed.brokers),
        names=frozenset(listed.topics),
        topics=facts,
        group_operations=_group_operations(client, group_id, timeout_seconds),
        creates_topics=_flag(_config(configs[broker]), "auto.create.topics.enable"),
        group_session_timeout_ms=_number(_config(configs[group]), "consumer.session.timeout.ms"),
    )


def _group_operations(client: AdminClient, group_id: str, timeout_seconds: float) -> frozenset[str] | Untold:
    deadline = time.monotonic() + timeout_seconds
    while True:
        how: dict[str, Any] = {"request_timeout": timeout_seconds, "include_authorized_operations": True}
        answer = client.describe_consumer_groups([group_id], **how)[group_id]
        error = answer.exception()  # the request has a timeout of its own, which is an answer, too
        is_passing = isinstance(error, KafkaException) and kafka_error(error).code() in _PASSING
        if not is_passing or time.monotonic() >= deadline:
            return _operations(answer)
        time.sleep(_ASK_AGAIN_SECONDS)


def _stand_in(brokers: int, names: frozenset[str], there: Mapping[str, Any]) -> ClusterFacts:
    """Return what can be said of something that speaks Kafka and has no controller to ask."""
    untold = Untold("there is no broker that answers questions of administration")
    facts = {name: TopicFacts(*_size(metadata), untold, untold) for name, metadata in there.items()}
    return ClusterFacts(brokers, names, facts, untold, untold, untold)


def _size(metadata: Any) -> tuple[int, int]:  # noqa: ANN401  the client's stubs do not export the type
    partitions = metadata.partitions.values()
    return len(partitions), min((len(each.replicas) for each in partitions), default=0)


def _config(answer: Future[Any]) -> Mapping[str, str] | Untold:
    try:
        entries = answer.result()
    except KafkaException as exception:
        return _untold(exception)
    return {name: entry.value for name, entry in entries.items() if entry.value is not None}


def _operations(answer: Future[Any]) -> frozenset[str] | Untold:
    try:
        allowed = answer.result().authorized_operations
    except KafkaException as exception:
        return _untold(exception)
    # Brokers that do not say give an empty list: who may do nothing at all is refused an answer.
    return frozenset(each.name for each in allowed) if allowed else Untold("the brokers do not tell it")


def _flag(config: Mapping[str, str] | Untold, name: str) -> bool | Untold:
    if isinstance(config, Untold):
        return config
    return config[name] == "true" if name in config else Untold(f"their answer has no {name}")


def _number(config: Mapping[str, str] | Untold, name: str) -> int | Untold:
    if isinstance(config, Untold):
        return config
    return int(config[name]) if config.get(name, "").isdecimal() else Untold(f"their answer has no {name}")


def _untold(exception: KafkaException) -> Untold:
    error = kafka_error(exception)
    return Untold(f"{error.str()} ({error.name()})", is_denied=error.code() in _DENIED)
