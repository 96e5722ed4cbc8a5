# SPDX-License-Identifier: Apache-2.0
"""Settings of the Kafka cluster and of the consumer group.

Owns their names, defaults and single-value rules. Never talks to a broker.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from connector.settings.base import AnyCase, Area, Milliseconds, TopicNames, refusal
from connector.settings.client_properties import (
    DOTTED_NAMES,
    Properties,
    PropertyFiles,
    is_secret,
    read_property_file,
    refuse_all,
)

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@?#,\[\]]+):(?P<port>[0-9]{1,5})")
_HIGHEST_PORT = 65_535
_INSTANCE_ID = re.compile(r"[A-Za-z0-9._-]{1,249}")


def _join(value: object) -> object:
    """Accept a YAML list, too."""
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    return value


def _is_address(server: str) -> bool:
    match = _ADDRESS.fullmatch(server)
    return match is not None and 0 < int(match["port"]) <= _HIGHEST_PORT


def _are_addresses(value: str) -> str:
    servers = [part.strip() for part in value.split(",")]
    if not all(_is_address(server) for server in servers):
        what = "is not a list of host:port"
        raise refusal(what, "Give brokers as host:port with commas between them, for example broker-1:9092.")
    return ",".join(servers)


def _is_instance_id(value: str) -> str:
    if _INSTANCE_ID.fullmatch(value) is None or value in {".", ".."}:
        what = "is not the id of a static member"
        raise refusal(what, "Use 1 to 249 letters, digits, dots, underscores and hyphens.")
    return value


class KafkaSettings(Area):
    """Where the events come from, and as which group they are read."""

    bootstrap_servers: Annotated[str, BeforeValidator(_join), AfterValidator(_are_addresses)] = Field(
        description="Brokers to start from, as host:port with commas between them.",
        examples=["broker-1:9092,broker-2:9092"],
    )
    group_id: str = Field(
        default="button-connector",
        min_length=1,
        max_length=255,
        description="The consumer group; its committed offsets say what has been delivered.",
    )
    topics: TopicNames = Field(
        default=("commerce-events",),
        description="Topics with commerce events; at least one.",
        examples=["commerce-events"],
    )
    start: Annotated[Literal["earliest", "latest"], AnyCase] = Field(
        default="earliest",
        description="Where a group that has never committed starts; a group that has goes on where it was.",
    )
    group_instance_id: Annotated[str, AfterValidator(_is_instance_id)] | None = Field(
        default=None,
        description="Makes this process a static member of the group: one that is back within session_timeout_ms has "
        "its partitions again, and nobody else notices. Each process needs an id of its own that it keeps. The price: "
        "when it stops, even for good, its partitions wait that long; without an id it hands them over at once.",
        examples=["button-connector-0"],
    )
    group_protocol: Annotated[Literal["classic", "consumer"], AnyCase] = Field(
        default="classic",
        description="How the group shares its partitions: classic (cooperative), which every broker knows, or "
        "consumer (KIP-848, brokers from 4.0 on), where joining and leaving is quicker.",
    )
    session_timeout_ms: Milliseconds = Field(
        default=45_000,
        description="How long the group waits for a silent member before it gives its partitions away. Under the "
        "consumer protocol the brokers decide that (consumer.session.timeout.ms): give the same, or less, here.",
    )
    max_poll_interval_ms: Milliseconds = Field(
        default=300_000,
        description="How long a member may go without polling before it is expelled.",
    )
    metadata_refresh_interval_ms: Milliseconds = Field(
        default=10_000,
        description="How often topics are looked at again; bounds how late an added partition is noticed.",
    )
    properties: Properties = Field(
        default_factory=dict,
        description="Properties of the client (librdkafka), passed through as they are to all of its consumers and "
        "producers: TLS, SASL, tuning. The connector's own cannot be overridden.",
        examples=["{security.protocol: SASL_SSL, sasl.mechanism: SCRAM-SHA-512, sasl.username: connector}"],
        json_schema_extra=DOTTED_NAMES,
    )
    properties_from_files: PropertyFiles = Field(
        default_factory=dict,
        description="The same with values in files, read once at the start: for secrets.",
        examples=["{sasl.password: /run/secrets/kafka-password}"],
        json_schema_extra=DOTTED_NAMES,
    )

    @model_validator(mode="after")
    def _has_each_property_once(self) -> Self:
        twice = self.properties_from_files.keys() & self.properties.keys()
        refuse_all(
            (refusal(f"is given beside kafka.properties.{each}", "Give one of them.", key=each) for each in twice),
            "properties_from_files",
        )
        return self

    def read_properties(self) -> dict[str, SecretStr]:
        """Return all properties that are passed through; files are read anew."""
        read = {name: read_property_file(path) for name, path in self.properties_from_files.items()}
        return {**self.properties, **read}

    def secret_names(self) -> frozenset[str]:
        """Return which of the properties may never be shown; whatever is in a file is one of them."""
        return frozenset({*self.properties_from_files, *(name for name in self.properties if is_secret(name))})
