# SPDX-License-Identifier: Apache-2.0
"""Which setting becomes which option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from connector import wiring
from connector.kafka.configuration import problem_of
from connector.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-hunter2"  # noqa: S105  a marked value that must never come out


def settings(**areas: dict[str, Any]) -> Settings:
    """Return settings with these over the least that there must be."""
    least: dict[str, dict[str, Any]] = {"kafka": {"bootstrap_servers": "a:1"}, "button": {"api_key": "sk-x"}}
    return Settings.model_validate({**least, **areas, "kafka": {**least["kafka"], **areas.get("kafka", {})}})


def test_all_three_clients_get_the_same_connection(tmp_path: Path) -> None:
    """What lets the source in lets the follower and the dead letters in, and nothing passed through wins over ours."""
    (tmp_path / "password").write_text(SECRET + "\n")
    given = settings(
        kafka={
            "properties": {"security.protocol": "SASL_SSL", "linger.ms": 7},
            "properties_from_files": {"sasl.password": str(tmp_path / "password")},
        },
    )
    through = wiring.connection(given.kafka)
    configs = [
        wiring.source_options(given, through).config(),
        wiring.sessions_options(given, through).config(),
        wiring.dead_letter_options(given, through).config(),
    ]
    for config in configs:
        assert (config["security.protocol"], config["sasl.password"]) == ("SASL_SSL", SECRET)
        assert config["bootstrap.servers"] == "a:1"
    assert configs[2]["linger.ms"] == "7"
    assert SECRET not in repr(through)
    assert list(wiring.secrets(given, through)) == [SECRET]


def test_the_source_is_told_what_is_set() -> None:
    """Each of these is a promise to the operator."""
    given = settings(
        kafka={"group_protocol": "consumer", "group_id": "g", "topics": ["x", "y"], "start": "latest"},
        delivery={"max_uncommitted_bytes": 5_000_000, "max_uncommitted_records": 70, "drain_seconds": 29},
    )
    options = wiring.source_options(given, wiring.connection(given.kafka))
    assert (options.max_uncommitted_bytes, options.max_uncommitted_records) == (5_000_000, 70)
    assert (options.group_id, options.topics, options.start, options.drain_seconds) == ("g", ("x", "y"), "latest", 29)
    config = options.config()
    assert config["group.protocol"] == "consumer"
    assert not {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & config.keys()
    classic = settings(kafka={"session_timeout_ms": 30_000})
    config = wiring.source_options(classic, wiring.connection(classic.kafka)).config()
    assert (config["session.timeout.ms"], config["partition.assignment.strategy"]) == (30_000, "cooperative-sticky")


def test_a_proxy_s_password_is_a_secret_in_both_its_forms() -> None:
    """A log line may hold the URL, the password as it is written in it, or the password itself."""
    proxy = "http://somebody:hunter%402@proxy:3128"
    given = settings(button={"api_key": "sk-x", "proxy": proxy})
    assert list(wiring.secrets(given, wiring.connection(given.kafka))) == [proxy, "hunter%402", "hunter@2"]


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ('No such configuration property: "foo.bar"', "kafka.properties.foo.bar"),
        (
            (
                "Failed to create consumer: `heartbeat.interval.ms` is not supported for `group.protocol=consumer` or "
                "share consumer. It is defined broker side"
            ),
            "kafka.properties.heartbeat.interval.ms",
        ),
        ("Failed to create producer: sasl.username and sasl.password must be set", "kafka.properties.sasl.username"),
        (
            "Failed to create admin client: ssl.ca.location failed: error:05880020:x509 certificate routines::BIO lib",
            "kafka.properties.ssl.ca.location",
        ),
        ("Failed to create consumer: out of memory", "kafka.properties"),
        (f'Invalid value "{SECRET}" for configuration property "sasl.password"', "kafka.properties.sasl.password"),
    ],
)
def test_what_the_client_refuses_is_traced_to_its_setting(said: str, key: str) -> None:
    """The client's words, without a secret, and on one line."""
    given = settings(kafka={"properties": {"heartbeat.interval.ms": 5, "sasl.password": SECRET, "foo.bar": 1}})
    problem = problem_of(said + "\n", wiring.connection(given.kafka))
    assert problem.setting == key
    assert SECRET not in problem.message
    assert "\n" not in problem.message
