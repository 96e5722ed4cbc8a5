# SPDX-License-Identifier: Apache-2.0
"""What a group's life does to orders: the real engine behind the real source, on a real broker."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.observations import PartitionsAssigned, PartitionsLost
from connector.engine.ports import TopicPartition
from tests.integration.kafka.engine_member import Button, engine_member
from tests.integration.kafka.parts import add_partitions, committed, member, options, produce, produce_aborted, topic_of
from tests.support.kafka_broker import unique_topic
from tests.support.polling import eventually

if TYPE_CHECKING:
    from connector.kafka.options import SourceOptions
    from tests.support.kafka_broker import Broker

BOTH_PROTOCOLS = pytest.mark.parametrize("group_protocol", ["classic", "consumer"])
REQUEST_SECONDS = 15.0


def _ends(broker: Broker, topic: str) -> dict[int, int]:
    """Return where the partitions end, as an operator's tool sees it."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": unique_topic("look")})
    try:
        numbers = consumer.list_topics(topic, timeout=REQUEST_SECONDS).topics[topic].partitions
        found = {
            each: consumer.get_watermark_offsets(KafkaTopicPartition(topic, each), REQUEST_SECONDS) for each in numbers
        }
        return {each: ends[1] for each, ends in found.items()}
    finally:
        consumer.close()


def _is_at_rest(broker: Broker, settings: SourceOptions) -> bool:
    """Tell whether all that lies in the topic is committed."""
    (topic,) = settings.topics
    held = {each.partition: offset for each, (offset, _) in committed(broker, settings.group_id).items()}
    return held == _ends(broker, topic)


def _produce_committed(broker: Broker, topic: str, first: int, count: int) -> None:
    """Write records in a transaction that is committed: its marker takes an offset that no reader gets."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": unique_topic("tx")})
    producer.init_transactions(REQUEST_SECONDS)
    producer.begin_transaction()
    for number in range(first, first + count):
        producer.produce(topic, b"v%d" % number, b"k%d" % number, partition=0)
    producer.commit_transaction(REQUEST_SECONDS)


def _stay(until: threading.Event) -> None:
    """Get stuck."""
    until.wait()


def _orders(*numbers: int) -> list[str]:
    return [f"o-{number}" for number in numbers]


@BOTH_PROTOCOLS
async def test_a_join_while_calls_are_slow_waits_for_them(kafka: Broker, group_protocol: str) -> None:
    """[7, 9, 10, 11, 15] Calls under way end, and the heir begins with the lowest record that did not."""
    settings = options(kafka, topic_of(kafka, 2), group_protocol=group_protocol, session_timeout_ms=30_000)
    for partition in range(2):
        produce(kafka, settings.topics[0], 40, partition, first=100 * partition)
    button = Button(seconds=0.7)
    async with engine_member(settings, button) as one:
        # Whichever partition moves, some of it is done.
        await eventually(lambda: {int(each[2:]) // 100 for each in button.orders()} == {0, 1}, 30)
        async with engine_member(settings, button, "two") as two:
            await eventually(lambda: one.owns(1) and two.owns(1), 30)
            starts = [each.starts for each in two.observed if isinstance(each, PartitionsAssigned) and each.starts]
            await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
    ((moved, start),) = starts[0].items()
    by_one = {int(each.order_id[2:]) - 100 * moved.partition for each in button.told if each.member == "one"}
    assert start == min({*range(40)} - by_one, default=40)
    assert start > 0
    assert set(button.orders()) == set(_orders(*range(40), *range(100, 140)))
    assert button.overlaps() == []


@BOTH_PROTOCOLS
async def test_a_partition_handed_back_waits_for_the_call_that_still_runs(kafka: Broker, group_protocol: str) -> None:
    """[6] It was given up unfinished and read anew; its order must not be on two workers at once."""
    settings = options(kafka, topic_of(kafka, 2), group_protocol=group_protocol, drain_seconds=0.2)
    for partition in range(2):
        produce(kafka, settings.topics[0], 1, partition, first=partition)
    button = Button()
    button.answers.clear()
    async with engine_member(settings, button) as one:
        await eventually(lambda: len(button.begun) == 2, 30)
        async with member(settings) as passing:  # makes no calls
            await eventually(lambda: len(passing.intake.records) == 1, 30)
            (record,) = passing.intake.records
        await eventually(partial(one.owns, 2), 30)
        # Behind the record that came back, so that it is known to have been taken in.
        produce(kafka, settings.topics[0], 1, record.topic_partition.partition, first=7)
        await eventually(lambda: ("o-7", "one") in button.begun, 30)
        assert sorted(order_id for order_id, _ in button.begun) == ["o-0", "o-1", "o-7"]
        button.answers.set()
        await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
    again = f"o-{record.topic_partition.partition}"
    assert sorted(button.orders()) == sorted([*_orders(0, 1, 7), again])
    assert button.overlaps() == []


@BOTH_PROTOCOLS
async def test_who_did_not_poll_in_time_makes_no_call_until_it_is_a_member_again(
    kafka: Broker,
    group_protocol: str,
) -> None:
    """[17, 52, 53] The thread that polls is stuck past max.poll.interval: another one goes on, nobody crosses it."""
    topic = topic_of(kafka)
    shortest = kafka.shortest_session_ms
    if group_protocol == "consumer":
        kafka.end_sessions_after(f"group-{topic}", shortest)
    produce(kafka, topic, 60)
    button = Button(seconds=0.2)
    settings = options(
        kafka,
        topic,
        group_protocol=group_protocol,
        session_timeout_ms=shortest,
        max_poll_interval_ms=shortest,
        call_seconds=0.4,
        drain_seconds=0.5,
    )
    patient = replace(settings, max_poll_interval_ms=30_000)
    released = threading.Event()
    async with engine_member(settings, button) as stuck:
        await eventually(lambda: len(button.told) >= 8, 30)
        stuck.source._poll_thread.submit(lambda: _stay(released))  # noqa: SLF001  there is no polite way
        async with engine_member(patient, button, "heir") as heir:
            await eventually(partial(heir.owns, 1), 40)
            await eventually(partial(_is_at_rest, kafka, settings), 40, interval_seconds=0.2)
            released.set()
            await eventually(lambda: any(isinstance(each, PartitionsLost) for each in stuck.observed), 30)
            produce(kafka, topic, 5, first=60)
            await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
        produce(kafka, topic, 5, first=65)
        await eventually(lambda: set(button.orders()) == set(_orders(*range(70))), 40)
    heirs = [each for each in button.told if each.member == "heir"]
    behind = [each for each in button.told if each.member == "one" and heirs[0].began < each.began < heirs[-1].ended]
    assert behind == []
    assert button.overlaps() == []
    assert {each.order_id for each in heirs} >= set(_orders(*range(60, 65)))


@BOTH_PROTOCOLS
async def test_partitions_that_are_added_while_orders_flow_are_read_whole(kafka: Broker, group_protocol: str) -> None:
    """[4, 36, 38] Also where a new group would begin at the end: what came before it was noticed is not skipped."""
    settings = options(kafka, topic_of(kafka), group_protocol=group_protocol, start="latest")
    (topic,) = settings.topics
    button = Button(seconds=0.01)
    async with engine_member(settings, button) as one:
        await eventually(partial(one.owns, 1), 30)
        produce(kafka, topic, 50)
        add_partitions(kafka, topic, 3)
        for partition in range(3):
            produce(kafka, topic, 50, partition, first=100 * (partition + 1))
        await eventually(partial(one.owns, 3), 30)
        await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
    wanted = [*range(50), *range(100, 150), *range(200, 250), *range(300, 350)]
    assert sorted(button.orders()) == sorted(_orders(*wanted))


@BOTH_PROTOCOLS
async def test_of_transactions_what_was_committed_is_told_and_all_is_passed(kafka: Broker, group_protocol: str) -> None:
    """[33, 39] Markers and aborted records take offsets, also the last ones: committed = end, and nothing twice."""
    settings = options(kafka, topic_of(kafka), group_protocol=group_protocol)
    (topic,) = settings.topics
    produce_aborted(kafka, topic, 3)
    _produce_committed(kafka, topic, 0, 10)
    produce_aborted(kafka, topic, 2)
    _produce_committed(kafka, topic, 10, 10)
    produce_aborted(kafka, topic, 5)
    button = Button()
    async with engine_member(settings, button):
        await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
    async with engine_member(settings, button) as again:
        await eventually(partial(again.owns, 1), 30)
        _produce_committed(kafka, topic, 20, 1)
        await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
    assert sorted(button.orders()) == sorted(_orders(*range(21)))


@BOTH_PROTOCOLS
async def test_a_partition_that_never_had_a_record_is_at_rest_and_then_read(kafka: Broker, group_protocol: str) -> None:
    """[4, 37, 62] It has a committed offset from the first, so that its first record is nobody's guess."""
    settings = options(kafka, topic_of(kafka, 2), group_protocol=group_protocol, start="latest")
    (topic,) = settings.topics
    dry = TopicPartition(topic, 1)
    button = Button()
    async with engine_member(settings, button) as one:
        await eventually(partial(one.owns, 2), 30)
        produce(kafka, topic, 5)
        await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
        assert committed(kafka, settings.group_id)[dry][0] == 0
    produce(kafka, topic, 1, partition=1, first=9)
    async with engine_member(settings, button):
        await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
    assert sorted(button.orders()) == _orders(*range(5), 9)


async def test_a_compacted_source_is_told_as_far_as_it_is_left(kafka: Broker) -> None:
    """[33] Offsets that compaction took away are waited for by nobody."""
    config = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.01",
        "segment.ms": "100",
        "max.compaction.lag.ms": "200",
        "delete.retention.ms": "0",
    }
    settings = options(kafka, topic_of(kafka, 1, config))
    (topic,) = settings.topics
    for _ in range(3):
        produce(kafka, topic, 20)

    def offsets_left() -> list[int]:
        """Return the offsets that are left, once they have gaps."""
        produce(kafka, topic, 1, first=1000)  # rolls the segment, so that it can be compacted
        consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "group.id": unique_topic("look"),
                "enable.partition.eof": True,
            },
        )
        consumer.assign([KafkaTopicPartition(topic, 0, 0)])
        offsets = []
        while (message := consumer.poll(REQUEST_SECONDS)) is not None and message.error() is None:
            offsets.append(message.offset() or 0)
        consumer.close()
        return offsets if len(offsets) < offsets[-1] + 1 else []

    await eventually(offsets_left, 60, interval_seconds=0.5)
    button = Button()
    async with engine_member(settings, button):
        await eventually(partial(_is_at_rest, kafka, settings), 30, interval_seconds=0.2)
    told = button.orders()
    assert set(told) == set(_orders(*range(20), 1000))
    assert len(told) < 3 * 20
