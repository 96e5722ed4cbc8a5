# SPDX-License-Identifier: Apache-2.0
"""What the Kafka adapters are told, and the client configuration that follows from it.

Owns which properties of the client are ours: whatever is passed through, none of them can be overridden, because
each carries a promise (nothing but an explicit commit moves the group, nothing jumps silently).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from connector.engine.lease import lease_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

# The client logs every refused connection, many times a second; the observer is told instead, once.
_QUIET = {"log_level": "2"}
# A pause throws away what was fetched ahead, so little is. Then the client must look again soon whether there is room:
# by its default it fetches nothing for a second, which held four partitions to 9,400 records a second.
_FETCH_AHEAD = {"queued.min.messages": "2000", "queued.max.messages.kbytes": "16384", "fetch.queue.backoff.ms": "10"}
# In a classic group members hear of a rebalance with their heartbeat. By the client's default, 3 seconds, partitions
# paused for four to five seconds in a roll, at each change of the group anew.
_HEARTBEAT_MS = 1_000
_FOLLOW_AHEAD = {"queued.min.messages": "20000", "queued.max.messages.kbytes": "16384", "fetch.queue.backoff.ms": "10"}


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """How to reach the cluster; ``properties`` go to the client as they are (security, tuning).

    ``secret_names`` are those of the properties whose values may not be shown, ``from_files`` those that were read
    from files of their own.
    """

    bootstrap_servers: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_names: frozenset[str] = frozenset()
    from_files: frozenset[str] = frozenset()

    def config(self) -> dict[str, str]:
        """Return the client configuration that every client of ours shares."""
        return {**_QUIET, **self.properties, "bootstrap.servers": self.bootstrap_servers}

    def key_of(self, name: str = "") -> str:
        """Return the setting under which a property is given, or can be."""
        area = "kafka.properties_from_files" if name in self.from_files else "kafka.properties"
        return f"{area}.{name}" if name else area


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Where the records come from, and as which group.

    ``start`` counts for a group that has never committed. ``drain_seconds`` is the engine's drain budget: a revoke
    waits for it and a little longer. ``max_uncommitted_records`` and ``_bytes`` bound what is in memory, and what a
    crash has read again. A call to Button takes ``call_seconds`` at most. Under the ``consumer`` protocol the broker
    owns the session timeout. A ``group_instance_id`` makes a static member.
    """

    connection: KafkaConnection
    group_id: str
    topics: tuple[str, ...]
    start: Literal["earliest", "latest"] = "earliest"
    group_instance_id: str | None = None
    group_protocol: Literal["classic", "consumer"] = "classic"
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed"
    session_timeout_ms: int = 45_000
    call_seconds: float = 0.0
    max_poll_interval_ms: int = 300_000
    metadata_refresh_interval_ms: int = 10_000
    drain_seconds: float = 30.0
    commit_timeout_seconds: float = 10.0
    max_uncommitted_records: int = 1000
    max_uncommitted_bytes: int = 64 * 1024 * 1024
    max_batch_records: int = 500

    @property
    def lease_seconds(self) -> float:
        """For how long an answer of the group proves that we are a member."""
        return lease_seconds(self.session_timeout_ms / 1000, self.call_seconds)

    def config(self) -> dict[str, str | bool | int]:
        """Return the consumer's configuration."""
        return {
            **_FETCH_AHEAD,
            **self._heartbeat(),
            **self.connection.config(),
            **self._group_config(),
            **({} if self.group_instance_id is None else {"group.instance.id": self.group_instance_id}),
            "group.id": self.group_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": self.isolation_level,
            "max.poll.interval.ms": self.max_poll_interval_ms,
            "topic.metadata.refresh.interval.ms": self.metadata_refresh_interval_ms,
        }

    def _heartbeat(self) -> dict[str, int]:
        """Return what lets members hear soon of a rebalance, or less where the session would end before the second."""
        if self.group_protocol == "consumer":
            return {}
        return {"heartbeat.interval.ms": max(1, min(_HEARTBEAT_MS, self.session_timeout_ms // 3))}

    def _group_config(self) -> dict[str, str | int]:
        if self.group_protocol == "consumer":
            return {"group.protocol": "consumer"}
        return {
            "group.protocol": "classic",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": self.session_timeout_ms,
        }


@dataclass(frozen=True, slots=True)
class DeadLetterOptions:
    """Where dead letters go; waits between attempts grow from ``retry_seconds`` to ``max_retry_seconds``.

    ``is_reference`` keeps nothing of the records but what identifies them.
    """

    connection: KafkaConnection
    topic: str
    is_reference: bool = False
    retry_seconds: float = 0.5
    max_retry_seconds: float = 30.0

    def config(self) -> dict[str, str | bool | int]:
        """Return the producer's configuration: durable, in order, and never giving up by time."""
        return {
            "linger.ms": 5,
            "partitioner": "murmur2_random",
            "message.max.bytes": 100_000_000,
            **self.connection.config(),
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 0,
        }


@dataclass(frozen=True, slots=True)
class FollowerOptions:
    """Which topic to follow; ``name`` and ``setting`` are what messages call the table and the key of its topic.

    ``group_id`` is never joined and nothing is committed for it, but the client looks for its coordinator all the same:
    give one that the connector's user may READ, or the brokers note a refusal again and again.

    ``is_identified`` has the topic's id and settings asked for. A fetch waits until there are ``fetch_min_bytes``, or
    ``fetch_wait_max_ms``: large batches cost least, and come later. Every ``current_seconds`` the table is told that
    it is current.
    """

    connection: KafkaConnection
    topic: str
    name: str
    setting: str
    group_id: str = "button-connector"
    is_identified: bool = False
    fetch_wait_max_ms: int = 500
    fetch_min_bytes: int = 1
    refresh_seconds: float = 10.0
    current_seconds: float = 60.0
    progress_seconds: float = 5.0
    request_timeout_seconds: float = 5.0
    max_batch_records: int = 1000

    def config(self) -> dict[str, str | bool | int]:
        """Return the consumer's configuration."""
        return {
            **_FOLLOW_AHEAD,
            **self.connection.config(),
            "fetch.wait.max.ms": self.fetch_wait_max_ms,
            "fetch.min.bytes": self.fetch_min_bytes,
            "group.id": self.group_id,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
