# SPDX-License-Identifier: Apache-2.0
"""Who may come in, and what is said to whom may not: the real command against a broker that demands proof."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # its types do not know what it exports

from connector.demo.parts import API_KEY, start_connector
from tests.support.avro_records import encode_event, purchase
from tests.support.generator import ExpectedLetter, Produced, generate
from tests.support.kafka_broker import unique_topic
from tests.support.oracle import Case
from tests.support.processes import World
from tests.support.secure_kafka import PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.secure_kafka import SecureKafka

pytestmark = [pytest.mark.kafka, pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.xdist_group("secure_kafka")]

READ, WRITE, DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE
CREATE = AclOperation.CREATE
DESCRIBE_CONFIGS = AclOperation.DESCRIBE_CONFIGS
WRONG = "wrong-horse-battery"
START_SECONDS = 20.0
"""How long a start may take that ends in a refusal; the client's own patience alone would be ten seconds and more."""


class Ending(NamedTuple):
    """How a connector ended that could not start: its exit status, and what its log says of it."""

    status: int
    lines: list[dict[str, Any]]
    log: str


def _allow_all(kafka: SecureKafka, user: str, world: World) -> None:
    kafka.allow_topic(user, world.events, READ)
    kafka.allow_topic(user, world.sessions, READ, DESCRIBE_CONFIGS)
    kafka.allow_topic(user, world.dead_letters, WRITE)
    kafka.allow_topic(user, world.ledger, READ, WRITE, CREATE, DESCRIBE_CONFIGS)
    kafka.allow_group(user, world.group, READ)


def _topics(kafka: SecureKafka) -> dict[str, dict[str, Any]]:
    """Create topics that the user may not touch yet; return the settings that name them."""
    broker = kafka.broker
    kept = {"cleanup.policy": "compact", "min.compaction.lag.ms": "86400000", "max.message.bytes": "1572882"}
    sessions = broker.create_topic(unique_topic("sessions"), 1, {"cleanup.policy": "compact"})
    return {
        "kafka": {"topics": [broker.create_topic(unique_topic("events"))], "group_id": unique_topic("group")},
        "sessions": {"topic": sessions},
        "dead_letters": {"topic": broker.create_topic(unique_topic("dead-letters"))},
        "ledger": {"topic": broker.create_topic(unique_topic("orders"), 1, kept)},
        "button": {"base_url": "http://127.0.0.1:1", "api_key": API_KEY},
        "log": {"format": "json"},
    }


def _end(folder: Path, settings: Mapping[str, Mapping[str, Any]], kafka: Mapping[str, Any]) -> Ending:
    """Start a connector that cannot start, and return how it ended; nothing of it may show a password."""
    merged = {**settings, "kafka": {**settings["kafka"], **kafka}}
    with ExitStack() as stack:
        began = time.monotonic()
        child = start_connector(stack, folder, merged).child
        status = child.wait(START_SECONDS)
        assert time.monotonic() - began < START_SECONDS
        log = child.read_log()
    assert PASSWORD not in log
    assert WRONG not in log
    lines = [json.loads(line) for line in log.splitlines()]
    return Ending(status, [line for line in lines if line["level"] in {"warning", "error"}], log)


def _connection(kafka: SecureKafka, way: str) -> dict[str, Any]:
    return kafka.tls() if way == "certificate" else kafka.sasl(way)


@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "certificate"])
def test_with_the_right_proof_orders_arrive_from_end_to_end(
    secure_kafka: SecureKafka,
    tmp_path: Path,
    way: str,
) -> None:
    """The source, the follower of sessions and the dead letters all reach the brokers by the same connection."""
    plan = generate(11, 40)
    bad = Produced(b"bad", encode_event(purchase())[:-9])
    with World(secure_kafka.broker, tmp_path) as world:
        _allow_all(secure_kafka, USER, world)
        world.produce(plan.sessions, world.sessions)
        world.produce([*plan.records, bad])
        plan.records.append(bad)
        plan.dead_letters.append(ExpectedLetter(b"bad", bad.value, "truncated_avro"))
        connector = world.connector({"kafka": _connection(secure_kafka, way)})
        world.wait_until_at_rest(30, connector)
        case = Case(plan, world.evidence())
        connector.child.terminate()
        assert connector.child.wait(20) == 0
        log = connector.child.read_log()
    assert case.complaints() == []
    assert any(order.fields.get("btn_ref") for order in plan.orders.values())
    assert PASSWORD not in log


def test_a_password_may_lie_in_a_file(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """It is read at the start, and the log does not show it either."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    connection = secure_kafka.sasl()
    del connection["properties"]["sasl.password"]
    files = {"sasl.password": str(tmp_path / "password")}
    with World(secure_kafka.broker, tmp_path) as world:
        _allow_all(secure_kafka, USER, world)
        world.produce(generate(12, 5).records)
        connector = world.connector({"kafka": {**connection, "properties_from_files": files}})
        world.wait_until_at_rest(30, connector)
        assert PASSWORD not in connector.child.read_log()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_ends_the_start_by_name(secure_kafka: SecureKafka, tmp_path: Path, mechanism: str) -> None:
    """One line, with the property, what the brokers say and what to check."""
    ending = _end(tmp_path, _topics(secure_kafka), secure_kafka.sasl(mechanism, password=WRONG))
    (line,) = ending.lines
    assert (ending.status, line["event"], line["key"]) == (1, "cannot start", "kafka.properties.sasl.password")
    assert "SASL authentication error: Authentication failed" in line["message"]
    assert line["message"].endswith("Check sasl.username, sasl.password and sasl.mechanism.")


def test_a_wrong_password_in_a_file_is_named_as_such(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """The line names the setting that was given."""
    (tmp_path / "password").write_text(WRONG)
    connection = secure_kafka.sasl()
    del connection["properties"]["sasl.password"]
    connection["properties_from_files"] = {"sasl.password": str(tmp_path / "password")}
    (line,) = _end(tmp_path, _topics(secure_kafka), connection).lines
    assert line["key"] == "kafka.properties_from_files.sasl.password"


def test_an_unknown_authority_ends_the_start_by_name(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """What cannot be verified is not talked to."""
    connection = secure_kafka.sasl()
    connection["properties"]["ssl.ca.location"] = str(secure_kafka.other_ca_file)
    ending = _end(tmp_path, _topics(secure_kafka), connection)
    (line,) = ending.lines
    assert (ending.status, line["event"], line["key"]) == (1, "cannot start", "kafka.properties.ssl.ca.location")
    assert "certificate verify failed" in line["message"]
    assert "Give the authority of the brokers' certificate" in line["message"]


def test_a_name_that_is_not_in_the_certificate_ends_the_start(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """A valid certificate of somebody else is no proof."""
    connection = secure_kafka.sasl()
    connection["bootstrap_servers"] = connection["bootstrap_servers"].replace("127.0.0.1", "localhost")
    (line,) = _end(tmp_path, _topics(secure_kafka), connection).lines
    assert line["key"] == "kafka.properties.ssl.ca.location"
    assert line["message"].endswith("see that kafka.bootstrap_servers has the names that are in it.")


def test_a_missing_certificate_of_ours_ends_the_start_by_name(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """The brokers say so only after the handshake, and not in so many words."""
    connection = secure_kafka.tls()
    for name in ("ssl.certificate.location", "ssl.key.location"):
        del connection["properties"][name]
    ending = _end(tmp_path, _topics(secure_kafka), connection)
    (line,) = ending.lines
    assert (ending.status, line["key"]) == (1, "kafka.properties.ssl.certificate.location")
    assert line["message"].endswith("from an authority that the brokers trust.")


@pytest.mark.parametrize(
    ("properties", "key", "message"),
    [
        (
            {"sasl.mechnism": "PLAIN"},
            "kafka.properties.sasl.mechnism",
            "the client knows no such property. Look for a typing error; librdkafka's CONFIGURATION.md names them all.",
        ),
        (
            {"security.protocol": "TLS"},
            "kafka.properties.security.protocol",
            (
                'the client refuses it: Invalid value "TLS" for configuration property "security.protocol". '
                "Correct it, or leave it out."
            ),
        ),
        (
            {"security.protocol": "SASL_SSL"},
            "kafka.properties.sasl.mechanism",
            "SASL without Kerberos needs a mechanism. Give PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.",
        ),
        (
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "me"},
            "kafka.properties.sasl.password",
            "the client refuses it: sasl.username and sasl.password must be set. Correct it, or leave it out.",
        ),
        (
            {"group.protocol.type": WRONG, "fetch.min.bytes": "-1"},
            "kafka.properties.fetch.min.bytes",
            (
                'the client refuses it: Configuration property "fetch.min.bytes" value -1 is outside allowed range '
                "0..2147483647. Correct it, or leave it out."
            ),
        ),
        (
            {"security.protocol": "SSL", "ssl.key.pem": WRONG},
            "kafka.properties.ssl.key.pem",
            (
                "the client refuses it: ssl.key.pem failed: not in PEM format?: error:1E08010C:DECODER "
                "routines::unsupported: No supported data to decode. Input type: PEM. Correct it, or leave it out."
            ),
        ),
    ],
)
def test_a_property_that_the_client_refuses_is_named(
    tmp_path: Path,
    properties: dict[str, str],
    key: str,
    message: str,
) -> None:
    """No broker is needed for that, and the exit status is that of wrong settings."""
    settings = {"kafka": {}, "button": {"api_key": API_KEY}, "log": {"format": "json"}}
    ending = _end(tmp_path, settings, {"bootstrap_servers": "127.0.0.1:1", "properties": properties})
    (line,) = ending.lines
    assert (ending.status, line["event"], line["key"], line["message"]) == (2, "cannot start", key, message)


@pytest.mark.parametrize(
    ("missing", "key", "message"),
    [
        ("events", "kafka.topics", "topic '{events}' does not exist, or the connector's user may not DESCRIBE it."),
        ("events-read", "kafka.topics", "the connector's user may not READ topic '{events}'. Allow it."),
        ("sessions-read", "sessions.topic", "the connector's user may not READ topic '{sessions}'. Allow it."),
        ("letters-write", "dead_letters.topic", "the connector's user may not WRITE topic '{letters}'. Allow it."),
        ("orders-read", "ledger.topic", "the connector's user may not READ topic '{orders}'. Allow it."),
        ("orders-write", "ledger.topic", "the connector's user may not WRITE topic '{orders}'. Allow it."),
        (
            "group-read",
            "kafka.group_id",
            "the connector's user may not READ group '{group}'. Allow it, or choose another group.",
        ),
        (
            "sessions-configs",
            "sessions.compaction_unknown",
            "the brokers do not say whether topic '{sessions}' is compacted",
        ),
    ],
)
def test_a_missing_right_ends_the_start_by_name(
    secure_kafka: SecureKafka,
    tmp_path: Path,
    missing: str,
    key: str,
    message: str,
) -> None:
    """Also a right that would be needed only later, such as writing a dead letter."""
    settings = _topics(secure_kafka)
    names = {
        "events": settings["kafka"]["topics"][0],
        "sessions": settings["sessions"]["topic"],
        "letters": settings["dead_letters"]["topic"],
        "orders": settings["ledger"]["topic"],
        "group": settings["kafka"]["group_id"],
    }
    user = secure_kafka.add_user(unique_topic("user"))
    if missing != "events":
        secure_kafka.allow_topic(user, names["events"], DESCRIBE if missing == "events-read" else READ)
    secure_kafka.allow_topic(user, names["sessions"], DESCRIBE if missing == "sessions-read" else READ)
    if missing != "sessions-configs":
        secure_kafka.allow_topic(user, names["sessions"], DESCRIBE_CONFIGS)
    secure_kafka.allow_topic(user, names["letters"], DESCRIBE if missing == "letters-write" else WRITE)
    secure_kafka.allow_topic(user, names["orders"], DESCRIBE_CONFIGS, WRITE if missing == "orders-read" else READ)
    if not missing.startswith("orders"):
        secure_kafka.allow_topic(user, names["orders"], WRITE)
    if missing != "group-read":
        secure_kafka.allow_group(user, names["group"], READ)
    ending = _end(tmp_path, settings, secure_kafka.sasl(user=user))
    (line,) = ending.lines
    assert (ending.status, line["event"], line["key"]) == (1, "cannot start", key)
    assert line["message"].startswith(message.format(**names))


def test_a_session_that_the_brokers_end_sooner_is_refused(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """[17] Under the consumer protocol the brokers decide, and what we reckon with must not be longer."""
    settings = _topics(secure_kafka)
    own = {
        "bootstrap_servers": secure_kafka.broker.bootstrap_servers,
        "group_protocol": "consumer",
        "session_timeout_ms": 40_000,
    }
    ending = _end(tmp_path, settings, own)
    (line,) = ending.lines
    assert (ending.status, line["key"]) == (1, "kafka.session_timeout_ms")
    assert "40000 ms is more than the brokers give a member" in line["message"]
    assert "Set it to 6000, or raise consumer.session.timeout.ms of the group." in line["message"]
