# SPDX-License-Identifier: Apache-2.0
"""How topics are judged by what the cluster says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.checks.findings import Finding, Grade
from connector.checks.topics import topic_findings
from connector.kafka.inspection import ClusterFacts, TopicFacts, Untold
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL = frozenset({"READ", "WRITE", "DESCRIBE"})
EVENTS = TopicFacts(6, 3, {"cleanup.policy": "delete", "max.message.bytes": "1000", "min.insync.replicas": "2"}, ALL)
SESSIONS = EVENTS._replace(
    config={"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000", "min.insync.replicas": "2"},
)
LETTERS = EVENTS._replace(
    config={
        "cleanup.policy": "delete",
        "max.message.bytes": "1000",
        "min.insync.replicas": "2",
        "retention.ms": "604800000",
    },
)
SOUND = {"commerce-events": EVENTS, "session-attribution": SESSIONS, "button-connector-dead-letters": LETTERS}
REQUIRED = {"BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS": "a:1", "BUTTON_CONNECTOR__BUTTON__API_KEY": "sk-x"}


def judged(topics: Mapping[str, TopicFacts], **settings: str) -> list[Finding]:
    """Return what is not well."""
    given = {f"BUTTON_CONNECTOR__{name.upper()}": value for name, value in settings.items()}
    facts = ClusterFacts(3, frozenset(topics), topics, ALL, creates_topics=False, group_session_timeout_ms=45_000)
    found = topic_findings(load(None, REQUIRED | given), facts)
    return [finding for finding in found if finding.grade is not Grade.OK]


def with_config(facts: TopicFacts, **config: str) -> TopicFacts:
    """Return a topic with other settings; an underscore stands for a dot."""
    assert not isinstance(facts.config, Untold)
    return facts._replace(config={**facts.config, **{name.replace("_", "."): value for name, value in config.items()}})


def test_nothing_is_said_against_sound_topics() -> None:
    """Or nobody would look at what is said."""
    assert judged(SOUND) == []


def test_a_topic_that_is_not_there_is_named_with_what_may_have_been_meant() -> None:
    """A typing mistake is the commonest cause."""
    (finding,) = judged(SOUND, kafka__topics="comerce-events")
    assert (finding.grade, finding.subject) == (Grade.FAILED, "kafka.topics")
    assert finding.message.startswith("topic 'comerce-events' does not exist")
    assert finding.remedy.endswith("Did you mean 'commerce-events'?")


@pytest.mark.parametrize(
    ("name", "facts", "grade", "message", "remedy"),
    [
        (
            "session-attribution",
            with_config(SESSIONS, cleanup_policy="delete"),
            Grade.FAILED,
            "is not compacted (cleanup.policy is delete): tokens are deleted by age",
            "Set its cleanup.policy to compact, or name another topic.",
        ),
        (
            "session-attribution",
            with_config(SESSIONS, cleanup_policy="compact,delete", retention_ms="1000"),
            Grade.WARNING,
            "deletes by age as well, after 1000 ms",
            "Set its cleanup.policy to compact alone.",
        ),
        (
            "session-attribution",
            with_config(SESSIONS, min_compaction_lag_ms="0"),
            Grade.WARNING,
            "a token may be replaced before the purchase it led to is read",
            "Set min.compaction.lag.ms to the greatest lag",
        ),
        (
            "session-attribution",
            SESSIONS._replace(config=Untold("not allowed", is_denied=True)),
            Grade.FAILED,
            "the brokers do not say how 'session-attribution' is kept: not allowed",
            "Allow the connector's user DESCRIBE_CONFIGS on it, or set sessions.compaction_unknown to warn.",
        ),
        (
            "commerce-events",
            EVENTS._replace(config=Untold("not allowed", is_denied=True)),
            Grade.UNKNOWN,
            "the brokers do not say how 'commerce-events' is kept: not allowed",
            "Allow the connector's user DESCRIBE_CONFIGS on the topic to have it checked.",
        ),
        (
            "button-connector-dead-letters",
            with_config(LETTERS, cleanup_policy="compact"),
            Grade.FAILED,
            "of the dead letters of one key only the newest would stay",
            "Set its cleanup.policy to delete.",
        ),
        (
            "button-connector-dead-letters",
            with_config(LETTERS, retention_ms="3600000"),
            Grade.WARNING,
            "keeps dead letters for 1 hours only",
            "Set its retention.ms to a week or more, or to -1.",
        ),
        (
            "button-connector-dead-letters",
            with_config(LETTERS, max_message_bytes="999"),
            Grade.WARNING,
            "is 999, of 'commerce-events' 1000: a larger record is written as a reference",
            "Raise max.message.bytes of the dead letters' topic to 1000.",
        ),
        (
            "commerce-events",
            with_config(EVENTS, cleanup_policy="compact"),
            Grade.WARNING,
            "an event that is not delivered yet may be replaced by a later one",
            "Set its cleanup.policy to delete.",
        ),
        (
            "commerce-events",
            EVENTS._replace(replicas=1),
            Grade.WARNING,
            "has one replica: what is in it is gone with its broker",
            "Give it 3 replicas",
        ),
        (
            "commerce-events",
            with_config(EVENTS, min_insync_replicas="3"),
            Grade.WARNING,
            "is 3 of 3 replicas: one broker down stops writing",
            "Set it to 2.",
        ),
        (
            "button-connector-dead-letters",
            with_config(LETTERS, min_insync_replicas="1"),
            Grade.WARNING,
            "what one broker alone acknowledged may be lost with it",
            "Set it to 2.",
        ),
    ],
)
def test_what_is_not_as_it_must_be_says_why_and_what_to_do(
    name: str,
    facts: TopicFacts,
    grade: Grade,
    message: str,
    remedy: str,
) -> None:
    """One rule each, and no other is set off by it."""
    (finding,) = judged({**SOUND, name: facts})
    assert finding.grade is grade
    assert message in finding.message
    assert finding.remedy.startswith(remedy)


def test_compaction_that_nobody_tells_may_be_tolerated() -> None:
    """By the setting by which a start tolerates it."""
    untold = SESSIONS._replace(config=Untold("no answer"))
    (finding,) = judged({**SOUND, "session-attribution": untold}, sessions__compaction_unknown="warn")
    assert finding.grade is Grade.UNKNOWN
