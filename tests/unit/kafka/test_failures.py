# SPDX-License-Identifier: Apache-2.0
"""Which errors need an operator."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from connector.engine.observations import DependencyUnavailable
from connector.kafka import codes
from connector.kafka.dead_letters import is_fatal
from connector.kafka.failures import Complaints, Place, failure_of, is_unreleased

TRANSPORT = -195


def test_a_fatal_error_is_known_by_its_code() -> None:
    """The message that brings it says of itself that it is not fatal [17, 56]."""
    error = KafkaError(codes.FATAL, "fenced")
    assert not error.fatal()
    assert is_fatal(error)
    failure = failure_of(error, Place(), is_starting=False)
    assert failure is not None
    assert "fenced" in failure.reason


def test_an_id_that_is_not_released_yet_is_no_other_fatal_error() -> None:
    """[56] The client says of both that they are fatal, and of neither which it is, but by words."""
    words = "Fatal error: Broker: The instance ID is still used by another member in the consumer group: and more"
    assert is_unreleased(KafkaError(codes.FATAL, words))
    assert is_unreleased(KafkaError(KafkaError.UNRELEASED_INSTANCE_ID))
    assert not is_unreleased(KafkaError(codes.FATAL, "Fatal error: Broker: Static consumer fenced by other consumer"))
    assert not is_unreleased(KafkaError(KafkaError.FENCED_INSTANCE_ID))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (codes.AUTO_OFFSET_RESET, "--reset-offsets"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "READ"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "kafka.group_id"),
        (KafkaError.INCONSISTENT_GROUP_PROTOCOL, "kafka.group_id"),
    ],
)
def test_what_no_waiting_helps_is_a_failure_with_its_place_and_remedy(code: int, says: str) -> None:
    """Topic, partition and offset are named where the client says them."""
    failure = failure_of(KafkaError(code), Place("orders", 3, 77), is_starting=False)
    assert failure is not None
    assert "orders/3 at offset 77" in failure.reason
    assert says in failure.reason


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, codes.UNKNOWN_TOPIC, codes.AUTHENTICATION])
def test_what_may_pass_later_is_a_failure_only_at_the_start(code: int) -> None:
    """A topic is briefly unknown while brokers restart; at the start it is a wrong name."""
    assert failure_of(KafkaError(code), Place("orders"), is_starting=True) is not None
    assert failure_of(KafkaError(code), Place("orders"), is_starting=False) is None


@pytest.mark.parametrize(
    "code",
    [codes.ALL_BROKERS_DOWN, TRANSPORT, KafkaError.NOT_COORDINATOR, KafkaError.REBALANCE_IN_PROGRESS],
)
def test_an_outage_is_no_failure(code: int) -> None:
    """The broker will be back; the connector waits."""
    assert failure_of(KafkaError(code), Place(), is_starting=True) is None


def test_an_error_that_comes_all_the_time_is_told_once_in_a_while() -> None:
    """The client repeats a refused connection many times a second."""
    complaints = Complaints("kafka")
    told = [complaints.about(KafkaError(TRANSPORT, "refused"), now / 20) for now in range(20 * 60)]
    observations = [each for each in told if each is not None]
    assert len(observations) == 2
    assert all(isinstance(each, DependencyUnavailable) and each.name == "kafka" for each in observations)
    assert complaints.about(KafkaError(codes.ALL_BROKERS_DOWN, "all down"), 1.0) is not None
