# SPDX-License-Identifier: Apache-2.0
"""Which topic a name stands for, asked of a real broker, of a missing topic and of nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.kafka.options import KafkaConnection
from connector.kafka.origins import origins_of
from tests.support.kafka_broker import unique_topic

if TYPE_CHECKING:
    from tests.support.kafka_broker import Broker


def test_a_topic_is_known_by_its_id_and_its_cluster(kafka: Broker) -> None:
    """Made anew under its old name it would be another one."""
    one, other = (kafka.create_topic(unique_topic("origin"), 1) for _ in range(2))
    origins = origins_of(KafkaConnection(kafka.bootstrap_servers), [one, other])
    assert origins is not None
    assert origins[one].cluster == origins[other].cluster != ""
    assert len({one, other, origins[one].topic_id, origins[other].topic_id}) == 4


def test_silence_is_no_answer() -> None:
    """An event that is known by where it lies would be another one after a restart, and a refund be taken off twice."""
    assert origins_of(KafkaConnection("127.0.0.1:1"), ["events"], timeout_seconds=0.3) is None


def test_a_topic_that_is_not_there_goes_by_its_name(kafka: Broker) -> None:
    """Whether it is missing is another question's business."""
    missing = unique_topic("missing")
    origins = origins_of(KafkaConnection(kafka.bootstrap_servers), [missing])
    assert origins is not None
    assert origins[missing].topic_id == missing
