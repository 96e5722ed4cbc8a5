# SPDX-License-Identifier: Apache-2.0
"""What the check says of the order ledger's topic."""

from __future__ import annotations

import pytest

from connector.checks.findings import Finding, Grade
from connector.checks.ledger import ledger_findings
from connector.kafka.inspection import ClusterFacts, TopicFacts, Untold
from connector.kafka.options import KafkaConnection
from connector.settings import Settings

_GOOD = {"cleanup.policy": "compact", "min.compaction.lag.ms": "86400000", "max.message.bytes": "2000000"}
_UNTOLD = Untold("not asked")


def _found(
    config: dict[str, str] | Untold | None,
    ledger: dict[str, object] | None = None,
    replicas: int = 3,
) -> list[Finding]:
    settings = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": "broker:9092"},
            "button": {"api_key": "key", "base_url": "https://example.com"},
            "ledger": ledger or {},
        },
    )
    topics = {} if config is None else {settings.ledger.topic: TopicFacts(12, replicas, config, _UNTOLD)}
    facts = ClusterFacts(3, frozenset(topics), topics, _UNTOLD, _UNTOLD, _UNTOLD)
    return [*ledger_findings(settings, KafkaConnection("broker:9092"), facts)]


def test_a_good_topic_is_fine() -> None:
    """Compacted, late enough, and large enough."""
    (finding,) = _found(_GOOD)
    assert (finding.subject, finding.grade) == ("ledger.topic", Grade.OK)


def test_a_missing_topic_is_fine_where_it_is_created() -> None:
    """The check creates nothing; it says who will."""
    (finding,) = _found(None)
    assert finding.grade is Grade.OK
    assert "creates it at its start" in finding.message


def test_a_missing_topic_fails_where_it_is_not_created() -> None:
    """The remedies are named."""
    (finding,) = _found(None, {"create_topic": False})
    assert finding.grade is Grade.FAILED
    assert "ledger.create_topic" in finding.remedy


def test_what_stops_the_start_fails_and_what_does_not_is_a_warning() -> None:
    """As the start itself judges."""
    assert [each.grade for each in _found({**_GOOD, "cleanup.policy": "delete"})] == [Grade.FAILED]
    assert [each.grade for each in _found({**_GOOD, "min.compaction.lag.ms": "0"})] == [Grade.WARNING]


@pytest.mark.parametrize(
    ("replicas", "in_sync", "message", "remedy"),
    [
        (1, "1", "has one replica: what is in it is gone with its broker", "Give it 3 replicas"),
        (3, "1", "min.insync.replicas of 'button-connector-orders' is 1", "Set it to 2."),
        (2, "2", "one broker down stops writing", "Set it to 1."),
    ],
)
def test_a_ledger_that_a_broker_s_end_would_cost_is_warned_of(
    replicas: int,
    in_sync: str,
    message: str,
    remedy: str,
) -> None:
    """Made by the brokers' defaults it may have one replica; what it holds is nowhere else."""
    findings = _found({**_GOOD, "min.insync.replicas": in_sync}, replicas=replicas)
    (durability,) = [each for each in findings if each.grade is not Grade.OK]
    assert (durability.subject, durability.grade) == ("ledger.topic", Grade.WARNING)
    assert message in durability.message
    assert remedy in durability.remedy


def test_a_ledger_in_as_many_copies_as_are_advised_is_fine() -> None:
    """Three, of which two have to have what is written."""
    assert [each.grade for each in _found({**_GOOD, "min.insync.replicas": "2"})] == [Grade.OK]


def test_how_the_topic_is_kept_is_unknown_where_nobody_says() -> None:
    """As for every topic; how many replicas it has is told all the same."""
    findings = _found(Untold("Broker: Topic authorization failed", is_denied=True), replicas=1)
    assert [(each.subject, each.grade) for each in findings] == [
        ("ledger.topic", Grade.WARNING),
        ("ledger.topic", Grade.UNKNOWN),
    ]
    assert "DESCRIBE_CONFIGS" in findings[1].remedy


def test_without_a_ledger_its_topic_is_nobodys_business() -> None:
    """Nothing is said of it."""
    assert _found(None, {"enabled": False}) == []
