# SPDX-License-Identifier: Apache-2.0
"""Headers that others wrote, as they come out of a topic."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from connector.engine.ports import TopicPartition
from connector.kafka.options import KafkaConnection, SourceOptions
from connector.kafka.whole_topic import WholeTopicOptions, read_whole
from tests.integration.kafka.parts import member
from tests.support.polling import eventually
from tests.support.raw_headers import produce_with_header

if TYPE_CHECKING:
    from collections.abc import Iterator

# Often enough for the interpreter to make its own shortcuts.
NAMES = (b"name", b"\xff\xfe", b"", b"\xed\xa0\x80", "größe".encode()) * 10
AS_READ = [[("name", b"v")], [], [("", b"v")], [], [("größe", b"v")]] * 10


@pytest.fixture
def bootstrap_servers() -> Iterator[str]:
    """Give a Kafka in memory with a topic of such records: the client is what is tried here, not the brokers."""
    command = (sys.executable, "-m", "connector.sandbox.embedded_kafka", "--topic", "orders:1")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as kafka:  # noqa: S603  our own interpreter
        assert kafka.stdin is not None
        assert kafka.stdout is not None
        address = kafka.stdout.readline().strip()
        for number, name in enumerate(NAMES):
            produce_with_header(address, "orders", b"v%d" % number, name)
        yield address
        kafka.stdin.close()


async def test_a_header_whose_name_is_not_text_stops_nobody(bootstrap_servers: str) -> None:
    """The record is delivered without its headers, and what lies behind it, too; so for a topic that is read whole."""
    connection = KafkaConnection(bootstrap_servers)
    async with member(SourceOptions(connection, "group", ("orders",), session_timeout_ms=6_000)) as one:
        await eventually(lambda: len(one.intake.records) == len(NAMES), 30)
        assert one.intake.offsets(TopicPartition("orders", 0)) == list(range(len(NAMES)))
        assert [[*each.headers] for each in one.intake.records] == AS_READ
    whole = WholeTopicOptions(connection, "orders", "kafka.topics", "other", 20)
    assert [[*each.headers] for records in read_whole(whole) for each in records] == AS_READ
