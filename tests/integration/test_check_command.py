# SPDX-License-Identifier: Apache-2.0
"""``check`` against a real Kafka, the sandbox and a registry: what is not well is found, and nothing is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from connector.sandbox import SandboxThread
from tests.support.avro_records import schema, small_event_schema
from tests.support.brokers_or_skips import or_skip
from tests.support.command_line import call, settings_file
from tests.support.http_peers import refused_url
from tests.support.kafka_broker import start_broker, unique_topic
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.kafka_broker import Broker

Areas = dict[str, dict[str, Any]]
INTERNAL = "__consumer_offsets"
"""Any question about a group makes a broker create it, if there has never been a group."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    """Give Button's stand-in."""
    with SandboxThread() as running:
        yield running


@pytest.fixture
def areas(kafka: Broker, sandbox: SandboxThread) -> Areas:
    """Give settings with which all is well."""
    return {
        "kafka": {
            "bootstrap_servers": kafka.bootstrap_servers,
            "topics": [kafka.create_topic(unique_topic("events"), 3)],
            "group_id": unique_topic("group"),
        },
        "sessions": {"topic": kafka.create_topic(unique_topic("sessions"), 1, {"cleanup.policy": "compact"})},
        "dead_letters": {"topic": kafka.create_topic(unique_topic("letters"))},
        "button": {"base_url": sandbox.url, "api_key": sandbox.switches.api_key},
    }


def found(folder: Path, areas: Mapping[str, object], *options: str) -> tuple[int, dict[str, list[str]]]:
    """Return the exit code, and what failed: messages by setting."""
    done = call("check", "--json", *options, "-c", settings_file(folder, areas))
    report = json.loads(done.stdout)
    failed: dict[str, list[str]] = {}
    for finding in report["findings"]:
        if finding["grade"] == "failed":
            failed.setdefault(finding["subject"], []).append(f"{finding['message']} -> {finding['remedy']}")
    assert report["ok"] is (not failed)
    return done.returncode, failed


def test_all_is_well_where_all_is_there(tmp_path: Path, areas: Areas) -> None:
    """A single broker's one replica is a warning, and warnings do not fail."""
    assert found(tmp_path, areas) == (0, {})


def test_people_are_shown_a_table_with_what_to_do(tmp_path: Path, areas: Areas) -> None:
    """And a count at its end."""
    areas["kafka"]["topics"] = ["nothing-of-that-name"]
    done = call("check", "-c", settings_file(tmp_path, areas))
    assert done.returncode == 1
    assert "NOT OK" in done.stdout
    assert "-> Create it, correct the name, or allow it." in done.stdout
    assert ", 1 not as it must be, " in done.stdout.splitlines()[-1]


def test_a_broker_that_does_not_answer_ends_the_questions_to_it(tmp_path: Path, areas: Areas) -> None:
    """Within the time that was given; Button is asked all the same."""
    areas["kafka"]["bootstrap_servers"] = refused_url().removeprefix("http://")
    code, failed = found(tmp_path, areas, "--timeout", "2")
    assert (code, set(failed)) == (1, {"kafka.bootstrap_servers"})
    assert "Connection refused" in failed["kafka.bootstrap_servers"][0]
    assert (
        "Check the addresses, the network and kafka.properties.security.protocol."
        in failed["kafka.bootstrap_servers"][0]
    )


def test_topics_that_are_missing_or_kept_wrongly_are_found(tmp_path: Path, kafka: Broker, areas: Areas) -> None:
    """Each under its setting."""
    plain = kafka.create_topic(unique_topic("plain"))
    compacted = areas["sessions"]["topic"]
    areas["kafka"]["topics"].append("nothing-of-that-name")
    areas["sessions"]["topic"], areas["dead_letters"]["topic"] = plain, compacted
    code, failed = found(tmp_path, areas)
    assert code == 1
    assert "'nothing-of-that-name' does not exist" in failed["kafka.topics"][0]
    assert f"{plain!r} is not compacted (cleanup.policy is delete)" in failed["sessions.topic"][0]
    assert f"{compacted!r} is compacted: of the dead letters of one key" in failed["dead_letters.topic"][0]


def test_a_dead_letter_topic_for_smaller_records_is_a_warning(tmp_path: Path, kafka: Broker, areas: Areas) -> None:
    """A larger record keeps its reference only."""
    areas["dead_letters"]["topic"] = kafka.create_topic(unique_topic("small"), 1, {"max.message.bytes": "2000"})
    done = call("check", "--json", "-c", settings_file(tmp_path, areas))
    messages = [each["message"] for each in json.loads(done.stdout)["findings"] if each["grade"] == "warning"]
    assert any("max.message.bytes of the dead letters' topic is 2000" in message for message in messages)
    assert done.returncode == 0


def test_a_key_that_button_refuses_is_found_and_not_shown(tmp_path: Path, areas: Areas) -> None:
    """401."""
    areas["button"]["api_key"] = "sk-of-somebody-else"
    code, failed = found(tmp_path, areas)
    assert (code, set(failed)) == (1, {"button.api_key"})
    assert "refuses the API key (401)" in failed["button.api_key"][0]
    assert "somebody" not in json.dumps(failed)


def test_a_registry_that_is_down_is_found(tmp_path: Path, areas: Areas) -> None:
    """The rest is looked at all the same."""
    areas["schema_registry"] = {"url": refused_url()}
    code, failed = found(tmp_path, areas)
    assert (code, set(failed)) == (1, {"schema_registry.url"})
    assert "Connection refused" in failed["schema_registry.url"][0]


def test_schemas_that_cannot_be_read_as_events_are_found(tmp_path: Path, areas: Areas) -> None:
    """Every version of the topic's subject; a good one is none of them."""
    subject = f"{areas['kafka']['topics'][0]}-value"
    with Registry() as registry:
        areas["schema_registry"] = {"url": registry.url}
        registry.register(subject, schema("commerce_event"))
        assert found(tmp_path, areas) == (0, {})
        registry.register(subject, small_event_schema("double"))
        registry.register(subject, {"type": "record", "name": "Other", "fields": []})
        code, failed = found(tmp_path, areas)
    assert code == 1
    newest, before = failed["schema_registry.url"]
    assert f"{subject!r} version 3 cannot be read as events: the writer's schema lacks" in newest
    assert f"{subject!r} version 2 cannot be read as events" in before
    assert "set avro.double_amounts to shortest" in before


def test_settings_that_contradict_one_another_are_found_with_both_sides(tmp_path: Path, areas: Areas) -> None:
    """And what can be asked is asked."""
    areas["delivery"] = {"drain_seconds": 44}
    code, failed = found(tmp_path, areas)
    assert code == 1
    assert failed.keys() == {"delivery.drain_seconds, delivery.shutdown_seconds"}


def test_what_the_client_refuses_is_said_before_anybody_is_asked(tmp_path: Path, areas: Areas) -> None:
    """A property that no client knows."""
    areas["kafka"]["properties"] = {"sasl.pasword": "hidden"}
    code, failed = found(tmp_path, areas)
    assert (code, set(failed)) == (1, {"kafka.properties.sasl.pasword"})


def test_a_setting_that_does_not_exist_is_2(tmp_path: Path, areas: Areas) -> None:
    """With what was meant, in one line."""
    areas["delivery"] = {"drain_secnods": 3}
    done = call("check", "-c", settings_file(tmp_path, areas))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean delivery.drain_seconds?" in done.stderr


def test_looking_creates_no_topic_where_brokers_create_what_is_asked_for(
    tmp_path: Path,
    sandbox: SandboxThread,
) -> None:
    """Neither the missing ones nor any other [37]."""
    with or_skip(start_broker({"auto.create.topics.enable": "true"})) as broker:
        areas = {
            "kafka": {"bootstrap_servers": broker.bootstrap_servers},
            "button": {"base_url": sandbox.url, "api_key": sandbox.switches.api_key},
        }
        code, failed = found(tmp_path, areas)
        there = set(broker.admin().list_topics(timeout=10).topics)
        kept = broker.create_topic("session-attribution", 1, {"cleanup.policy": "compact"})
        again = found(tmp_path, areas)
        still_there = set(broker.admin().list_topics(timeout=10).topics)
    assert (code, set(failed)) == (1, {"kafka.topics", "sessions.topic", "dead_letters.topic"})
    assert again[1].keys() == {"kafka.topics", "dead_letters.topic"}
    assert there <= {INTERNAL}
    assert still_there <= {INTERNAL, kept}
