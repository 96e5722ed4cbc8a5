# SPDX-License-Identifier: Apache-2.0
"""Whether the cluster has what the settings name, checked before anything starts.

Owns the look-up of topics by listing all of them: asking for one by its name would create it on many brokers.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from connector.kafka.failures import kafka_error, refused_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]  # the stubs export it not

    from connector.kafka.options import KafkaConnection

_POLL_SECONDS = 0.1
_ASK_SECONDS = 1.0
"""How soon it is noticed that the connection was refused for good, or that nobody wants to know any more."""


class Problem(NamedTuple):
    """What is wrong, under which setting, and the remedy; ``may_pass`` if waiting could be enough."""

    setting: str
    message: str
    may_pass: bool


def check_topics(
    connection: KafkaConnection,
    topics: Mapping[str, tuple[str, ...]],
    timeout_seconds: float = 10.0,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[Problem]:
    """Return what is wrong with the topics of each setting; blocks, for at most the timeout.

    ``topics`` maps a setting's key to the names in it. ``is_wanted`` is asked every second.
    """
    errors: list[KafkaError] = []
    try:
        # The stubs know of no callbacks in the configuration.
        client = AdminClient({**connection.config(), "error_cb": errors.append})  # type: ignore[dict-item]  # see above
    except KafkaException as exception:
        return [
            Problem(
                "kafka.properties",
                f"the client refuses its configuration: {exception.args[0].str()}",
                may_pass=False,
            ),
        ]
    known = _list_topics(connection, client, errors, time.monotonic() + timeout_seconds, is_wanted)
    if isinstance(known, Problem):
        return [known]
    return [
        Problem(
            setting,
            f"topic {name!r} does not exist, or the connector's user may not DESCRIBE it. "
            "Create it, correct the name, or allow it.",
            may_pass=False,
        )
        for setting, names in topics.items()
        for name in names
        if name not in known or known[name].error is not None
    ]


def _list_topics(
    connection: KafkaConnection,
    client: AdminClient,
    errors: list[KafkaError],
    deadline: float,
    is_wanted: Callable[[], bool],
) -> dict[str, TopicMetadata] | Problem:
    while True:
        left = deadline - time.monotonic()
        try:
            return client.list_topics(timeout=max(_POLL_SECONDS, min(left, _ASK_SECONDS))).topics
        except KafkaException as exception:
            client.poll(_POLL_SECONDS)
            refused = _refused(connection, errors)
            if refused is not None:
                return refused
            if left <= _ASK_SECONDS or not is_wanted():
                return _unreachable(connection, kafka_error(exception), errors)


def _refused(connection: KafkaConnection, errors: list[KafkaError]) -> Problem | None:
    for error in errors:
        refused = refused_connection(error)
        if refused is not None:
            name, remedy = refused
            message = f"no connection came about: {error.str()}. {remedy[0].upper()}{remedy[1:]}"
            return Problem(connection.key_of(name), message, may_pass=False)
    return None


def _unreachable(connection: KafkaConnection, error: KafkaError, errors: list[KafkaError]) -> Problem:
    said = errors[0].str() if errors else error.str()
    return Problem(
        "kafka.bootstrap_servers",
        f"no broker answers at {connection.bootstrap_servers}: {said}. "
        "Check the addresses, the network and kafka.properties.security.protocol.",
        may_pass=True,
    )
