# SPDX-License-Identifier: Apache-2.0
"""The broker that the tests start keeps what chaos tests rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from tests.support.kafka_broker import unique_topic
from tests.support.polling import wait_until

if TYPE_CHECKING:
    from tests.support.kafka_broker import Broker

_ROOT = Path(__file__).parents[2]


def test_a_topic_has_the_partitions_and_the_settings_asked_for(kafka: Broker) -> None:
    """A created topic can be used at once and is as it was asked for."""
    topic = kafka.create_topic(unique_topic("made"), 3, {"cleanup.policy": "compact"})
    assert len(kafka.admin().list_topics(topic, timeout=10).topics[topic].partitions) == 3


def test_a_killed_broker_comes_back_with_its_records_at_its_address(own_kafka: Broker) -> None:
    """After a kill and a restart the same clients find the records that were acknowledged before."""
    topic = own_kafka.create_topic(unique_topic("kept"))
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap_servers, "log_level": 0})
    producer.produce(topic, b"before")
    assert producer.flush(10) == 0
    own_kafka.kill()
    own_kafka.restart()
    producer.produce(topic, b"after")
    assert producer.flush(30) == 0
    assert _values(own_kafka, topic, 2) == [b"before", b"after"]


def test_a_guarded_process_never_outlives_the_tests() -> None:
    """When the tests are killed, what they started ends, too."""
    script = (
        "import subprocess; from tests.support.kafka_jvm import guard\n"
        "started = subprocess.Popen(['sleep', '600']); guard(started.pid)\n"
        "print(started.pid, flush=True); input()"
    )
    with subprocess.Popen(  # noqa: S603  our own interpreter
        [sys.executable, "-c", script],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        assert _runs(pid)
        os.kill(tests.pid, signal.SIGKILL)
    wait_until(lambda: not _runs(pid), awaiting=f"the end of process {pid}")


def _runs(pid: int) -> bool:
    """Tell whether the process runs; one that ended but was not reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _values(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    settings = {"bootstrap.servers": broker.bootstrap_servers, "group.id": unique_topic("group"), "log_level": 0}
    consumer = Consumer(settings)
    try:
        consumer.assign([KafkaPartition(topic, 0, 0)])
        return [message.value() for message in consumer.consume(count, 30)]
    finally:
        consumer.close()
