# SPDX-License-Identifier: Apache-2.0
"""The sessions topic with a registry over real HTTP: what a registry does to the table, on a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from connector.avro.registered import RegisteredOptions, RegisteredWriters
from connector.avro.registry import ConfluentRegistry, RegistryOptions
from connector.avro.session_decoding import RegisteredSessionWriters, SessionDecoder
from connector.domain.attribution import Found, Missing, SessionLookup
from connector.engine.observations import BadTableRecord, DependencyUnavailable, WriterSchemaUnusable
from connector.engine.ports import TopicPartition
from connector.kafka.follower import TopicFollower
from connector.kafka.options import FollowerOptions, KafkaConnection
from connector.tables.sessions import Sessions
from tests.integration.kafka.parts import topic_of
from tests.support.avro_records import body, encode_session, session
from tests.support.fakes import Recorder
from tests.support.polling import eventually
from tests.support.registry import Registry
from tests.support.tables import SetClock, table_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.kafka_broker import Broker

T = 1_767_225_600_000
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Click",
    "fields": [
        {"name": "observed_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "campaign", "type": "string"},
        {"name": "btn_ref", "type": ["string", "null"]},
    ],
}
"""A schema of a user's own: other fields, another order, another unit of time."""
TOKENLESS: dict[str, Any] = {"type": "record", "name": "Other", "fields": [{"name": "session_uuid", "type": "string"}]}


def click(schema_id: int, token: str | None, at: int) -> bytes:
    """Return a value in Confluent's wire format, seen ``at`` milliseconds after T."""
    datum = {"observed_at": (T + at) * 1000, "campaign": "spring", "btn_ref": token}
    return b"\x00" + schema_id.to_bytes(4, "big") + body(datum, SCHEMA)


def plain(key: str, token: str, at: int) -> bytes:
    """Return the same in single-object encoding, with the connector's own schema."""
    return encode_session(session(key, token, T + at))


class Rig:
    """A sessions table that follows a topic, put together as the connector does, beside the events' writers."""

    def __init__(self, broker: Broker, registry: Registry, directory: Path) -> None:
        """Put it together; :meth:`running` starts it."""
        self.topic = topic_of(broker, 2)
        self.seen = Recorder()
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        self.events = RegisteredWriters(
            ConfluentRegistry(RegistryOptions(registry.url, request_timeout_seconds=1.0)),
            RegisteredOptions(unknown_id_seconds=0.5, retry_seconds=0.02, max_retry_seconds=0.1),
            self.seen,
            Random(3),  # noqa: S311  jitter, not cryptography
        )
        decoder = SessionDecoder(registered=RegisteredSessionWriters.beside(self.events))
        connection = KafkaConnection(broker.bootstrap_servers)
        self.follower = TopicFollower(
            FollowerOptions(connection, self.topic, "sessions", "sessions.topic", refresh_seconds=0.5),
            self.seen,
        )
        options = table_options(directory)
        self.table = Sessions(options, decoder, self.follower, SetClock(), self.seen, clock_skew_ms=0)

    def produce(self, *records: tuple[str, bytes | None], partition: int = 0) -> None:
        """Append records, whose times are T."""
        for key, value in records:
            self._producer.produce(self.topic, value, key, partition=partition, timestamp=T)
        assert self._producer.flush(15) == 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Rig]:
        """Follow."""
        self.table.table.start(asyncio.get_running_loop())
        try:
            yield self
        finally:
            await self.table.table.stop(10.0)

    async def caught_up(self) -> None:
        """Return when the table answers."""
        async with asyncio.timeout(20):
            await self.table.caught_up()

    def ask(self, key: str, at: int = 9_999) -> SessionLookup:
        """Return what the session has ``at`` milliseconds after T."""
        return self.table.lookup(session_keys=[key], user_key=None, as_of_ms=T + at)

    def is_found(self, key: str) -> bool:
        """Tell whether the session has a token now."""
        return isinstance(self.ask(key), Found)

    @property
    def passed_over(self) -> list[tuple[int, int]]:
        """Partition and offset of what was passed over."""
        return [(bad.topic_partition.partition, bad.offset) for bad in self.seen.of(BadTableRecord)]


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Give a running registry."""
    with Registry() as started:
        yield started


async def test_both_framings_lie_side_by_side(kafka: Broker, registry: Registry, tmp_path: Path) -> None:
    """A writer of its own schema and one of ours tell of one session, and a tombstone ends another; one request."""
    schema_id = registry.register("sessions-value", SCHEMA)
    rig = Rig(kafka, registry, tmp_path)
    rig.produce(("S", click(schema_id, "first", 100)), ("S", plain("S", "second", 200)))
    rig.produce(("S", click(schema_id, "third", 300)), ("gone", click(schema_id, "token", -5)), ("gone", None))
    async with rig.running():
        await rig.caught_up()
        assert [rig.ask("S", at) for at in (150, 250, 350)] == [
            Found("first", T + 100, "session"),
            Found("second", T + 200, "session"),
            Found("third", T + 300, "session"),
        ]
        assert rig.ask("gone") == Missing()
    assert (rig.passed_over, registry.asked_for(schema_id)) == ([], 1)


async def test_a_registry_that_is_down_at_the_start_is_waited_for_before_the_table_answers(
    kafka: Broker,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """[31] No record is blamed, and a tombstone does not overtake what it ends: all is applied in order."""
    schema_id = registry.register("sessions-value", SCHEMA)
    registry.stop()
    rig = Rig(kafka, registry, tmp_path)
    rig.produce(("S", click(schema_id, "token", 100)), ("T", click(schema_id, "right", 0)), ("T", None))
    rig.produce(("U", plain("U", "other", 100)), partition=1)
    async with rig.running():
        await eventually(lambda: len(rig.seen.of(DependencyUnavailable)) >= 3, awaiting="attempts")
        await eventually(lambda: rig.follower.progress.remaining_at_start == 3)
        assert not rig.follower.progress.is_caught_up
        with pytest.raises(RuntimeError, match="before it had caught up"):
            rig.ask("U")
        registry.start()
        await rig.caught_up()
        assert rig.ask("S") == Found("token", T + 100, "session")
        # Of two entries of one time the later record's counts, which is the tombstone's.
        assert rig.ask("T") == Missing()
        assert rig.ask("U") == Found("other", T + 100, "session")
    assert rig.passed_over == []


async def test_a_new_schema_during_an_outage_holds_its_partition_only(
    kafka: Broker,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """[31] What is known is read through the outage; nothing is lost by it."""
    old = registry.register("sessions-value", SCHEMA)
    new = registry.register("sessions-value", {**SCHEMA, "name": "NewClick"})
    rig = Rig(kafka, registry, tmp_path)
    rig.produce(("A", click(old, "a", 0)))
    async with rig.running():
        await rig.caught_up()
        registry.stop()
        rig.produce(("B", click(new, "b", 0)), ("C", click(old, "c", 0)))
        rig.produce(("D", click(old, "d", 0)), partition=1)
        await eventually(lambda: rig.is_found("D") and rig.seen.of(DependencyUnavailable))
        assert (rig.is_found("A"), rig.is_found("B"), rig.is_found("C")) == (True, False, False)
        registry.start()
        await eventually(lambda: rig.is_found("B") and rig.is_found("C"))
    assert rig.passed_over == []


async def test_an_id_that_stays_unknown_is_passed_over_by_name(
    kafka: Broker,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """Each record is counted with the id and the remedy, the id is told once, and what is behind it is read."""
    known = registry.register("sessions-value", SCHEMA)
    rig = Rig(kafka, registry, tmp_path)
    rig.produce(("A", click(99, "a", 0)), ("B", click(known, "b", 0)), ("C", click(99, "c", 0)))
    async with rig.running():
        await rig.caught_up()
        assert [rig.ask(key) for key in "ABC"] == [Missing(), Found("b", T, "session"), Missing()]
    assert rig.passed_over == [(0, 0), (0, 2)]
    for bad in rig.seen.of(BadTableRecord):
        assert bad.table == "sessions"
        assert bad.topic_partition == TopicPartition(rig.topic, 0)
        assert "schema id 99" in bad.message
        assert "register the schema there, or check that schema_registry.url" in bad.message
    ((schema_id, reason, table),) = [
        (told.schema_id, told.reason, told.table) for told in rig.seen.of(WriterSchemaUnusable)
    ]
    assert (schema_id, reason, table) == (99, "unknown_schema_id", "sessions")


async def test_an_id_that_replicates_late_is_read(kafka: Broker, registry: Registry, tmp_path: Path) -> None:
    """A record may be there before its schema."""
    schema_id = registry.register("sessions-value", SCHEMA)
    registry.faults.unknown_ids.add(schema_id)
    rig = Rig(kafka, registry, tmp_path)
    rig.produce(("A", click(schema_id, "a", 0)))
    async with rig.running():
        await eventually(lambda: registry.asked_for(schema_id) >= 2)
        registry.faults.unknown_ids.clear()
        await rig.caught_up()
        assert rig.is_found("A")
    assert rig.passed_over == []


async def test_an_unknown_id_of_the_events_does_not_shorten_the_wait_of_the_sessions(
    kafka: Broker,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """A passed-over session is an order without its token; rubbish among the events must not cause that."""
    rig = Rig(kafka, registry, tmp_path)
    rubbish = rig.events.miss(b"\x00" + (77).to_bytes(4, "big"))
    await rubbish.ready()  # type: ignore[union-attr]  # it is not known yet, so that it is something to wait for
    schema_id = registry.register("sessions-value", SCHEMA)
    registry.faults.unknown_ids.add(schema_id)
    rig.produce(("A", click(schema_id, "a", 0)))
    async with rig.running():
        await eventually(lambda: registry.asked_for(schema_id) >= 2)
        registry.faults.unknown_ids.clear()
        await rig.caught_up()
        assert rig.is_found("A")


async def test_a_schema_without_a_token_is_told_once_and_its_records_are_passed_over(
    kafka: Broker,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """The log names the id and the missing fields; every record is counted."""
    bad, good = registry.register("other-value", TOKENLESS), registry.register("sessions-value", SCHEMA)
    rig = Rig(kafka, registry, tmp_path)
    value = b"\x00" + bad.to_bytes(4, "big") + body({"session_uuid": "A"}, TOKENLESS)
    rig.produce(("A", value), ("B", click(good, "b", 0)), ("A", value))
    async with rig.running():
        await rig.caught_up()
        assert rig.is_found("B")
    assert rig.passed_over == [(0, 0), (0, 2)]
    (told,) = rig.seen.of(WriterSchemaUnusable)
    assert (told.schema_id, told.reason, told.table) == (bad, "writer_schema_lacks_fields", "sessions")
    words = f"schema id {bad}: the writer's schema lacks what a session needs: btn_ref, observed_at; "
    assert told.message.startswith(words)
    assert {each.message for each in rig.seen.of(BadTableRecord)} == {told.message}


async def test_records_that_cannot_be_one_of_the_registrys_ask_it_nothing(
    kafka: Broker,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """A key that no event would find, a cut header, and a number that is no id are told at once."""
    schema_id = registry.register("sessions-value", SCHEMA)
    rig = Rig(kafka, registry, tmp_path)
    framed_key = "\x00\x00\x00\x00\x01\x02S"
    rig.produce((framed_key, click(schema_id, "a", 0)), ("B", b"\x00\x00"), ("C", b"\x00\xff\xff\xff\xffx"))
    async with rig.running():
        await rig.caught_up()
    keyed, cut, no_id = [each.message for each in rig.seen.of(BadTableRecord)]
    assert "the key must be the UTF-8 text of session_uuid" in keyed
    assert "begins with 00 00" in cut
    assert "4294967295 is no schema id" in no_id
    assert registry.requests == []
