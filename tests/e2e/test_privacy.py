# SPDX-License-Identifier: Apache-2.0
"""Nothing that the connector writes or shows holds a secret or a person: logs, metrics, health and traces.

Marked values go in on every path there is, and all output is searched for them and for their disguises. Dead letters
are exempt: they are the records as they were, in a topic of the same owner.
"""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]  # its types do not know what it exports
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.avro_records import encode_event, encode_session, purchase, refund, session
from tests.support.brokers_or_skips import or_skip
from tests.support.echoing_button import EchoingButton, echoing_button
from tests.support.generator import Produced
from tests.support.polling import wait_until
from tests.support.privacy import ADDRESS, CUSTOMER, EMAIL, IDFA, MPID, NAME, PERSONAL, PHONE, found_in
from tests.support.processes import World
from tests.support.registry import Registry
from tests.support.secure_kafka import PASSWORD, USER, SecureKafka, start_secure_kafka

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from connector.demo.parts import Connector

pytestmark = [pytest.mark.kafka, pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.xdist_group("privacy")]

API_KEY = "sk-marked-4711-Aq9"
REGISTRY_PASSWORD = "registry-Pw-8153"  # noqa: S105  a mark
SECRETS = {"API key": API_KEY, "Kafka password": PASSWORD, "registry password": REGISTRY_PASSWORD}
MARKS = {**PERSONAL, **SECRETS}
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = (
    ("traceparent", f"00-{TRACE_ID}-00f067aa0ba902b7-01".encode()),
    ("tracestate", b"shop=t61rcWkgMzE"),
    ("baggage", f"user={EMAIL}".encode()),
    ("customer", EMAIL.encode()),
)
ALL_OF_THEM = " ".join(MARKS.values())
TOLD = {name: mark for name, mark in {**PERSONAL, "API key": API_KEY}.items() if name != "user id"}
"""What Button is told, and may quote; the e-mail address only because a line's attributes have it."""


@pytest.fixture(scope="module")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """Give a broker that demands a password."""
    with or_skip(start_secure_kafka(tmp_path_factory.mktemp("secure-kafka"))) as kafka:
        yield kafka


def personal(order_id: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  any field of an event
    """Return a purchase that says all that it can of its customer; ``action_`` before a name is its product action."""
    event = purchase(order_id)
    attributes = {"engraving": f"For {NAME}", "gift_to": EMAIL, "deliver_to": ADDRESS, "phone": PHONE}
    line = {**event["product_action"]["products"][0], "custom_attributes": attributes}
    action = {name.removeprefix("action_"): value for name, value in changes.items() if name.startswith("action_")}
    own = {name: value for name, value in changes.items() if not name.startswith("action_")}
    return {
        **event,
        "session_uuid": f"session-{order_id}",
        "mpid": MPID,
        "is_new_customer": True,
        "user_identities": [
            {"identity_type": "email", "identity": EMAIL},
            {"identity_type": "customer_id", "identity": CUSTOMER},
            {"identity_type": "mobile_number", "identity": PHONE},
            {"identity_type": "other", "identity": NAME},
        ],
        "device": {"platform": "iOS", "ios_advertising_id": IDFA},
        "custom_attributes": attributes,
        "user_attributes": {"$FirstName": NAME, "$Address": ADDRESS, "$Mobile": PHONE},
        "product_action": {**event["product_action"], "products": [line], **action},
        **own,
    }


# How each event must end, by the reason that is counted; ids say what Button does with them.
DELIVERED = ["ok-1", "busy-1", "moved-1", "page-1", "key-1", "cut-1", "garbled-1", f"ok-{EMAIL}"]
DEAD = {
    "not_avro": json.dumps(personal("ok-2"), default=str).encode(),
    "truncated_avro": encode_event(personal("ok-3"))[:-3],
    "unknown_schema_fingerprint": b"\xc3\x01" + ALL_OF_THEM.encode(),
    "unknown_schema_id": b"\x00\x00\x00\x00\x09" + ALL_OF_THEM.encode(),
    "missing_transaction_id": encode_event(personal("ok-4", action_transaction_id=None)),
    "unknown_currency": encode_event(personal("ok-5", currency_code=EMAIL)),
    "amount_too_precise": encode_event(personal("ok-6", action_total_amount="10.001")),
    "http_422": encode_event(personal("refused-1")),
    "error_in_success": encode_event(personal("declined-1")),
}
SKIPPED_EVENTS = {
    "environment_development": personal("ok-7", environment="development"),
    "action_add_to_cart": personal("ok-8", action_action="add_to_cart"),
    "action_unknown": personal("ok-9", action_action=CUSTOMER),
}


def _records() -> list[Produced]:
    delivered = [encode_event(personal(order_id)) for order_id in DELIVERED]
    cancelled = [encode_event(refund(order_id, mpid=MPID)) for order_id in ("ok-1", "busy-1", f"ok-{EMAIL}")]
    skipped = [encode_event(event) for event in SKIPPED_EVENTS.values()]
    values = [*delivered, *skipped, *DEAD.values(), *cancelled]
    return [Produced(CUSTOMER.encode(), value, headers=HEADERS) for value in values]


def _sessions() -> list[Produced]:
    good = encode_session(session("session-ok-1", "srctok-1", 1_767_225_500_000, mpid=MPID))
    return [
        Produced(b"session-ok-1", good, headers=HEADERS),
        Produced(EMAIL.encode(), good),
        Produced(CUSTOMER.encode(), ALL_OF_THEM.encode()),
        Produced(CUSTOMER.encode(), good[:-1]),
    ]


def _settings(kafka: SecureKafka, button: EchoingButton, registry: Registry, transport: str) -> dict[str, Any]:
    return {
        "kafka": kafka.sasl(),
        "schema_registry": {
            "url": registry.url,
            "username": "connector",
            "password": REGISTRY_PASSWORD,
            "unknown_id_seconds": 1,
        },
        "button": {"base_url": button.url, "api_key": API_KEY, "transport": transport},
        "delivery": {"retry_initial_seconds": 0.05, "retry_max_seconds": 0.2},
        "log": {"level": "debug", "format": "json"},
        "tracing": {"enabled": True},
    }


def _allow(kafka: SecureKafka, world: World) -> None:
    kafka.allow_topic(USER, world.events, AclOperation.READ)
    kafka.allow_topic(USER, world.sessions, AclOperation.READ, AclOperation.DESCRIBE_CONFIGS)
    kafka.allow_topic(USER, world.dead_letters, AclOperation.WRITE)
    # CREATE lets the connector make the topic.
    ledger_rights = (AclOperation.READ, AclOperation.WRITE, AclOperation.CREATE, AclOperation.DESCRIBE_CONFIGS)
    kafka.allow_topic(USER, world.ledger, *ledger_rights)
    kafka.allow_group(USER, world.group, AclOperation.READ)


@pytest.mark.parametrize("transport", ["pyreqwest", "httpx2"])
def test_no_output_holds_a_secret_or_a_person(
    secure_kafka: SecureKafka,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transport: str,
) -> None:
    """Every path is taken, by the metrics; then logs at debug level, endpoints and spans are searched."""
    credentials = ("connector", REGISTRY_PASSWORD)
    with (
        World(secure_kafka.broker, tmp_path) as world,
        echoing_button() as button,
        Registry(credentials=credentials) as registry,
    ):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", button.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        registry.faults.status, registry.faults.body = 500, json.dumps({"message": ALL_OF_THEM}).encode()
        _allow(secure_kafka, world)
        world.produce(_sessions(), world.sessions)
        world.produce(_records())
        connector = world.connector(_settings(secure_kafka, button, registry, transport), is_ready=False)
        seen = _watch_until_at_rest(world, connector, registry)
        metrics = _samples(seen[-1])
        connector.child.terminate()
        assert connector.child.wait(30) == 0
        log = connector.child.read_log()
        letters = world.read_dead_letters()

    _assert_every_path_was_taken(metrics, button, log)
    assert {letter.headers["button-connector.reason"] for letter in letters} == set(DEAD)
    assert found_in(log, MARKS) == []
    assert found_in("\n".join(seen), MARKS) == []
    assert found_in(_spans(button), MARKS) == []


def _watch_until_at_rest(world: World, connector: Connector, registry: Registry) -> list[str]:
    """Return what the endpoints showed until everything was committed; the registry recovers when it was asked."""
    seen: list[str] = []

    def look() -> None:
        seen.extend(_get(f"{connector.ops_url}/{name}") for name in ("livez", "readyz", "startupz", "metrics"))

    def is_at_rest() -> bool:
        connector.child.check()
        look()
        if "dependency_failures_total{" in seen[-1]:
            registry.faults.status = registry.faults.body = None
        return world.offsets.committed() == world.offsets.ends()

    wait_until(is_at_rest, 60, awaiting="the committed offsets to be the ends", interval_seconds=0.1)
    look()
    return seen


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  our own child
            return str(answer.read().decode())
    except HTTPError as error:
        with error:
            return error.read().decode()
    except OSError:
        time.sleep(0.05)  # It does not listen yet.
        return ""


def _samples(metrics: str) -> dict[str, set[str]]:
    """Return which values of which label were counted, by metric."""
    counted: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.value and sample.name.startswith("button_connector_"):
                name = sample.name.removeprefix("button_connector_")
                counted.setdefault(name, set()).update(sample.labels.values())
    return counted


def _assert_every_path_was_taken(metrics: dict[str, set[str]], button: EchoingButton, log: str) -> None:
    assert metrics["dead_letters_total"] == {*DEAD, "decode", "map", "deliver"}
    assert metrics["events_skipped_total"] >= set(SKIPPED_EVENTS)
    failed = {"http_503", "redirected", "unreadable_answer", "no_answer"}
    assert metrics["attempts_failed_total"] >= failed
    assert "unauthorized" in metrics["attempt_duration_seconds_count"]
    assert metrics["dependency_failures_total"] == {"schema registry"}
    assert metrics["table_bad_records_total"] == {"sessions"}
    assert metrics["orders_delivered_total"] >= {"create", "cancel", "applied"}
    assert metrics["tokens_looked_up_total"] >= {"session"}
    assert '"level":"debug"' in log
    told = " ".join(f"{heard.headers} {heard.body.decode()}" for heard in button.heard)
    assert set(found_in(told, MARKS)) == set(TOLD)
    goes_on = [heard.headers["traceparent"].split("-")[1] for heard in button.heard]
    assert set(goes_on) == {TRACE_ID}


def _spans(button: EchoingButton) -> str:
    exported = [ExportTraceServiceRequest.FromString(body) for body in button.traces]
    assert sum(len(scope.spans) for one in exported for each in one.resource_spans for scope in each.scope_spans) > 20
    return "\n".join(map(str, exported))


@pytest.mark.parametrize(
    "bad",
    [
        {"button": {"api_key": f"{API_KEY} "}},
        {"button": {"api_key": [API_KEY]}},
        {"kafka": {"properties": {"sasl.password": [PASSWORD]}}},
        {"kafka": {"properties": {"sasl.pasword": PASSWORD}}},
        {"schema_registry": {"url": f"http://connector:{REGISTRY_PASSWORD}@127.0.0.1"}},
        {"delivery": {API_KEY: 1}},
    ],
    ids=["key with a space", "key in a list", "password in a list", "typo", "password in the URL", "key as a name"],
)
def test_a_refused_start_shows_no_secret(secure_kafka: SecureKafka, tmp_path: Path, bad: dict[str, Any]) -> None:
    """What is wrong is named by its key, never by its value."""
    with World(secure_kafka.broker, tmp_path) as world:
        connector = world.connector({**bad}, is_ready=False)
        assert connector.child.wait(30) == 2
        log = connector.child.read_log()
    assert log
    assert found_in(log, SECRETS) == []
