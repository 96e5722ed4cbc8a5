# SPDX-License-Identifier: Apache-2.0
"""What may be passed through to the client, and what may not."""

from __future__ import annotations

from typing import Literal

import pytest

from connector.kafka.options import DeadLetterOptions, FollowerOptions, KafkaConnection, SourceOptions

PASSED = KafkaConnection(
    "broker:9092",
    {
        "enable.auto.commit": "true",
        "enable.auto.offset.store": "true",
        "auto.offset.reset": "latest",
        "partition.assignment.strategy": "range",
        "enable.idempotence": "false",
        "acks": "1",
        "message.timeout.ms": "1000",
        "queued.min.messages": "7",
        "linger.ms": "50",
        "security.protocol": "SSL",
    },
)


def test_nothing_that_is_passed_through_overrides_a_promise_of_the_source() -> None:
    """Auto-commit and silent resets would lose records [2, 36, 65]."""
    config = SourceOptions(PASSED, "group", ("orders",)).config()
    assert config["enable.auto.commit"] is False
    assert config["enable.auto.offset.store"] is False
    assert config["auto.offset.reset"] == "error"
    assert config["partition.assignment.strategy"] == "cooperative-sticky"
    assert config["queued.min.messages"] == "7"
    assert config["security.protocol"] == "SSL"


def test_nothing_that_is_passed_through_makes_dead_letters_less_durable() -> None:
    """A letter that timed out or that one broker had would be lost [26]."""
    config = DeadLetterOptions(PASSED, "dead").config()
    assert (config["enable.idempotence"], config["acks"], config["message.timeout.ms"]) == (True, "all", 0)
    assert config["linger.ms"] == "50"


def test_a_follower_never_commits() -> None:
    """It has no group, and every replica reads everything."""
    config = FollowerOptions(PASSED, "sessions", "sessions", "sessions.topic").config()
    assert (config["enable.auto.commit"], config["auto.offset.reset"]) == (False, "earliest")


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_each_group_protocol_gets_what_it_takes(protocol: Literal["classic", "consumer"]) -> None:
    """Under the newer one the broker owns the session, and refuses to be told."""
    connection = KafkaConnection("broker:9092")
    config = SourceOptions(connection, "group", ("orders",), group_protocol=protocol).config()
    classic = {"session.timeout.ms", "partition.assignment.strategy"}
    assert classic & set(config) == (classic if protocol == "classic" else set())
