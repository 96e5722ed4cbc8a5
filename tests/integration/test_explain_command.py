# SPDX-License-Identifier: Apache-2.0
"""``explain`` with a real Kafka: a record by its position, its token as of its time, and nothing left behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from connector.sandbox import SandboxThread
from tests.support.avro_records import encode_event, encode_session, header, purchase, schema, session, single_object
from tests.support.command_line import call, settings_file
from tests.support.kafka_broker import unique_topic
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.command_line import Done
    from tests.support.kafka_broker import Broker

OCCURRED = 1_767_225_600_000
KEY = b"SESSION-order-1"


class World:
    """Topics with records, and settings that name them."""

    def __init__(self, broker: Broker, folder: Path, sandbox: SandboxThread) -> None:
        """Create the topics."""
        self.broker, self._folder = broker, folder
        self.events = broker.create_topic(unique_topic("events"), 2)
        self.sessions = broker.create_topic(unique_topic("sessions"), 1, {"cleanup.policy": "compact"})
        self.group = unique_topic("group")
        self.areas: dict[str, dict[str, Any]] = {
            "kafka": {"bootstrap_servers": broker.bootstrap_servers, "topics": [self.events], "group_id": self.group},
            "sessions": {"topic": self.sessions},
            "button": {"base_url": sandbox.url, "api_key": sandbox.switches.api_key},
        }
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})

    def write(self, topic: str, value: bytes | None, key: bytes = b"order-1", partition: int = 0) -> None:
        """Write one record."""
        self._producer.produce(topic, value, key, partition)
        assert self._producer.flush(20) == 0

    def call(self, *options: str) -> Done:
        """Explain with these settings."""
        return call("explain", "--json", *options, "-c", settings_file(self._folder, self.areas))

    def at(self, offset: int, partition: int = 0, topic: str | None = None) -> Done:
        """Explain the record at a position."""
        where = ("--topic", topic or self.events, "--partition", str(partition), "--offset", str(offset))
        return self.call(*where)

    def event(self, done: Done) -> dict[str, Any]:
        """Return the only event's explanation."""
        assert (done.returncode, done.stderr) == (0, "")
        ((event,),) = (record["events"] for record in json.loads(done.stdout))
        explained: dict[str, Any] = event
        return explained


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxThread]:
    """Give Button's stand-in, which nothing may be sent to."""
    with SandboxThread() as running:
        yield running


@pytest.fixture
def world(kafka: Broker, tmp_path: Path, sandbox: SandboxThread) -> World:
    """Give topics of their own."""
    return World(kafka, tmp_path, sandbox)


def test_a_record_is_explained_with_its_session_s_token_as_of_its_time(world: World) -> None:
    """A newer token of the same session could not have caused it."""
    world.write(world.sessions, encode_session(session("SESSION-order-1", "srctok-before", OCCURRED - 60_000)), KEY)
    world.write(world.sessions, encode_session(session("SESSION-order-1", "srctok-after", OCCURRED + 60_000)), KEY)
    world.write(world.events, encode_event(purchase("order-0")), partition=1)
    world.write(world.events, encode_event(purchase("order-1")), partition=1)
    event = world.event(world.at(1, partition=1))
    assert event["token"]["source"] == "session"
    assert event["token"]["why"] == "the event's session has it, seen 60 s before the event"
    assert event["request"]["body"]["btn_ref"] == "srctok-before"
    assert event["request"]["body"]["order_id"] == "order-1"


def test_a_token_that_was_seen_only_afterwards_is_said_to_be_that(world: World) -> None:
    """And is not sent."""
    world.write(world.sessions, encode_session(session("SESSION-order-1", "srctok-after", OCCURRED + 60_000)), KEY)
    world.write(world.events, encode_event(purchase("order-1")))
    event = world.event(world.at(0))
    assert (event["token"]["value"], event["token"]["source"]) == (None, "only_newer")
    assert "btn_ref" not in event["request"]["body"]


def test_a_file_s_event_finds_its_token_in_the_cluster_too(world: World, tmp_path: Path) -> None:
    """Wherever the event came from."""
    world.write(world.sessions, encode_session(session("SESSION-order-1", "srctok-1", OCCURRED - 1)), KEY)
    file = tmp_path / "event.avro"
    file.write_bytes(encode_event(purchase("order-1")))
    assert world.event(world.call(str(file)))["token"]["value"] == "srctok-1"


def test_nothing_is_sent_committed_or_joined(world: World, sandbox: SandboxThread) -> None:
    """The group is not even known afterwards."""
    world.write(world.events, encode_event(purchase("order-1")))
    world.event(world.at(0))
    assert sandbox.requests == []
    listed = world.broker.admin().list_consumer_groups(request_timeout=10).result()
    assert world.group not in {group.group_id for group in listed.valid}


def test_what_is_no_event_says_what_becomes_of_it(world: World) -> None:
    """A tombstone is skipped, junk is a dead letter."""
    world.write(world.events, None)
    world.write(world.events, b"junk")
    assert world.event(world.at(0))["refusal"]["reason"] == "tombstone"
    junk = world.event(world.at(1))
    assert (junk["outcome"], junk["refusal"]["reason"]) == ("dead_letter", "not_avro")


def test_a_registry_s_schema_is_asked_for(world: World) -> None:
    """One that is down stops the explanation, one that does not know the id explains the dead letter."""
    with Registry() as registry:
        schema_id = registry.register("any-value", schema("commerce_event"))
        world.areas["schema_registry"] = {"url": registry.url, "request_timeout_seconds": 1}
        value = encode_event(purchase("order-1"))[len(header(schema("commerce_event"))) :]
        world.write(world.events, b"\x00" + schema_id.to_bytes(4, "big") + value)
        world.write(world.events, b"\x00" + (99).to_bytes(4, "big") + value)
        assert world.event(world.at(0))["request"]["body"]["order_id"] == "order-1"
        assert world.event(world.at(1))["refusal"]["reason"] == "unknown_schema_id"
    where = ("--topic", world.events, "--offset", "0", "--timeout", "2")
    done = world.call(*where)
    assert done.returncode == 1
    assert done.stderr.startswith("error: schema_registry.url: the schema cannot be had: ")
    assert "Connection refused" in done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"offset": 9}, "has the offsets 0 to 0, not 9. Give an offset that is there."),
        ({"offset": 0, "partition": 7}, "has the partitions 0 to 1. Give one of them."),
        ({"offset": 0, "partition": 1}, "has no records, not 0."),
        ({"offset": 0, "topic": "nothing-of-that-name"}, "'nothing-of-that-name' does not exist"),
    ],
)
def test_a_position_where_nothing_is_is_one_line_and_1(world: World, changes: dict[str, Any], said: str) -> None:
    """With what is there."""
    world.write(world.events, encode_event(purchase("order-1")))
    done = world.at(**changes)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_sessions_topic_that_is_not_there_is_named(world: World) -> None:
    """It would be no answer to say that there is no token."""
    world.areas["sessions"]["topic"] = "nothing-of-that-name"
    world.write(world.events, single_object(_minimal(), schema("commerce_event")))
    done = world.at(0)
    assert done.returncode == 1
    assert done.stderr.startswith("error: sessions.topic: topic 'nothing-of-that-name' does not exist")


def _minimal() -> dict[str, Any]:
    return {"occurred_at": OCCURRED, "product_action": {"action": "purchase"}}
