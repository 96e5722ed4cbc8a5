# SPDX-License-Identifier: Apache-2.0
"""A real Kafka broker for the tests, from whatever this machine has; works outside pytest as well.

Owns the choice. :func:`start_broker` starts a broker of our own, which a test may kill and restart.
:func:`shared_broker` prefers the cluster that ``KAFKA_BOOTSTRAP`` names, which nobody may kill.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.support import kafka_docker, kafka_jvm
from tests.support.kafka_node import Broker, ForeignBroker, NoBrokerError, free_port, unique_topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Broker", "NoBrokerError", "free_port", "shared_broker", "start_broker", "unique_topic"]


@contextmanager
def start_broker(
    properties: Mapping[str, str] | None = None,
    listeners: Mapping[str, int] | None = None,
    told_ports: Mapping[str, int] | None = None,
) -> Iterator[Broker]:
    """Start a broker of our own and end it at exit; ``properties`` override those of the server.

    ``listeners`` (``PROXIED``, ``SSL``, ``SASL_SSL``) with their ports are there beside the plain one, which is the
    broker's own; ``told_ports`` are those at which clients are told to find them, if others.
    Docker where an engine answers, else the JVM. Raises :class:`NoBrokerError` where neither can be had. When the
    body raises, the broker's log is kept and its place is printed.
    """
    with ExitStack() as stack:
        yield _first_that_starts(stack, properties or {}, listeners or {}, told_ports or {})


@contextmanager
def shared_broker() -> Iterator[Broker]:
    """Give the cluster that ``KAFKA_BOOTSTRAP`` names, else a broker of our own."""
    bootstrap_servers = os.environ.get("KAFKA_BOOTSTRAP")
    if not bootstrap_servers:
        with start_broker() as broker:
            yield broker
        return
    foreign = ForeignBroker(bootstrap_servers)
    foreign.wait_until_it_answers()
    yield foreign


def _first_that_starts(
    stack: ExitStack,
    properties: Mapping[str, str],
    listeners: Mapping[str, int],
    told_ports: Mapping[str, int],
) -> Broker:
    reasons = []
    for way in (kafka_docker.start, kafka_jvm.start):
        try:
            return stack.enter_context(way(properties, listeners, told_ports))
        except NoBrokerError as reason:
            reasons.append(str(reason))
    message = f"no Kafka: KAFKA_BOOTSTRAP is not set; {'; '.join(reasons)}"
    raise NoBrokerError(message)
