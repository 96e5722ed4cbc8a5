# SPDX-License-Identifier: Apache-2.0
"""The Kafka cluster: brokers, topics, rights.

Owns the order of the questions: of a cluster that does not answer nothing else is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector import wiring
from connector.checks.findings import Finding, failed, ok
from connector.checks.ledger import ledger_findings
from connector.checks.rights import rights_findings, session_findings
from connector.checks.topics import topic_findings
from connector.kafka.inspection import Untold, inspect
from connector.kafka.ledger_topic import try_creation
from connector.kafka.topics import check_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.kafka.inspection import ClusterFacts
    from connector.kafka.options import KafkaConnection
    from connector.kafka.topics import Problem
    from connector.settings import Settings

_AREA = "brokers"


def kafka_findings(settings: Settings, timeout_seconds: float) -> Iterator[Finding]:
    """Yield what is to be said of the cluster; blocks."""
    through = wiring.connection(settings.kafka)
    problems = check_topics(through, {}, timeout_seconds)
    if problems:
        yield from (failed(_AREA, problem.setting, problem.message) for problem in problems)
        return
    names = (*settings.kafka.topics, settings.sessions.topic, settings.dead_letters.topic, settings.ledger.topic)
    facts = inspect(through, names, settings.kafka.group_id, timeout_seconds)
    if isinstance(facts, Untold):
        yield failed(_AREA, "kafka.bootstrap_servers", facts.why, "Try again.")
        return
    yield ok(_AREA, "kafka.bootstrap_servers", _brokers(settings, facts))
    yield from topic_findings(settings, facts)
    yield from ledger_findings(settings, through, facts, _creation(settings, through, facts))
    yield from rights_findings(settings, facts)
    yield from session_findings(settings, facts)


def _creation(settings: Settings, through: KafkaConnection, facts: ClusterFacts) -> Problem | None:
    """Return why the ledger's topic could not be made by the start, where it is missing and shall be."""
    is_made = settings.ledger.enabled and settings.ledger.create_topic and settings.ledger.topic not in facts.topics
    return try_creation(wiring.ledger_topic_options(settings, through), facts) if is_made else None


def _brokers(settings: Settings, facts: ClusterFacts) -> str:
    how_many = "1 broker" if facts.brokers == 1 else f"{facts.brokers} brokers"
    creates = "; it creates topics that are asked for by name, which this check does not do" * (
        facts.creates_topics is True
    )
    return f"{settings.kafka.bootstrap_servers} answers: {how_many}{creates}"
