# SPDX-License-Identifier: Apache-2.0
"""The order ledger's topic, judged from what the cluster says of it.

Owns which of its problems stop a start. Pure: asks nobody, and creates nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector import wiring
from connector.checks.findings import Finding, failed, ok, warning
from connector.checks.topics import durability_findings, unknown_policy
from connector.kafka.inspection import Untold
from connector.kafka.ledger_topic import ledger_topic_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.kafka.inspection import ClusterFacts
    from connector.kafka.options import KafkaConnection
    from connector.kafka.topics import Problem
    from connector.settings import Settings

_AREA, _SETTING = "topics", "ledger.topic"


def ledger_findings(
    settings: Settings,
    through: KafkaConnection,
    facts: ClusterFacts,
    creation: Problem | None = None,
) -> Iterator[Finding]:
    """Yield what is to be said of the ledger's topic; whose it is shows at the start.

    ``creation`` is why a missing one could not be made.
    """
    ledger = settings.ledger
    if not ledger.enabled:
        return
    topic = facts.topics.get(ledger.topic)
    if topic is None and creation is not None:
        yield failed(_AREA, creation.setting, creation.message)
        return
    if topic is None and ledger.create_topic:
        yield ok(_AREA, _SETTING, f"{ledger.topic!r} does not exist; the connector creates it at its start")
        return
    if topic is None:
        message = f"topic {ledger.topic!r} does not exist, or the connector's user may not DESCRIBE it"
        yield failed(_AREA, _SETTING, message, "Create it, set ledger.create_topic, correct the name, or allow it.")
        return
    yield from durability_findings(_SETTING, ledger.topic, topic)
    if isinstance(topic.config, Untold):
        yield unknown_policy(_SETTING, ledger.topic, topic.config)
        return
    problems = [*ledger_topic_problems(wiring.ledger_topic_options(settings, through), facts)]
    for problem in problems:
        yield (warning if problem.may_pass else failed)(_AREA, problem.setting, problem.message, "")
    if not problems:
        yield ok(_AREA, _SETTING, f"{ledger.topic!r} exists, and is as it has to be")
