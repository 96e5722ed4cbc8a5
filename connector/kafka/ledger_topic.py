# SPDX-License-Identifier: Apache-2.0
"""The order ledger's topic: made where it is missing, and checked where it is there.

Owns how the topic has to be, and that it may be read and written. Facts must never be deleted by age; a superseded one
must stay for as long as a replica may lag behind, because its call was made; the largest fact (a refund that waits
keeps its whole record) must fit; and an order must be known for at least as long as one of its events can still come.
Blocks; call it before the start.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connector.kafka.failures import kafka_error
from connector.kafka.inspection import ClusterFacts, Untold, inspect
from connector.kafka.rights import Use, missing_rights
from connector.kafka.topics import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector.kafka.inspection import TopicFacts
    from connector.kafka.options import KafkaConnection

_SETTING = "ledger.topic"
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_KAFKAS_SIZE = 1_048_588
"""Of a topic whose ``max.message.bytes`` may not be read."""
_REQUEST_SECONDS = 10.0
_ASK_AGAIN_SECONDS = 0.2
_POLICY, _SIZE, _LAG, _RETENTION = "cleanup.policy", "max.message.bytes", "min.compaction.lag.ms", "retention.ms"


@dataclass(frozen=True, slots=True)
class LedgerTopicOptions:
    """How the topic is made, and what it is compared with: the events' topics and that of the dead letters."""

    connection: KafkaConnection
    topic: str
    group_id: str
    is_created: bool
    partitions: int
    replication_factor: int | None
    horizon_days: float
    sources: tuple[str, ...]
    dead_letters: str
    hand_over_from: str | None = None


class LedgerTopic(NamedTuple):
    """The topic as it is; with problems that cannot pass the start is off."""

    partitions: int
    problems: tuple[Problem, ...] = ()


def open_ledger_topic(options: LedgerTopicOptions, timeout_seconds: float = 2.0) -> LedgerTopic:
    """Make the topic if it is missing and may be made, and return how it is."""
    facts = _ask(options, timeout_seconds)
    if isinstance(facts, ClusterFacts) and options.topic not in facts.topics:
        missing = _create(options, facts) if options.is_created else _missing(options)
        if missing is not None:
            return LedgerTopic(0, (missing,))
        facts = _ask_until_there(options, timeout_seconds)
    if isinstance(facts, Untold):
        problem = Problem("kafka.bootstrap_servers", f"the cluster does not answer: {facts.why}", may_pass=True)
        return LedgerTopic(0, (problem,))
    if options.topic not in facts.topics:
        return LedgerTopic(0, (_missing(options),))
    problems = (*problems_at_start(options, facts), *_former_group(options))
    return LedgerTopic(facts.topics[options.topic].partitions, problems)


def try_creation(options: LedgerTopicOptions, facts: ClusterFacts) -> Problem | None:
    """Return why the topic could not be made; nothing is made by it."""
    return _create(options, facts, is_only_tried=True)


def problems_at_start(options: LedgerTopicOptions, facts: ClusterFacts) -> Iterator[Problem]:
    """Yield which rights are missing on a topic that is there, and what is wrong with it; pure."""
    uses = (Use(_SETTING, (options.topic,), "READ"), Use(_SETTING, (options.topic,), "WRITE"))
    yield from missing_rights(uses, facts.topics)
    yield from ledger_topic_problems(options, facts)


def ledger_topic_problems(options: LedgerTopicOptions, facts: ClusterFacts) -> Iterator[Problem]:
    """Yield what is wrong with how a topic that is there is kept; pure."""
    topic = facts.topics[options.topic]
    if isinstance(topic.config, Untold):
        yield Problem(
            _SETTING,
            f"the brokers do not say how topic {options.topic!r} is kept: {topic.config.why}. Allow the connector's "
            "user DESCRIBE_CONFIGS on it; until then see yourself that it is compacted, and not deleted by age.",
            may_pass=True,
        )
        return
    yield from _policy(options, topic.config)
    yield from _size(options, topic.config, facts.topics)
    yield from _horizon(options, facts.topics)


def _policy(options: LedgerTopicOptions, config: Mapping[str, str]) -> Iterator[Problem]:
    policy = config.get(_POLICY, "")
    if set(policy.split(",")) != {"compact"}:
        what = "is not compacted" if "compact" not in policy else "deletes by age besides being compacted"
        yield Problem(
            _SETTING,
            f"topic {options.topic!r} {what} ({_POLICY} is {policy}): orders would be forgotten, and told anew. "
            f"Set its {_POLICY} to compact alone.",
            may_pass=False,
        )
    if int(config.get(_LAG, "0")) < _HOUR_MS:
        yield Problem(
            _SETTING,
            f"{_LAG} of topic {options.topic!r} is {config.get(_LAG, '0')}: what was written again may vanish before "
            f"every replica has read it. Set it to {_DAY_MS} (a day).",
            may_pass=True,
        )


def _size(
    options: LedgerTopicOptions,
    config: Mapping[str, str],
    topics: Mapping[str, TopicFacts],
) -> Iterator[Problem]:
    needed, ours = _needed_bytes(options, topics), int(config.get(_SIZE, _KAFKAS_SIZE))
    if ours < needed:
        yield Problem(
            _SETTING,
            f"{_SIZE} of topic {options.topic!r} is {ours}: a refund that waits for its purchase keeps its record, "
            f"which may need {needed} bytes. Raise it to {needed}.",
            may_pass=False,
        )


def _needed_bytes(options: LedgerTopicOptions, topics: Mapping[str, TopicFacts]) -> int:
    """Return how large a fact may get: a record as base64, and room for the rest."""
    sizes = [_number(topics.get(name), _SIZE) or _KAFKAS_SIZE for name in options.sources]
    return math.ceil(max(sizes, default=_KAFKAS_SIZE) * 1.5)


def _horizon(options: LedgerTopicOptions, topics: Mapping[str, TopicFacts]) -> Iterator[Problem]:
    letters_ms = _number(topics.get(options.dead_letters), _RETENTION)
    for name in options.sources:
        source_ms = _number(topics.get(name), _RETENTION)
        if source_ms is None or letters_ms is None:
            continue
        if source_ms < 0 or letters_ms < 0:
            endless = name if source_ms < 0 else options.dead_letters
            yield Problem(
                "ledger.horizon_days",
                f"topic {endless!r} keeps its records for ever, the ledger its orders for {options.horizon_days:g} "
                "days: an event that comes later than that is a dead letter (too_old).",
                may_pass=True,
            )
        elif source_ms + letters_ms > options.horizon_days * _DAY_MS:
            days = (source_ms + letters_ms) / _DAY_MS
            yield Problem(
                "ledger.horizon_days",
                f"{options.horizon_days:g} days are less than topic {name!r} and the dead letters keep a record for, "
                f"{days:.3g} days together: a replayed event could meet an order that is forgotten. "
                f"Raise it to {math.ceil(days)}, or lower {_RETENTION} of one of them.",
                may_pass=False,
            )


def _number(topic: TopicFacts | None, name: str) -> int | None:
    if topic is None or isinstance(topic.config, Untold) or name not in topic.config:
        return None
    return int(topic.config[name])


def _former_group(options: LedgerTopicOptions) -> Iterator[Problem]:
    """Yield that the group which hands the ledger over has members still."""
    group = options.hand_over_from
    if group is None or group == options.group_id:
        return
    client = AdminClient({**options.connection.config()})
    try:
        members = client.describe_consumer_groups([group], request_timeout=_REQUEST_SECONDS)[group].result().members
    except KafkaException as exception:
        error = kafka_error(exception)
        if error.code() != KafkaError.GROUP_ID_NOT_FOUND:
            what = f"whether group {group!r} has members is not known: {error.str()} ({error.name()}). "
            yield Problem("ledger.hand_over_from", f"{what}Allow the connector's user DESCRIBE on it.", may_pass=False)
        return
    if members:
        yield Problem(
            "ledger.hand_over_from",
            f"group {group!r} has {len(members)} member(s) still, which use the ledger. Stop them first.",
            may_pass=False,
        )


def _missing(options: LedgerTopicOptions) -> Problem:
    return Problem(
        _SETTING,
        f"topic {options.topic!r} does not exist, or the connector's user may not DESCRIBE it. Create it "
        f"({_POLICY}=compact, {_LAG}={_DAY_MS}, {options.partitions} partitions), set ledger.create_topic, correct the "
        "name, or allow it.",
        may_pass=False,
    )


def _create(options: LedgerTopicOptions, facts: ClusterFacts, *, is_only_tried: bool = False) -> Problem | None:
    config = {
        _POLICY: "compact",
        _LAG: str(_DAY_MS),
        "delete.retention.ms": str(7 * _DAY_MS),
        _SIZE: str(max(_KAFKAS_SIZE, _needed_bytes(options, facts.topics))),
        "message.timestamp.type": "CreateTime",
    }
    replicas = -1 if options.replication_factor is None else options.replication_factor
    new = NewTopic(options.topic, options.partitions, replicas, config=config)
    client = AdminClient({**options.connection.config()})
    how: dict[str, Any] = {"operation_timeout": _REQUEST_SECONDS, "validate_only": is_only_tried}
    try:
        client.create_topics([new], **how)[options.topic].result(_REQUEST_SECONDS * 2)
    except KafkaException as exception:
        error = kafka_error(exception)
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return None  # Another replica was quicker.
        return Problem(
            "ledger.create_topic",
            f"topic {options.topic!r} cannot be created: {error.str()} ({error.name()}). Allow the connector's user "
            "CREATE on it, correct ledger.replication_factor, or create it by hand.",
            may_pass=False,
        )
    return None


def _ask_until_there(options: LedgerTopicOptions, timeout_seconds: float) -> ClusterFacts | Untold:
    """Ask until the brokers have told one another of a topic that was just made."""
    deadline = time.monotonic() + _REQUEST_SECONDS
    while True:
        facts = _ask(options, timeout_seconds)
        is_there = isinstance(facts, ClusterFacts) and options.topic in facts.topics
        if is_there or time.monotonic() >= deadline:
            return facts
        time.sleep(_ASK_AGAIN_SECONDS)


def _ask(options: LedgerTopicOptions, timeout_seconds: float) -> ClusterFacts | Untold:
    names = (options.topic, *options.sources, options.dead_letters)
    return inspect(options.connection, names, options.group_id, timeout_seconds)
