# SPDX-License-Identifier: Apache-2.0
"""What the start says of the ledger's topic, by what the cluster says of it."""

from __future__ import annotations

import pytest

from connector.kafka.inspection import ClusterFacts, TopicFacts, Untold
from connector.kafka.ledger_topic import LedgerTopicOptions, problems_at_start
from connector.kafka.options import KafkaConnection

_OPTIONS = LedgerTopicOptions(
    connection=KafkaConnection("broker:9092"),
    topic="orders",
    group_id="connector",
    is_created=True,
    partitions=12,
    replication_factor=None,
    horizon_days=120.0,
    sources=("events",),
    dead_letters="letters",
)
_CONFIG = {"cleanup.policy": "compact", "min.compaction.lag.ms": "86400000", "max.message.bytes": "2000000"}
_BOTH = ["the connector's user may not READ topic 'orders'", "the connector's user may not WRITE topic 'orders'"]


def _said(held: frozenset[str] | Untold, config: dict[str, str] | None = None) -> list[tuple[str, str, bool]]:
    topics = {"orders": TopicFacts(12, 3, _CONFIG if config is None else config, held)}
    untold = Untold("not asked")
    facts = ClusterFacts(3, frozenset(topics), topics, untold, untold, untold)
    found = problems_at_start(_OPTIONS, facts)
    return [(problem.setting, problem.message, problem.may_pass) for problem in found]


@pytest.mark.parametrize(
    ("held", "messages"),
    [
        ({"READ", "WRITE", "DESCRIBE"}, []),
        ({"READ", "DESCRIBE"}, _BOTH[1:]),
        ({"WRITE", "DESCRIBE"}, _BOTH[:1]),
        ({"DESCRIBE"}, _BOTH),
    ],
)
def test_a_right_on_the_ledger_that_is_missing_stops_the_start(held: set[str], messages: list[str]) -> None:
    """Without one, what was told could not be read, or would be written again and again for ever."""
    assert _said(frozenset(held)) == [("ledger.topic", f"{message}. Allow it.", False) for message in messages]


def test_who_may_not_even_ask_has_neither_right() -> None:
    """The brokers answer with a refusal."""
    said = _said(Untold("Broker: Topic authorization failed (TOPIC_AUTHORIZATION_FAILED)", is_denied=True))
    assert [message for _, message, _ in said] == [f"{message}. Allow it." for message in _BOTH]


def test_brokers_that_do_not_tell_rights_stop_no_start() -> None:
    """Old ones do not, nor does a stand-in."""
    assert _said(Untold("the brokers do not tell it")) == []


def test_how_the_topic_is_kept_is_said_beside_the_rights() -> None:
    """All that is wrong at once, so that it is mended at once."""
    said = _said(frozenset({"READ"}), {**_CONFIG, "cleanup.policy": "delete"})
    assert len(said) == 2
    assert "may not WRITE" in said[0][1]
    assert "is not compacted" in said[1][1]
