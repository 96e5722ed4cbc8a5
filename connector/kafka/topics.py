# SPDX-License-Identifier: Apache-2.0
"""Whether the cluster has what the settings name, checked before anything starts.

Owns the look-up of topics by listing all of them: asking for one by its name would create it on many brokers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from connector.kafka import codes
from connector.kafka.failures import kafka_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.kafka.options import KafkaConnection

_POLL_SECONDS = 0.1


class Problem(NamedTuple):
    """What is wrong, under which setting, and the remedy; ``may_pass`` if waiting could be enough."""

    setting: str
    message: str
    may_pass: bool


def check_topics(
    connection: KafkaConnection,
    topics: Mapping[str, tuple[str, ...]],
    timeout_seconds: float = 10.0,
) -> list[Problem]:
    """Return what is wrong with the topics of each setting; blocks, for at most the timeout.

    ``topics`` maps a setting's key to the names in it.
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
    try:
        known = client.list_topics(timeout=timeout_seconds).topics
    except KafkaException as exception:
        client.poll(_POLL_SECONDS)
        return [_unreachable(connection, kafka_error(exception), errors)]
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


def _unreachable(connection: KafkaConnection, error: KafkaError, errors: list[KafkaError]) -> Problem:
    for each in errors:
        if each.code() in {codes.AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}:
            message = f"the brokers refuse the credentials: {each.str()}. Check the user name, password and mechanism."
            return Problem("kafka.properties", message, may_pass=False)
    said = errors[0].str() if errors else error.str()
    return Problem(
        "kafka.bootstrap_servers",
        f"no broker answers at {connection.bootstrap_servers}: {said}. "
        "Check the addresses, the network and kafka.properties (security.protocol).",
        may_pass=True,
    )
