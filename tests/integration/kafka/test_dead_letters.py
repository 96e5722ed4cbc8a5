# SPDX-License-Identifier: Apache-2.0
"""Dead letters on a real broker."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.domain.dead_letter import DeadLetter, Stage
from connector.engine.observations import DependencyUnavailable
from connector.engine.ports import RawRecord, TopicPartition
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.options import DeadLetterOptions, KafkaConnection
from tests.integration.kafka.parts import Observations
from tests.support.kafka_broker import unique_topic
from tests.support.polling import eventually, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.support.kafka_broker import Broker

LETTER = DeadLetter("orders", 3, 77, 1, Stage.MAP, "over_refund", "more than is left", 2, 1_700_000_000_000, "M-1")
LETTER_HEADERS = [
    ("button-connector.topic", b"orders"),
    ("button-connector.partition", b"3"),
    ("button-connector.offset", b"77"),
    ("button-connector.event-index", b"1"),
    ("button-connector.stage", b"map"),
    ("button-connector.reason", b"over_refund"),
    ("button-connector.message", b"more than is left"),
    ("button-connector.attempts", b"2"),
    ("button-connector.time", b"1700000000000"),
    ("button-connector.order-id", b"M-1"),
    ("button-connector.cluster", b""),
    ("button-connector.topic-id", b""),
    ("button-connector.record-time", b"0"),
]


def _record(
    key: bytes | None = b"\x00key\xff",
    value: bytes | None = b"\x00value\xff",
    headers: tuple[tuple[str, bytes | None], ...] = (),
) -> RawRecord:
    return RawRecord(TopicPartition("orders", 3), 77, key, value, headers, 1_700_000_000_000)


@asynccontextmanager
async def _dead_letters(
    broker: Broker,
    topic: str,
    observations: Observations,
    properties: Mapping[str, str] | None = None,
    *,
    is_reference: bool = False,
) -> AsyncIterator[KafkaDeadLetters]:
    connection = KafkaConnection(broker.bootstrap_servers, properties or {})
    letters = KafkaDeadLetters(
        DeadLetterOptions(connection, topic, is_reference, retry_seconds=0.1, max_retry_seconds=0.5),
        observations,
    )
    try:
        yield letters
    finally:
        await letters.close(5.0)


def _read(broker: Broker, topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": unique_topic("look")})
    consumer.assign([KafkaTopicPartition(topic, 0, OFFSET_BEGINNING)])
    found: list[Message] = []

    def enough() -> bool:
        found.extend(consumer.consume(count, 0.2))
        return len(found) >= count

    try:
        wait_until(enough, 20)
    finally:
        consumer.close()
    return found


async def test_a_dead_letter_keeps_the_record_intact(kafka: Broker) -> None:
    """Key, value and headers, byte for byte, null and repeated ones too; the letter's own headers come behind."""
    topic = kafka.create_topic(unique_topic("dead"))
    headers = (("trace", b"\xff\x00"), ("none", None), ("trace", b"again"))
    async with _dead_letters(kafka, topic, Observations()) as letters:
        await letters.write(_record(headers=headers), LETTER)
        await letters.write(_record(key=None, value=None), LETTER)
    full, empty = _read(kafka, topic, 2)
    assert (full.key(), full.value()) == (b"\x00key\xff", b"\x00value\xff")
    assert full.headers() == [*headers, *LETTER_HEADERS]
    assert (empty.key(), empty.value(), empty.headers()) == (None, None, LETTER_HEADERS)


async def test_a_reference_holds_nothing_of_the_record_but_what_identifies_it(kafka: Broker) -> None:
    """Neither key nor value nor the producer's headers: they may name a person. A replay is still known for one."""
    topic = kafka.create_topic(unique_topic("dead"))
    headers = (("customer", b"jane"), ("button-connector.replay-count", b"2"))
    async with _dead_letters(kafka, topic, Observations(), is_reference=True) as letters:
        await letters.write(_record(headers=headers), LETTER)
    (reference,) = _read(kafka, topic, 1)
    assert (reference.key(), reference.value()) == (None, None)
    assert reference.headers() == [
        ("button-connector.replay-count", b"2"),
        ("button-connector.value-size", b"7"),
        ("button-connector.value-sha256", hashlib.sha256(b"\x00value\xff").hexdigest().encode()),
        *LETTER_HEADERS,
    ]


async def test_a_dead_letter_waits_for_its_topic(kafka: Broker) -> None:
    """It is not done before it is durable: it is produced again until the topic takes it [26]."""
    topic = unique_topic("dead")
    observations = Observations()
    quickly = {"topic.metadata.propagation.max.ms": "200", "topic.metadata.refresh.interval.ms": "500"}
    async with _dead_letters(kafka, topic, observations, quickly) as letters:
        writing = asyncio.create_task(letters.write(_record(), LETTER))
        await eventually(lambda: any(isinstance(each, DependencyUnavailable) for each in observations), 20)
        assert not writing.done()
        await asyncio.to_thread(kafka.create_topic, topic)
        await asyncio.wait_for(writing, 30)
        assert len(observations) < 5
    assert _read(kafka, topic, 1)[0].value() == b"\x00value\xff"


async def test_dead_letters_outlast_a_broker(own_kafka: Broker) -> None:
    """A broker that dies under them costs time, and neither loses nor doubles one [26, 30]."""
    topic = own_kafka.create_topic(unique_topic("dead"))
    async with _dead_letters(own_kafka, topic, Observations()) as letters:
        await letters.write(_record(value=b"0"), LETTER)
        own_kafka.kill()
        writing = [asyncio.create_task(letters.write(_record(value=b"%d" % each), LETTER)) for each in range(1, 20)]
        await asyncio.to_thread(own_kafka.restart)
        await asyncio.wait_for(asyncio.gather(*writing), 60)
    assert [each.value() for each in _read(own_kafka, topic, 20)] == [b"%d" % each for each in range(20)]


async def test_a_value_that_the_topic_refuses_for_its_size_is_written_as_a_reference(kafka: Broker) -> None:
    """Size and digest stand for the value; an endless retry would pin the partition for ever [29, 40]."""
    topic = kafka.create_topic(unique_topic("dead"), 1, {"max.message.bytes": "10000"})
    value = bytes(range(256)) * 400
    async with _dead_letters(kafka, topic, Observations()) as letters:
        await asyncio.wait_for(letters.write(_record(value=value), LETTER), 30)
    (found,) = _read(kafka, topic, 1)
    assert (found.key(), found.value()) == (b"\x00key\xff", None)
    assert found.headers() == [
        ("button-connector.value-size", b"102400"),
        ("button-connector.value-sha256", hashlib.sha256(value).hexdigest().encode()),
        *LETTER_HEADERS,
    ]


async def test_a_full_queue_delays_letters_and_loses_none(kafka: Broker) -> None:
    """More at once than the client's queue holds: each is written once [30]."""
    topic = kafka.create_topic(unique_topic("dead"))
    async with _dead_letters(kafka, topic, Observations(), {"queue.buffering.max.messages": "10"}) as letters:
        await asyncio.gather(*(letters.write(_record(value=b"%d" % each), LETTER) for each in range(200)))
    assert {each.value() for each in _read(kafka, topic, 200)} == {b"%d" % each for each in range(200)}
