# SPDX-License-Identifier: Apache-2.0
"""What may be passed through to the client, and what may not."""

from __future__ import annotations

from dataclasses import replace
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
    classic = {"session.timeout.ms", "partition.assignment.strategy", "heartbeat.interval.ms"}
    assert classic & set(config) == (classic if protocol == "classic" else set())


@pytest.mark.parametrize(("session_ms", "heartbeat_ms"), [(45_000, 1_000), (6_000, 1_000), (2_400, 800)])
def test_a_short_session_has_heartbeats_enough(session_ms: int, heartbeat_ms: int) -> None:
    """With the client's default a session of three seconds would end again and again between two heartbeats."""
    connection = KafkaConnection("broker:9092")
    config = SourceOptions(connection, "group", ("orders",), session_timeout_ms=session_ms).config()
    assert config["heartbeat.interval.ms"] == heartbeat_ms


def test_a_heartbeat_may_be_passed_through() -> None:
    """It carries no promise."""
    config = SourceOptions(KafkaConnection("b:1", {"heartbeat.interval.ms": "500"}), "group", ("orders",)).config()
    assert config["heartbeat.interval.ms"] == "500"


def test_a_member_is_static_only_where_it_has_an_id() -> None:
    """An empty id would be an id, the same for all."""
    settings = SourceOptions(KafkaConnection("broker:9092"), "group", ("orders",))
    assert "group.instance.id" not in settings.config()
    assert replace(settings, group_instance_id="one").config()["group.instance.id"] == "one"
