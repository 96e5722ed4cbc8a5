# SPDX-License-Identifier: Apache-2.0
"""What the client says of the configuration that it is given.

Owns asking for it before anything starts, with clients that are made and thrown away, and turning the answer into a
problem that names the setting. Never shows the value of a secret. Nothing is read or written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaException, Producer

from connector.kafka.failures import kafka_error
from connector.kafka.topics import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.kafka.options import DeadLetterOptions, KafkaConnection, SourceOptions

_PROPERTY = re.compile(r"(?<![\w./-])[a-z0-9]+(?:\.[a-z0-9]+)+(?![\w./-])")
_PREAMBLE = re.compile(r"Failed to create \w+(?: client)?: ")
_NO_MECHANISM = "No provider for SASL mechanism"
_MASK = "***"


def refused_configuration(source: SourceOptions, dead_letters: DeadLetterOptions) -> Problem | None:
    """Return what the client does not take of the configuration, or ``None``; says nothing of other machines."""
    try:
        Consumer(_without_brokers(source.config())).close()
        Producer(_without_brokers(dead_letters.config()))
    except KafkaException as exception:
        return problem_of(kafka_error(exception).str(), source.connection)
    return None


def _without_brokers(config: Mapping[str, str | bool | int]) -> dict[str, object]:
    """Return a configuration with which a client connects to nobody."""
    return {name: value for name, value in config.items() if name != "bootstrap.servers"}


def problem_of(said: str, connection: KafkaConnection) -> Problem:
    """Return the problem that the client's words on a configuration tell of."""
    line = _PREAMBLE.sub("", " ".join(said.split()))
    name = _named(line, connection)
    for secret in connection.secret_names:
        line = line.replace(connection.properties[secret], _MASK)
    return Problem(connection.key_of(name), _worded(line), may_pass=False)


def _named(line: str, connection: KafkaConnection) -> str:
    """Return the property that has to be changed: of several the one that is not given, else the first one given."""
    if _NO_MECHANISM in line:
        return "sasl.mechanism"
    named: list[str] = _PROPERTY.findall(line)
    given = [name for name in named if name in connection.properties]
    if not given:
        return named[0] if named else ""
    absent = [name for name in named if name not in connection.properties]
    return absent[0] if absent and "must be set" in line else given[0]


def _worded(line: str) -> str:
    if line.startswith("No such configuration property"):
        return (
            "the client knows no such property. Look for a typing error; librdkafka's CONFIGURATION.md names them all."
        )
    if _NO_MECHANISM in line:
        return "SASL without Kerberos needs a mechanism. Give PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."
    return f"the client refuses it: {line.rstrip('.')}. Correct it, or leave it out."
