# SPDX-License-Identifier: Apache-2.0
"""A sessions topic must be compacted; what is made of brokers that do not say."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from connector.demo.parts import start_kafka
from connector.kafka.compaction import check_compaction
from connector.kafka.options import KafkaConnection
from tests.support.kafka_broker import Broker, free_port, unique_topic

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("policy", ["compact", "compact,delete", "delete,compact"])
def test_a_compacted_topic_is_fine(kafka: Broker, policy: str) -> None:
    """Deleting very old tokens besides is the operator's business."""
    topic = kafka.create_topic(unique_topic("sessions"), 1, {"cleanup.policy": policy})
    assert check_compaction(KafkaConnection(kafka.bootstrap_servers), topic, must_be_known=True) is None


@pytest.mark.parametrize("must_be_known", [True, False])
def test_a_topic_that_is_not_compacted_is_refused(kafka: Broker, must_be_known: bool) -> None:  # noqa: FBT001  a parameter
    """Its tokens would be deleted by age; no setting makes that right."""
    topic = kafka.create_topic(unique_topic("sessions"))
    problem = check_compaction(KafkaConnection(kafka.bootstrap_servers), topic, must_be_known=must_be_known)
    assert problem is not None
    assert (problem.setting, problem.may_pass) == ("sessions.topic", False)
    assert f"topic {topic!r} is not compacted (cleanup.policy is delete)" in problem.message
    assert "Set its cleanup.policy to compact" in problem.message


@pytest.mark.parametrize("must_be_known", [True, False])
def test_brokers_that_do_not_say_are_the_settings_business(kafka: Broker, must_be_known: bool) -> None:  # noqa: FBT001  a parameter
    """The reason is told, and both remedies: the right to ask, and the setting."""
    connection = KafkaConnection(kafka.bootstrap_servers)
    problem = check_compaction(connection, unique_topic("nowhere"), must_be_known=must_be_known)
    assert problem is not None
    assert (problem.setting, problem.may_pass) == ("sessions.compaction_unknown", not must_be_known)
    assert "UNKNOWN_TOPIC_OR_PART" in problem.message
    assert "DESCRIBE_CONFIGS" in problem.message
    assert "set sessions.compaction_unknown to warn" in problem.message


def test_where_the_start_does_not_depend_on_it_the_answer_is_not_waited_for_long(tmp_path: Path) -> None:
    """The embedded Kafka of the demo never answers; its connector starts all the same."""
    with ExitStack() as stack:
        _, bootstrap_servers = start_kafka(stack, tmp_path, {"sessions": 1})
        began = time.monotonic()
        problem = check_compaction(KafkaConnection(bootstrap_servers), "sessions", must_be_known=False)
        assert time.monotonic() - began < 3
    assert problem is not None
    assert problem.may_pass
    assert "_TIMED_OUT" in problem.message


@pytest.mark.parametrize("must_be_known", [True, False])
def test_a_cluster_that_is_gone_is_one_that_does_not_say(must_be_known: bool) -> None:  # noqa: FBT001  a parameter
    """The question ends, whoever is not there; that nobody answers passes, so it is no reason to give the start up."""
    connection = KafkaConnection(f"127.0.0.1:{free_port()}")
    problem = check_compaction(connection, "sessions", must_be_known=must_be_known)
    assert problem is not None
    assert problem.may_pass
