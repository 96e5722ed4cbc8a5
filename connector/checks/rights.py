# SPDX-License-Identifier: Apache-2.0
"""Whether the connector's user may do what the connector does, judged from what the cluster says.

Owns which rights are needed for what. Pure: asks nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.checks.findings import Finding, failed, ok, unknown
from connector.kafka.inspection import Untold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.kafka.inspection import ClusterFacts
    from connector.settings import Settings

_AREA = "rights"
_LEDGER_RIGHTS = ("READ", "WRITE")
_SESSION = "consumer.session.timeout.ms"


def rights_findings(settings: Settings, facts: ClusterFacts) -> Iterator[Finding]:
    """Yield what is to be said of the rights that are needed; of topics that are not there nothing."""
    needs = [
        *(("kafka.topics", topic, "READ") for topic in settings.kafka.topics),
        ("sessions.topic", settings.sessions.topic, "READ"),
        ("dead_letters.topic", settings.dead_letters.topic, "WRITE"),
        *(("ledger.topic", settings.ledger.topic, right) for right in _LEDGER_RIGHTS if settings.ledger.enabled),
    ]
    for setting, topic, operation in needs:
        if topic in facts.topics:
            yield _judged(setting, f"topic {topic!r}", operation, facts.topics[topic].operations)
    yield _judged("kafka.group_id", f"group {settings.kafka.group_id!r}", "READ", facts.group_operations)


def session_findings(settings: Settings, facts: ClusterFacts) -> Iterator[Finding]:
    """Yield whether the session timeout that is reckoned with is what the brokers give, where they decide it."""
    if settings.kafka.group_protocol != "consumer":
        return
    setting, ours, brokers = (
        "kafka.session_timeout_ms",
        settings.kafka.session_timeout_ms,
        facts.group_session_timeout_ms,
    )
    if isinstance(brokers, Untold):
        remedy = f"Allow the connector's user DESCRIBE_CONFIGS on the group, or compare it with {_SESSION} yourself."
        yield unknown(_AREA, setting, f"the brokers do not say what session they give: {brokers.why}", remedy)
    elif brokers < ours:
        message = f"{ours} ms is more than the brokers give ({_SESSION} is {brokers} ms)"
        yield failed(_AREA, setting, message, f"Set it to {brokers}, or raise {_SESSION} of the group.")
    else:
        yield ok(_AREA, setting, f"{ours} ms, and the brokers give {brokers} ms")


def _judged(setting: str, what: str, operation: str, held: frozenset[str] | Untold) -> Finding:
    remedy = f"Allow the connector's user {operation} on {what}."
    if isinstance(held, Untold):
        if held.is_denied:
            return failed(_AREA, setting, f"the connector's user may do nothing with {what}: {held.why}", remedy)
        message = f"whether the connector's user may {operation} {what} is not known: {held.why}"
        return unknown(_AREA, setting, message, "What is missing shows at work; the message names it then.")
    if operation not in held:
        return failed(_AREA, setting, f"the connector's user may not {operation} {what}", remedy)
    return ok(_AREA, setting, f"may {operation} {what}")
