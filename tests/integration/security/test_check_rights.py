# SPDX-License-Identifier: Apache-2.0
"""``check`` on a broker that grants rights one by one: what is missing is named, and what is held is enough."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # the stubs export it not

from connector.sandbox import SandboxThread
from tests.support.command_line import call, settings_file
from tests.support.kafka_broker import unique_topic

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    group, orders, op = unique_topic("group"), unique_topic("orders"), AclOperation
    with SandboxThread() as sandbox:
        areas = {
            "kafka": {**secure_kafka.sasl(user=user), "topics": [events], "group_id": group},
            "sessions": {"topic": sessions},
            "dead_letters": {"topic": letters},
            "ledger": {"topic": orders},
            "button": {"base_url": sandbox.url, "api_key": sandbox.switches.api_key},
        }
        none = failed(areas, tmp_path)
        secure_kafka.allow_topic(user, events, op.READ)
        secure_kafka.allow_topic(user, sessions, op.DESCRIBE, op.DESCRIBE_CONFIGS)
        secure_kafka.allow_topic(user, letters, op.DESCRIBE)
        some = failed(areas, tmp_path)
        secure_kafka.allow_topic(user, sessions, op.READ)
        secure_kafka.allow_topic(user, letters, op.WRITE)
        secure_kafka.allow_topic(user, orders, op.CREATE)
        secure_kafka.allow_group(user, group, op.READ)
        enough = failed(areas, tmp_path)
        areas["kafka"] |= secure_kafka.sasl(user=user, password="wrong")  # noqa: S106  on purpose
        refused = failed(areas, tmp_path)
    assert set(none) == {
        "kafka.topics",
        "sessions.topic",
        "dead_letters.topic",
        "kafka.group_id",
        "ledger.create_topic",
    }
    assert some.keys() == {"sessions.topic", "dead_letters.topic", "kafka.group_id", "ledger.create_topic"}
    assert some["dead_letters.topic"] == f"the connector's user may not WRITE topic {letters!r}"
    assert enough == {}
    assert orders not in broker.admin().list_topics(timeout=10).topics
    assert refused.keys() == {"kafka.properties.sasl.password"}


_ROW = re.compile(r"^\| `([\w.]+)` \| (\w+) \| (yes|advised|at first) \|", re.MULTILINE)
_SUBJECTS = {
    ("sessions.topic", "DESCRIBE_CONFIGS"): "sessions.topic",
    ("kafka.group_id", "DESCRIBE_CONFIGS"): "kafka.session_timeout_ms",
    ("ledger.topic", "CREATE"): "ledger.create_topic",
}
"""By which setting a right that is missing is named, where it is not the row's own."""


class _Right(NamedTuple):
    """A row of the documentation's list."""

    setting: str
    operation: str
    needed: str


def _documented() -> list[_Right]:
    page = (Path(__file__).resolve().parents[3] / "docs" / "kafka.md").read_text(encoding="utf-8")
    return [_Right(*row) for row in _ROW.findall(page)]


class _Checked:
    """What ``check`` says to users who hold some of the documented rights."""

    def __init__(self, kafka: SecureKafka, folder: Path, button: Mapping[str, str]) -> None:
        self._kafka, self._folder = kafka, folder
        self._button = {**button, "request_timeout_seconds": 2, "connect_timeout_seconds": 1}
        create = kafka.broker.create_topic
        compacted = {"cleanup.policy": "compact", "min.compaction.lag.ms": "86400000", "max.message.bytes": "1572882"}
        self._names = {
            "kafka.topics": create(unique_topic("events"), config={"retention.ms": "86400000"}),
            "sessions.topic": create(unique_topic("sessions"), 1, compacted),
            "dead_letters.topic": create(unique_topic("letters"), config={"retention.ms": "604800000"}),
            "ledger.topic": create(unique_topic("orders"), 1, compacted),
            "kafka.group_id": unique_topic("group"),
        }

    def without(self, withheld: _Right | None) -> dict[str, set[str]]:
        """Return what it names, by grade, to one who holds all rights but one."""
        kafka, user = self._kafka, self._kafka.add_user(unique_topic("user"))
        names = dict(self._names)
        if withheld is not None and withheld.operation == "CREATE":
            names["ledger.topic"] = unique_topic("orders")  # which is not there
        for right in _documented():
            if right != withheld:
                allow = kafka.allow_group if right.setting == "kafka.group_id" else kafka.allow_topic
                allow(user, names[right.setting], AclOperation[right.operation])
        done = call("check", "--json", "-c", settings_file(self._folder, self._settings(user, names)))
        said: dict[str, set[str]] = {"failed": set(), "unknown": set(), "warning": set()}
        for finding in json.loads(done.stdout)["findings"]:
            if finding["area"] in {"brokers", "topics", "rights"} and finding["grade"] in said:
                said[finding["grade"]].add(finding["subject"])
        return said

    def _settings(self, user: str, names: Mapping[str, str]) -> dict[str, Any]:
        group = {"group_id": names["kafka.group_id"], "group_protocol": "consumer", "session_timeout_ms": 6_000}
        return {
            "kafka": {**self._kafka.sasl(user=user), "topics": [names["kafka.topics"]], **group},
            "sessions": {"topic": names["sessions.topic"]},
            "dead_letters": {"topic": names["dead_letters.topic"]},
            "ledger": {"topic": names["ledger.topic"]},
            "button": self._button,
        }


def test_the_documented_rights_are_enough_and_check_names_each_that_is_missing(
    secure_kafka: SecureKafka,
    tmp_path: Path,
) -> None:
    """The least rights on each topic and the group: with all of them nothing is wrong or unknown, without one it is."""
    assert len(_documented()) == 12
    with SandboxThread() as sandbox:
        button = {"base_url": sandbox.url, "api_key": sandbox.switches.api_key}
        checked = _Checked(secure_kafka, tmp_path, button)
        whole = checked.without(None)
        assert (whole["failed"], whole["unknown"]) == (set(), set())
        for right in _documented():
            said = checked.without(right)
            subject = _SUBJECTS.get((right.setting, right.operation), right.setting)
            if right.needed == "advised":
                assert said["failed"] == set(), right
                assert subject in said["unknown"] | (said["warning"] - whole["warning"]), right
            else:
                assert said["failed"] == {subject}, right
