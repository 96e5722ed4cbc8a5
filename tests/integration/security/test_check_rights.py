# SPDX-License-Identifier: Apache-2.0
"""``check`` on a broker that grants rights one by one: what is missing is named, and what is held is enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # the stubs export it not

from connector.sandbox import SandboxThread
from tests.support.command_line import call, settings_file
from tests.support.kafka_broker import unique_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.secure_kafka import SecureKafka


def failed(areas: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return what is wrong, by setting."""
    done = call("check", "--json", "-c", settings_file(folder, areas))
    findings = json.loads(done.stdout)["findings"]
    return {each["subject"]: each["message"] for each in findings if each["grade"] == "failed"}


def test_rights_are_asked_of_the_brokers_one_by_one(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """None, some, enough; and a password that is wrong."""
    user, broker = secure_kafka.add_user(unique_topic("user")), secure_kafka.broker
    events, letters = broker.create_topic(unique_topic("events")), broker.create_topic(unique_topic("letters"))
    sessions = broker.create_topic(unique_topic("sessions"), 1, {"cleanup.policy": "compact"})
    group, op = unique_topic("group"), AclOperation
    with SandboxThread() as sandbox:
        areas = {
            "kafka": {**secure_kafka.sasl(user=user), "topics": [events], "group_id": group},
            "sessions": {"topic": sessions},
            "dead_letters": {"topic": letters},
            "button": {"base_url": sandbox.url, "api_key": sandbox.switches.api_key},
        }
        none = failed(areas, tmp_path)
        secure_kafka.allow_topic(user, events, op.READ)
        secure_kafka.allow_topic(user, sessions, op.DESCRIBE, op.DESCRIBE_CONFIGS)
        secure_kafka.allow_topic(user, letters, op.DESCRIBE)
        some = failed(areas, tmp_path)
        secure_kafka.allow_topic(user, sessions, op.READ)
        secure_kafka.allow_topic(user, letters, op.WRITE)
        secure_kafka.allow_group(user, group, op.READ)
        enough = failed(areas, tmp_path)
        areas["kafka"] |= secure_kafka.sasl(user=user, password="wrong")  # noqa: S106  on purpose
        refused = failed(areas, tmp_path)
    assert set(none) == {"kafka.topics", "sessions.topic", "dead_letters.topic", "kafka.group_id"}
    assert some.keys() == {"sessions.topic", "dead_letters.topic", "kafka.group_id"}
    assert some["dead_letters.topic"] == f"the connector's user may not WRITE topic {letters!r}"
    assert enough == {}
    assert refused.keys() == {"kafka.properties.sasl.password"}
