# SPDX-License-Identifier: Apache-2.0
"""Whether the topics are as they must be, judged from what the cluster says of them.

Owns what each topic needs by what it is for. Pure: asks nobody.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from connector.checks.findings import Finding, failed, ok, unknown, warning
from connector.kafka.inspection import Untold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector.kafka.inspection import ClusterFacts, TopicFacts
    from connector.settings import Settings

_AREA = "topics"
_POLICY, _SIZE, _LAG = "cleanup.policy", "max.message.bytes", "min.compaction.lag.ms"
_RETENTION, _IN_SYNC = "retention.ms", "min.insync.replicas"
_WEEK_MS = 7 * 24 * 3600 * 1000
_ALLOW_CONFIGS = "Allow the connector's user DESCRIBE_CONFIGS on the topic to have it checked."


class _Use(NamedTuple):
    """A topic, the setting that names it, and what it is for."""

    setting: str
    topic: str
    purpose: str


def topic_findings(settings: Settings, facts: ClusterFacts) -> Iterator[Finding]:
    """Yield what is to be said of every topic that the settings name."""
    uses = [
        *(_Use("kafka.topics", topic, "events") for topic in settings.kafka.topics),
        _Use("sessions.topic", settings.sessions.topic, "sessions"),
        _Use("dead_letters.topic", settings.dead_letters.topic, "dead letters"),
    ]
    for use in uses:
        topic = facts.topics.get(use.topic)
        if topic is None:
            message = f"topic {use.topic!r} does not exist, or the connector's user may not DESCRIBE it"
            near = difflib.get_close_matches(use.topic, facts.names, 1, 0.75)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            yield failed(_AREA, use.setting, message, f"Create it, correct the name, or allow it.{meant}")
        else:
            yield ok(_AREA, use.setting, f"{use.topic!r} exists: {_count(topic.partitions, 'partition')}")
            yield from _about(use, topic, settings)
    yield from _sizes(settings, facts.topics)


def _about(use: _Use, topic: TopicFacts, settings: Settings) -> Iterator[Finding]:
    yield from durability_findings(use.setting, use.topic, topic)
    config = topic.config
    if isinstance(config, Untold):
        yield _untold_policy(use, config, settings)
        return
    match use.purpose:
        case "sessions":
            yield from _sessions(use, config)
        case "dead letters":
            yield from _dead_letters(use, config)
        case _:
            yield from _events(use, config)


def _untold_policy(use: _Use, untold: Untold, settings: Settings) -> Finding:
    finding = unknown_policy(use.setting, use.topic, untold)
    if use.purpose == "sessions" and settings.sessions.compaction_unknown == "refuse":
        remedy = "Allow the connector's user DESCRIBE_CONFIGS on it, or set sessions.compaction_unknown to warn."
        return failed(_AREA, use.setting, finding.message, remedy)
    return finding


def unknown_policy(setting: str, name: str, untold: Untold) -> Finding:
    """Return that nobody says how a topic is kept."""
    return unknown(_AREA, setting, f"the brokers do not say how {name!r} is kept: {untold.why}", _ALLOW_CONFIGS)


def durability_findings(setting: str, name: str, topic: TopicFacts) -> Iterator[Finding]:
    """Yield what is to be said against how many copies there are of what is in a topic."""
    if topic.replicas == 1:
        message = f"{name!r} has one replica: what is in it is gone with its broker"
        yield warning(_AREA, setting, message, "Give it 3 replicas, and min.insync.replicas of 2.")
        return
    in_sync = 0 if isinstance(topic.config, Untold) else int(topic.config.get(_IN_SYNC, "0"))
    if in_sync >= topic.replicas:
        message = f"{_IN_SYNC} of {name!r} is {in_sync} of {topic.replicas} replicas: one broker down stops writing"
        yield warning(_AREA, setting, message, f"Set it to {topic.replicas - 1}.")
    elif in_sync == 1:
        message = f"{_IN_SYNC} of {name!r} is 1: what one broker alone acknowledged may be lost with it"
        yield warning(_AREA, setting, message, "Set it to 2.")


def _sessions(use: _Use, config: Mapping[str, str]) -> Iterator[Finding]:
    policies = config.get(_POLICY, "").split(",")
    if "compact" not in policies:
        message = f"{use.topic!r} is not compacted ({_POLICY} is {config.get(_POLICY)}): tokens are deleted by age"
        yield failed(_AREA, use.setting, message, f"Set its {_POLICY} to compact, or name another topic.")
        return
    yield ok(_AREA, use.setting, f"{use.topic!r} is compacted")
    if "delete" in policies:
        message = f"{use.topic!r} is compacted, but deletes by age as well, after {config.get(_RETENTION)} ms"
        yield warning(_AREA, use.setting, message, f"Set its {_POLICY} to compact alone.")
    if int(config.get(_LAG, "0")) == 0:
        message = f"{_LAG} of {use.topic!r} is 0: a token may be replaced before the purchase it led to is read"
        remedy = f"Set {_LAG} to the greatest lag that you expect, for example 86400000 (a day)."
        yield warning(_AREA, use.setting, message, remedy)


def _dead_letters(use: _Use, config: Mapping[str, str]) -> Iterator[Finding]:
    if "compact" in config.get(_POLICY, "").split(","):
        message = f"{use.topic!r} is compacted: of the dead letters of one key only the newest would stay"
        yield failed(_AREA, use.setting, message, f"Set its {_POLICY} to delete.")
    retention_ms = int(config.get(_RETENTION, "-1"))
    if 0 <= retention_ms < _WEEK_MS:
        message = f"{use.topic!r} keeps dead letters for {retention_ms / 3_600_000:.3g} hours only"
        yield warning(_AREA, use.setting, message, f"Set its {_RETENTION} to a week or more, or to -1.")


def _events(use: _Use, config: Mapping[str, str]) -> Iterator[Finding]:
    if "compact" in config.get(_POLICY, "").split(","):
        message = f"{use.topic!r} is compacted: an event that is not delivered yet may be replaced by a later one"
        yield warning(_AREA, use.setting, message, f"Set its {_POLICY} to delete.")


def _sizes(settings: Settings, topics: Mapping[str, TopicFacts]) -> Iterator[Finding]:
    letters = _size(topics.get(settings.dead_letters.topic))
    sources = {topic: _size(topics.get(topic)) for topic in settings.kafka.topics}
    known = {topic: size for topic, size in sources.items() if size is not None}
    if letters is None or not known:
        return
    topic, largest = max(known.items(), key=lambda item: item[1])
    message = f"{_SIZE} of the dead letters' topic is {letters}, of {topic!r} {largest}"
    if letters < largest:
        message += ": a larger record is written as a reference (size and SHA-256), without its value"
        yield warning(_AREA, "dead_letters.topic", message, f"Raise {_SIZE} of the dead letters' topic to {largest}.")
    else:
        yield ok(_AREA, "dead_letters.topic", message)


def _size(topic: TopicFacts | None) -> int | None:
    if topic is None or isinstance(topic.config, Untold) or _SIZE not in topic.config:
        return None
    return int(topic.config[_SIZE])


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
