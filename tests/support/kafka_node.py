# SPDX-License-Identifier: Apache-2.0
"""What every Kafka broker of the tests is and can do, wherever it runs.

Owns the settings of a single node and the ports. Listens on loopback only.
"""

from __future__ import annotations

import abc
import secrets
import socket
import uuid
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the stubs export them not
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from tests.support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

START_SECONDS = 60.0
_REQUEST_SECONDS = 15.0
# Below the range from which the system takes client ports: a client that keeps connecting to a stopped broker's port
# could otherwise be given that very port, be connected to itself, and keep the broker from coming back.
_PORTS = range(15_000, 30_000)

_SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SSL:SSL,"
    "SASL_SSL:SASL_SSL",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "auto.create.topics.enable": "false",
    # A broker that was killed cannot register again before its old session has ended: 9 s by default.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
}


class NoBrokerError(Exception):
    """No broker can be had on this machine; the message says what was tried and what is missing."""


class Broker(abc.ABC):
    """A broker that can be reached at ``bootstrap_servers``."""

    bootstrap_servers: str
    shortest_session_ms = 2_000
    """What a test may take where a session has to end; under the consumer protocol see :meth:`end_sessions_after`."""
    keeps_log: bool = False  # whether its log, where it has one, is left behind at the end

    @abc.abstractmethod
    def kill(self) -> None:
        """End the broker at once, as a crash would; its data stay."""

    @abc.abstractmethod
    def restart(self) -> None:
        """Kill the broker if it still runs and start it again with the same data and the same address."""

    def admin(self) -> AdminClient:
        """Return a client for everything that this class has no word for."""
        return AdminClient(
            {"bootstrap.servers": self.bootstrap_servers, "log_level": 0, "reconnect.backoff.max.ms": 500},
        )

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic, return its name once it can be used."""
        admin = self.admin()
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin.create_topics([topic])[name].result(_REQUEST_SECONDS)
        wait_until(
            lambda: len(admin.list_topics(name, timeout=_REQUEST_SECONDS).topics[name].partitions) == partitions,
            _REQUEST_SECONDS,
            awaiting=f"topic {name} with {partitions} partitions",
        )
        return name

    def end_sessions_after(self, group: str, milliseconds: int) -> None:
        """Let the sessions of a group's members under the consumer protocol end so soon."""
        changes = {"consumer.session.timeout.ms": milliseconds, "consumer.heartbeat.interval.ms": milliseconds // 5}
        entries = [
            ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET)
            for name, value in changes.items()
        ]
        resource, admin = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries), self.admin()
        admin.incremental_alter_configs([resource])[resource].result(_REQUEST_SECONDS)

    def wait_until_it_answers(self) -> None:
        """Return when the broker serves requests."""
        admin = self.admin()
        wait_until(lambda: self._answers(admin), START_SECONDS, awaiting=f"Kafka at {self.bootstrap_servers}")

    def _answers(self, admin: AdminClient) -> bool:
        self.check_alive()
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def check_alive(self) -> None:  # noqa: B027  most brokers have no process that we could look at
        """Raise if the broker is known to have ended."""


class ForeignBroker(Broker):
    """A cluster that is not ours, named by ``KAFKA_BOOTSTRAP``; its limits are taken to be Kafka's own."""

    shortest_session_ms = 6_000

    def __init__(self, bootstrap_servers: str) -> None:
        """Take the address as it is."""
        self.bootstrap_servers = bootstrap_servers

    def kill(self) -> None:
        """Refuse: others may use it."""
        message = f"{self.bootstrap_servers} is not ours to kill; a test that kills must use start_broker()"
        raise RuntimeError(message)

    def restart(self) -> None:
        """Refuse: others may use it."""
        self.kill()


def unique_topic(prefix: str) -> str:
    """Return a topic name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def free_port() -> int:
    """Return a loopback port on which nobody listens now."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def server_properties(  # noqa: PLR0913  by name, and each is another part of the file
    *,
    host: str,
    ports: Mapping[str, int],
    controller_port: int,
    log_dir: str,
    extra: Mapping[str, str],
    told_ports: Mapping[str, int] | None = None,
) -> str:
    """Return the text of a ``server.properties`` for one node that is broker and controller.

    ``ports`` are those of its listeners on ``host``: ``PLAINTEXT``, ``PROXIED``, ``SSL``, ``SASL_SSL``; clients find it
    on loopback. ``told_ports`` are those that clients are told in place of them.
    """
    controller = f"127.0.0.1:{controller_port}"
    bound = [f"{name}://{host}:{port}" for name, port in ports.items()]
    told = [f"{name}://127.0.0.1:{port}" for name, port in {**ports, **(told_ports or {})}.items()]
    properties = {
        **_SINGLE_NODE,
        "controller.quorum.bootstrap.servers": controller,
        "listeners": ",".join([*bound, f"CONTROLLER://{controller}"]),
        "advertised.listeners": ",".join(told),
        "log.dirs": log_dir,
        **extra,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def cluster_id() -> str:
    """Return a fresh cluster id: 22 characters of URL-safe base64, of which the first is never a dash."""
    return "k" + secrets.token_urlsafe(16)[1:]
