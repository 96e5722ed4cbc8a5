# SPDX-License-Identifier: Apache-2.0
"""Headers that others wrote, as they come out of a real topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.engine.ports import TopicPartition
from connector.kafka.options import KafkaConnection
from connector.kafka.whole_topic import WholeTopicOptions, read_whole
from tests.integration.kafka.parts import member, options, topic_of
from tests.support.kafka_broker import unique_topic
from tests.support.polling import eventually
from tests.support.raw_headers import produce_with_header

if TYPE_CHECKING:
    from tests.support.kafka_broker import Broker

NAMES = (b"name", b"\xff\xfe", b"", b"\xed\xa0\x80", "größe".encode())
AS_READ = [[("name", b"v")], [], [("", b"v")], [], [("größe", b"v")]]


async def test_a_header_whose_name_is_not_text_stops_nobody(kafka: Broker) -> None:
    """The record is delivered without its headers, and what lies behind it, too; so for a topic that is read whole."""
    topic = topic_of(kafka)
    for number, name in enumerate(NAMES):
        produce_with_header(kafka.bootstrap_servers, topic, b"v%d" % number, name)
    async with member(options(kafka, topic)) as one:
        await eventually(lambda: len(one.intake.records) == len(NAMES))
        assert one.intake.offsets(TopicPartition(topic, 0)) == list(range(len(NAMES)))
        assert [[*each.headers] for each in one.intake.records] == AS_READ
    whole = WholeTopicOptions(
        KafkaConnection(kafka.bootstrap_servers),
        topic,
        "kafka.topics",
        unique_topic("group"),
        20,
    )
    assert [[*each.headers] for records in read_whole(whole) for each in records] == AS_READ
