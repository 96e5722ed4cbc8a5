# SPDX-License-Identifier: Apache-2.0
"""Reading a topic once: to where it ended when it was asked, whatever lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import Producer

from connector.kafka.options import KafkaConnection
from connector.kafka.whole_topic import HowFar, WholeTopicOptions, read_whole
from tests.support.kafka_broker import unique_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.kafka_broker import Broker


def _options(broker: Broker, topic: str, report: Callable[[HowFar], None] = lambda _: None) -> WholeTopicOptions:
    connection = KafkaConnection(broker.bootstrap_servers)
    return WholeTopicOptions(connection, topic, "ledger.topic", unique_topic("group"), 20, report, report_seconds=0)


def _values(options: WholeTopicOptions, choose: Callable[[int], Iterable[int]] = range) -> list[bytes | None]:
    return [record.value for records in read_whole(options, choose) for record in records]


def test_a_topic_that_ends_with_a_transaction_s_mark_is_read_to_its_end(kafka: Broker) -> None:
    """[39] The mark is an offset without a record; what was aborted is not seen, an empty partition not waited for."""
    topic = kafka.create_topic(unique_topic("whole"), 3)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": unique_topic("writer"), "log_level": 0},
    )
    producer.init_transactions(20)
    for value, ends in ((b"kept", producer.commit_transaction), (b"aborted", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(topic, value, b"k", 0, headers=[("h", b"1")])
        producer.produce(topic, value, b"k", 2)
        producer.flush(20)
        ends(20)
    reports: list[HowFar] = []
    assert _values(_options(kafka, topic, reports.append)) == [b"kept", b"kept"]
    assert reports[-1] == HowFar(topic, 8, 8)
    assert _values(_options(kafka, topic), lambda count: (count - 1,)) == [b"kept"]
    assert _values(_options(kafka, topic), lambda _: (1,)) == []


def test_what_is_written_meanwhile_is_not_waited_for(kafka: Broker) -> None:
    """Else a busy topic would never be read."""
    topic = kafka.create_topic(unique_topic("whole"))
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for number in range(1_500):
        producer.produce(topic, b"%d" % number)
    producer.flush(20)
    seen = 0
    for records in read_whole(_options(kafka, topic)):
        producer.produce(topic, b"later")
        producer.flush(20)
        assert all(record.value != b"later" for record in records)
        seen += len(records)
    assert seen == 1_500
