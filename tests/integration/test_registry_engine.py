# SPDX-License-Identifier: Apache-2.0
"""The engine with real decoding and a registry over real HTTP: what a registry does to the orders of a partition."""

from __future__ import annotations

import asyncio
import contextlib
import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from connector.avro.decoding import AvroDecoder
from connector.avro.registered import RegisteredOptions, RegisteredWriters
from connector.avro.registry import ConfluentRegistry, RegistryOptions
from connector.engine.engine import Engine, EngineOptions, Ports
from connector.engine.observations import DependencyUnavailable, WriterSchemaUnusable
from connector.engine.ports import TopicPartition
from tests.support.avro_records import body, encode_event, purchase, schema, small_event, small_event_schema
from tests.support.fakes import FakeButton, FakeDeadLetters, FakeSessions, FakeSource, FixedClock, Recorder
from tests.support.polling import eventually
from tests.support.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SCHEMA = small_event_schema("string")


class Assembly:
    """An engine as the connector puts it together, around a registry; Kafka and Button are in memory."""

    def __init__(self, registry: Registry, options: RegistryOptions | None = None) -> None:
        """Put it together; :meth:`running` starts it."""
        self.registry = registry
        self.source, self.button, self.letters = FakeSource(), FakeButton(0.001), FakeDeadLetters()
        self.seen = Recorder()
        chance = Random(3)  # noqa: S311  jitter, not cryptography
        writers = RegisteredWriters(
            ConfluentRegistry(options or RegistryOptions(registry.url, request_timeout_seconds=1.0)),
            RegisteredOptions(unknown_id_seconds=0.5, retry_seconds=0.02, max_retry_seconds=0.1),
            self.seen,
            chance,
        )
        ports = Ports(
            source=self.source,
            decoder=AvroDecoder(registered=writers),
            orders=self.button,
            sessions=FakeSessions(),
            dead_letters=self.letters,
            clock=FixedClock(),
            observer=self.seen,
        )
        self.engine = Engine(ports, EngineOptions(concurrency=8, commit_interval_seconds=0.05), chance)
        self.source.intake = self.engine

    @contextlib.asynccontextmanager
    async def running(self, *partitions: int) -> AsyncIterator[Assembly]:
        """Run with these partitions; a failure of the engine fails the test."""
        tasks = [asyncio.ensure_future(self.engine.run()), asyncio.ensure_future(self.source.poll_for_ever())]
        await asyncio.sleep(0)
        self.source.assign(*partitions)
        try:
            yield self
        finally:
            for task in tasks:
                if task.done():
                    task.result()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def emit(self, schema_id: int, order_id: str, *, partition: int = 0, writer: dict[str, Any] = SCHEMA) -> None:
        """Append an order in Confluent's wire format."""
        event = small_event("1.50")
        event["product_action"]["transaction_id"] = order_id
        self.source.append(partition, b"\x00" + schema_id.to_bytes(4, "big") + body(event, writer))

    async def at_rest(self) -> None:
        """Wait until everything that the topic holds is committed."""
        await eventually(self._is_at_rest, 10, awaiting="all records to be committed")

    def _is_at_rest(self) -> bool:
        return all(self.source.committed.get(each, 0) == len(log) for each, log in self.source.log.items())

    @property
    def told(self) -> list[str]:
        """The orders that Button was told of, in the order of its answers."""
        return [order_id for order_id, *_ in self.button.calls]

    @property
    def buried(self) -> list[tuple[int, str]]:
        """The dead letters by offset and reason."""
        return [(record.offset, letter.reason) for record, letter in self.letters.letters]


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Give a running registry."""
    with Registry() as started:
        yield started


async def test_what_confluents_serializer_writes_is_delivered(registry: Registry) -> None:
    """Producer and connector agree on the wire format, and both formats may lie side by side."""
    with SchemaRegistryClient({"url": registry.url}) as client:
        serialize = AvroSerializer(client, json.dumps(schema("commerce_event_batch")), lambda batch, _: batch)
        first, second = (
            {**purchase(name), "product_action": {"action": "refund", "transaction_id": name}} for name in "ab"
        )
        value = serialize({"events": [first, second]}, SerializationContext("orders", MessageField.VALUE))
    assembly = Assembly(registry)
    assembly.source.append(0, value)
    assembly.source.append(0, encode_event(purchase("c")))
    async with assembly.running(0):
        await assembly.at_rest()
    assert (sorted(assembly.told), assembly.buried) == (["a", "b", "c"], [])
    assert assembly.source.committed[TopicPartition("orders", 0)] == 2


async def test_a_registry_that_is_down_at_the_start_is_waited_for_and_no_record_is_blamed(registry: Registry) -> None:
    """[31] Order and records are kept; nothing is committed past what waits; all goes on when it is back."""
    schema_id = registry.register("orders-value", SCHEMA)
    registry.stop()
    assembly = Assembly(registry)
    for number in range(20):
        assembly.emit(schema_id, f"order-{number % 2}")
    async with assembly.running(0):
        await eventually(lambda: len(assembly.seen.of(DependencyUnavailable)) >= 3, awaiting="attempts")
        assert (assembly.told, assembly.buried, assembly.source.committed) == ([], [], {})
        registry.start()
        await assembly.at_rest()
    assert len(assembly.button.calls) == 20
    assert assembly.buried == []


async def test_a_registry_that_goes_down_later_stops_new_schemas_only(registry: Registry) -> None:
    """[31] What is known is delivered through the outage; a partition with a new schema waits in order."""
    old = registry.register("orders-value", SCHEMA)
    new_schema = small_event_schema("string", mpid="long")
    new = registry.register("orders-value", new_schema)
    assembly = Assembly(registry)
    async with assembly.running(0, 1):
        assembly.emit(old, "known")
        await assembly.at_rest()
        registry.stop()
        value = b"\x00" + new.to_bytes(4, "big") + body(small_event("1", mpid=5), new_schema)
        assembly.source.append(0, value)
        assembly.emit(old, "behind", partition=0)
        assembly.emit(old, "beside", partition=1)
        await eventually(lambda: "beside" in assembly.told)
        await eventually(lambda: assembly.seen.of(DependencyUnavailable))
        assert "behind" not in assembly.told
        registry.start()
        await assembly.at_rest()
    assert assembly.told.index("order-1") < assembly.told.index("behind")
    assert assembly.buried == []


async def test_an_unknown_id_is_a_dead_letter_and_what_is_behind_it_goes_on(registry: Registry) -> None:
    """The bound is waited out, the log says it once, the letter names the id."""
    known = registry.register("orders-value", SCHEMA)
    assembly = Assembly(registry)
    assembly.emit(99, "lost")
    assembly.emit(known, "found")
    assembly.emit(99, "lost too")
    async with assembly.running(0):
        await assembly.at_rest()
    assert assembly.told == ["found"]
    assert assembly.buried == [(0, "unknown_schema_id"), (2, "unknown_schema_id")]
    assert "schema id 99" in assembly.letters.letters[0][1].message
    assert len(assembly.seen.of(WriterSchemaUnusable)) == 1


async def test_an_id_that_replicates_late_is_delivered(registry: Registry) -> None:
    """A record may be there before its schema."""
    schema_id = registry.register("orders-value", SCHEMA)
    registry.faults.unknown_ids.add(schema_id)
    assembly = Assembly(registry)
    assembly.emit(schema_id, "late")
    async with assembly.running(0):
        await eventually(lambda: registry.asked_for(schema_id) >= 2)
        registry.faults.unknown_ids.clear()
        await assembly.at_rest()
    assert (assembly.told, assembly.buried) == (["late"], [])


async def test_wrong_credentials_are_waited_out_with_the_setting_named() -> None:
    """A refused password is nobody's record; once it is right, everything is delivered."""
    passwords = ["wrong-password"]
    with Registry(credentials=("connector", "right-password")) as registry:
        schema_id = registry.register("orders-value", SCHEMA)
        options = RegistryOptions(registry.url, username="connector", read_password=lambda: passwords[0])
        assembly = Assembly(registry, options)
        assembly.emit(schema_id, "order")
        async with assembly.running(0):
            refusals = await eventually(lambda: assembly.seen.of(DependencyUnavailable))
            assert "refuses the credentials (401); check schema_registry.username" in refusals[0].message
            assert "wrong-password" not in repr(assembly.seen.seen)
            passwords[0] = "right-password"
            await assembly.at_rest()
    assert (assembly.told, assembly.buried) == (["order"], [])


async def test_records_of_a_schema_that_lacks_fields_are_dead_letters_and_others_go_on(registry: Registry) -> None:
    """The letters name the id and what is missing; the log says it once for the id."""
    lacking = {**SCHEMA, "fields": [one for one in SCHEMA["fields"] if one["name"] != "occurred_at"]}
    bad, good = registry.register("other-value", lacking), registry.register("orders-value", SCHEMA)
    assembly = Assembly(registry)
    for number in range(3):
        assembly.emit(bad, f"bad-{number}", writer=lacking)
        assembly.emit(good, f"good-{number}")
    async with assembly.running(0):
        await assembly.at_rest()
    assert sorted(assembly.told) == ["good-0", "good-1", "good-2"]
    assert assembly.buried == [(offset, "writer_schema_lacks_fields") for offset in (0, 2, 4)]
    assert f"schema id {bad}: the writer's schema lacks" in assembly.letters.letters[0][1].message
    assert "occurred_at" in assembly.letters.letters[0][1].message
    assert len(assembly.seen.of(WriterSchemaUnusable)) == 1


async def test_a_batch_is_complete_when_all_of_its_events_are(registry: Registry) -> None:
    """A bad event is a dead letter with its place in the batch, the others are told, an empty batch is complete."""
    writer = {
        "type": "record",
        "name": "Batch",
        "fields": [{"name": "events", "type": {"type": "array", "items": SCHEMA}}],
    }
    schema_id = registry.register("orders-value", writer)
    events = [small_event("1"), small_event("not money"), small_event("3")]
    for number, event in enumerate(events):
        event["product_action"]["transaction_id"] = f"order-{number}"
    assembly = Assembly(registry)
    for events_of_one in (events, []):
        value = b"\x00" + schema_id.to_bytes(4, "big") + body({"events": events_of_one}, writer)
        assembly.source.append(0, value)
    async with assembly.running(0):
        await assembly.at_rest()
    assert sorted(assembly.told) == ["order-0", "order-2"]
    ((record, letter),) = assembly.letters.letters
    assert (record.offset, letter.event_index, letter.reason) == (0, 1, "bad_amount")


async def test_all_partitions_that_wait_cost_one_request(registry: Registry) -> None:
    """A fleet's start does not fall on the registry partition by partition."""
    schema_id = registry.register("orders-value", SCHEMA)
    registry.faults.delay_seconds = 0.1
    assembly = Assembly(registry)
    for partition in range(16):
        assembly.emit(schema_id, f"order-{partition}", partition=partition)
    async with assembly.running(*range(16)):
        await assembly.at_rest()
    assert registry.asked_for(schema_id) == 1
    assert len(assembly.told) == 16
