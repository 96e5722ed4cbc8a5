# SPDX-License-Identifier: Apache-2.0
"""A Kafka broker in a container, where a Docker engine answers.

Owns the container. Runs the image's own scripts with the same server properties as the broker on the JVM.
"""

from __future__ import annotations

import os
import socket
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.kafka_node import Broker, NoBrokerError, cluster_id, free_port, server_properties

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testcontainers.core.container import DockerContainer

IMAGE = "apache/kafka:4.1.0"
_ENGINE_SECONDS = 3.0
_COMMAND = """
cd /opt/kafka/bin && printf '%s' "$SERVER_PROPERTIES" > /tmp/server.properties &&
./kafka-storage.sh format --ignore-formatted --standalone --cluster-id="$CLUSTER" -c /tmp/server.properties &&
exec ./kafka-server-start.sh /tmp/server.properties
"""


@contextmanager
def start(
    properties: Mapping[str, str],
    listeners: Mapping[str, int],
    told_ports: Mapping[str, int],
) -> Iterator[Broker]:
    """Start a broker in a container and remove it at exit."""
    _require_engine()
    port = free_port()
    container = _start_container(port, listeners, _server_properties(port, properties, listeners, told_ports))
    try:
        broker = DockerBroker(container, port)
        broker.wait_until_it_answers()
        yield broker
    finally:
        container.stop()


class DockerBroker(Broker):
    """One container with a fixed host port, so that its address survives a restart."""

    def __init__(self, container: DockerContainer, port: int) -> None:
        """Take over a container that was started."""
        self.bootstrap_servers = f"127.0.0.1:{port}"
        self._container = container.get_wrapped_container()

    def kill(self) -> None:
        """End the broker at once, as a crash would; its data stay."""
        self._container.reload()
        if self._container.status == "running":
            self._container.kill()
            self._container.wait()

    def restart(self) -> None:
        """Kill the broker if it still runs and start it again with the same data and the same address."""
        self.kill()
        self._container.start()
        self.wait_until_it_answers()


def _start_container(port: int, listeners: Mapping[str, int], properties: str) -> DockerContainer:
    with warnings.catch_warnings():
        # Slow to import, and they warn about themselves: only where an engine answers.
        warnings.simplefilter("ignore")
        from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415  it has no types
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415  see above
    container = DockerContainer(IMAGE).with_bind_ports(port, port).with_command(["sh", "-c", _COMMAND])
    for each in listeners.values():
        container.with_bind_ports(each, each)
    container.with_env("SERVER_PROPERTIES", properties)
    container.with_env("CLUSTER", cluster_id())
    try:
        return container.start()
    except DockerException as fault:
        message = f"the Docker engine could not start {IMAGE}: {fault}"
        raise NoBrokerError(message) from fault


def _server_properties(
    port: int,
    extra: Mapping[str, str],
    listeners: Mapping[str, int],
    told_ports: Mapping[str, int],
) -> str:
    return server_properties(
        host="0.0.0.0",  # noqa: S104  inside the container
        ports={"PLAINTEXT": port, **listeners},
        controller_port=port + 1,
        log_dir="/tmp/kafka-data",  # noqa: S108  a folder of the container
        extra=extra,
        told_ports=told_ports,
    )


def _require_engine() -> None:
    """Raise unless something listens where the engine should; the client library leaks sockets when nothing does."""
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not engine.startswith("unix://"):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ENGINE_SECONDS)
        if probe.connect_ex(engine.removeprefix("unix://")) != 0:
            message = f"no Docker engine answers at {engine}"
            raise NoBrokerError(message)
