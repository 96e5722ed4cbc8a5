# SPDX-License-Identifier: Apache-2.0
"""Whether a topic is compacted, as a topic that tables are made from must be.

Owns the question and what its answers mean. A topic that is not compacted loses by age what is still true. Brokers may
not say: they do not answer in time, or do not allow the question; what then is the caller's choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import ConfigResource as Resource  # type: ignore[attr-defined]  # the stubs export it not
from confluent_kafka.admin import ResourceType as Type  # type: ignore[attr-defined]  # as above

from connector.kafka.codes import ALL_BROKERS_DOWN, TIMED_OUT, TRANSPORT
from connector.kafka.failures import kafka_error
from connector.kafka.topics import Problem

if TYPE_CHECKING:
    from connector.kafka.options import KafkaConnection

_POLICY = "cleanup.policy"
_SILENCE = frozenset((ALL_BROKERS_DOWN, TIMED_OUT, TRANSPORT))
_DECISIVE_SECONDS = 10.0
_HINT_SECONDS = 1.0
"""How long the answer is waited for where the start does not depend on it."""


class _Answer(NamedTuple):
    """The topic's policy, or why it is not known."""

    policy: str | None
    why: str = ""
    is_silence: bool = False


def check_compaction(connection: KafkaConnection, topic: str, *, must_be_known: bool) -> Problem | None:
    """Return what is wrong with the sessions topic; blocks, for at most ten seconds.

    ``must_be_known`` makes it a reason not to start when the brokers do not say; where nobody answers, it is one to ask
    again (a problem that may pass).
    """
    answer = _ask(connection, topic, _DECISIVE_SECONDS if must_be_known else _HINT_SECONDS)
    if answer.policy is None:
        return Problem(
            "sessions.compaction_unknown",
            f"the brokers do not say whether topic {topic!r} is compacted: {answer.why}. "
            "Allow the connector's user DESCRIBE_CONFIGS on it, or set sessions.compaction_unknown to warn.",
            may_pass=not must_be_known or answer.is_silence,
        )
    if "compact" in answer.policy.split(","):
        return None
    return Problem(
        "sessions.topic",
        f"topic {topic!r} is not compacted ({_POLICY} is {answer.policy}): its tokens would be deleted by age. "
        f"Set its {_POLICY} to compact, or name another topic.",
        may_pass=False,
    )


def _client(connection: KafkaConnection) -> AdminClient:
    return AdminClient({**connection.config()})


def _ask(connection: KafkaConnection, topic: str, timeout_seconds: float) -> _Answer:
    resource = Resource(Type.TOPIC, topic)
    client = _client(connection)  # A name of its own: a client that nobody holds is closed, and its answers with it.
    try:
        policy = client.describe_configs([resource], request_timeout=timeout_seconds)[resource].result()[_POLICY].value
    except KafkaException as exception:
        error = kafka_error(exception)
        return _Answer(None, f"{error.str()} ({error.name()})", is_silence=error.code() in _SILENCE)
    except KeyError:
        return _Answer(None, f"their answer has no {_POLICY}")
    return _Answer(policy)
