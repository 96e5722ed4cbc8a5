# SPDX-License-Identifier: Apache-2.0
"""The subjects of a schema registry: what is registered under a name, and registering under one.

Owns no retry and no judgement: each call asks once, and says what came of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka.schema_registry import Schema

from connector.avro.registry import ask, found

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

    from connector.avro.fetched import Found, Unavailable, Unknown, Unusable
    from connector.avro.registry import RegistryOptions


class Registered(NamedTuple):
    """A schema under a subject: its id, and its versions there, the newest first; none where it is new."""

    schema_id: int
    versions: tuple[int, ...]


def versions_of(options: RegistryOptions, subject: str) -> tuple[int, ...] | Unknown | Unavailable | Unusable:
    """Return the numbers of a subject's versions, the newest first; ``Unknown`` when there is no such subject."""
    return ask(options, lambda client: tuple(sorted(client.get_versions(subject), reverse=True)))


def schema_of(options: RegistryOptions, subject: str, version: int) -> Found | Unknown | Unavailable | Unusable:
    """Return the schema of a version, with all that it refers to."""
    return ask(options, lambda client: found(client, client.get_version(subject, version).schema))


def register(options: RegistryOptions, subject: str, text: str) -> Registered | Unknown | Unavailable | Unusable:
    """Register an Avro schema; one that is there already keeps its id."""

    def work(client: SchemaRegistryClient) -> Registered:
        schema_id = client.register_schema(subject, Schema(text, "AVRO"))
        return Registered(schema_id, tuple(sorted(client.get_versions(subject), reverse=True)))

    return ask(options, work)


def is_compatible(options: RegistryOptions, subject: str, text: str) -> bool | Unknown | Unavailable | Unusable:
    """Return whether the registry would take a schema beside the subject's newest; ``Unknown`` without a subject."""
    return ask(options, lambda client: client.test_compatibility(subject, Schema(text, "AVRO")))
