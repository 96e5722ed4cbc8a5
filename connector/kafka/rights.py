# SPDX-License-Identifier: Apache-2.0
"""Whether the connector's user may do what the connector has to, and what the brokers have decided for its group.

Owns the questions to the brokers and what their answers mean. A question that the brokers do not answer, because they
are too old or do not allow it, is not held against anybody: what is missing then shows at work. Changes nothing.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ConfigResource as Resource  # type: ignore[attr-defined]  # the stubs export it not
from confluent_kafka.admin import ResourceType as Type  # type: ignore[attr-defined]  # as above

from connector.engine.lease import longest_heartbeat_ms
from connector.kafka.failures import kafka_error
from connector.kafka.inspection import Untold
from connector.kafka.topics import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from connector.kafka.inspection import TopicFacts
    from connector.kafka.options import SourceOptions

_ANSWER_SECONDS = 5.0
_LIST_SECONDS = 5.0
_SESSION, _HEARTBEAT = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"


class Use(NamedTuple):
    """Topics, the setting that names them, and the operation that is needed: ``READ`` or ``WRITE``."""

    setting: str
    topics: tuple[str, ...]
    operation: str


def check_rights(source: SourceOptions, uses: Sequence[Use]) -> list[Problem]:
    """Return what the connector's user may not do, and what the brokers have set otherwise; blocks, for seconds."""
    client = AdminClient({**source.connection.config()})
    if not _answers_admins(client):
        return []
    problems = [*_topics(client, uses), *_group(client, source.group_id)]
    return problems or list(_session(client, source))


def missing_rights(uses: Sequence[Use], topics: Mapping[str, TopicFacts]) -> Iterator[Problem]:
    """Yield what the connector's user may not do with topics that were looked at and are there; pure."""
    for use in uses:
        for topic in use.topics:
            held = topics[topic].operations
            is_denied = held.is_denied if isinstance(held, Untold) else use.operation not in held
            if is_denied:
                yield _refused(use, topic)


def _answers_admins(client: AdminClient) -> bool:
    """Return whether there is a broker that the questions below go to; a stand-in for Kafka may have none."""
    try:
        return client.list_topics(timeout=_LIST_SECONDS).controller_id >= 0
    except KafkaException:
        return False


def _topics(client: AdminClient, uses: Sequence[Use]) -> Iterator[Problem]:
    names = [topic for use in uses for topic in use.topics]
    options = {"include_authorized_operations": True, "request_timeout": _ANSWER_SECONDS}
    answers = client.describe_topics(TopicCollection(names), **options)
    for use in uses:
        for topic in use.topics:
            if _is_denied(answers[topic], use.operation, KafkaError.TOPIC_AUTHORIZATION_FAILED):
                yield _refused(use, topic)


def _refused(use: Use, topic: str) -> Problem:
    message = f"the connector's user may not {use.operation} topic {topic!r}. Allow it."
    return Problem(use.setting, message, may_pass=False)


def _group(client: AdminClient, group_id: str) -> Iterator[Problem]:
    options = {"include_authorized_operations": True, "request_timeout": _ANSWER_SECONDS}
    answer = client.describe_consumer_groups([group_id], **options)[group_id]
    if _is_denied(answer, "READ", KafkaError.GROUP_AUTHORIZATION_FAILED):
        message = f"the connector's user may not READ group {group_id!r}. Allow it, or choose another group."
        yield Problem("kafka.group_id", message, may_pass=False)


def _is_denied(answer: Future[Any], operation: str, refusal: int) -> bool:
    try:
        allowed = answer.result().authorized_operations
    except KafkaException as exception:
        return kafka_error(exception).code() == refusal
    # Brokers that do not say give an empty list: who may do nothing at all is refused an answer.
    return bool(allowed) and operation not in {each.name for each in allowed}


def _session(client: AdminClient, source: SourceOptions) -> Iterator[Problem]:
    """Compare the session that we reckon with to the brokers' times, which count under the consumer protocol."""
    if source.group_protocol != "consumer":
        return
    resource = Resource(Type.GROUP, source.group_id)
    answer = client.describe_configs([resource], request_timeout=_ANSWER_SECONDS)[resource]
    with suppress(KafkaException, KeyError, ValueError, TypeError):
        brokers_ms = int(answer.result()[_SESSION].value)
        if brokers_ms < source.session_timeout_ms:
            yield Problem(
                "kafka.session_timeout_ms",
                f"{source.session_timeout_ms} ms is more than the brokers give a member of group {source.group_id!r} "
                f"({_SESSION} is {brokers_ms} ms): a call could reach Button after another member has taken over its "
                f"order. Set it to {brokers_ms}, or raise {_SESSION} of the group.",
                may_pass=False,
            )
            return
        brokers_heartbeat_ms = int(answer.result()[_HEARTBEAT].value)
        longest_ms = longest_heartbeat_ms(source.session_timeout_ms, brokers_ms)
        if brokers_heartbeat_ms > longest_ms:
            yield Problem(
                "kafka.session_timeout_ms",
                f"members of group {source.group_id!r} show themselves every {brokers_heartbeat_ms} ms ({_HEARTBEAT}), "
                f"too seldom for a session of {source.session_timeout_ms} ms: a call could reach Button after another "
                f"member has taken over its order. Set {_HEARTBEAT} of the group to {longest_ms} or less.",
                may_pass=False,
            )
