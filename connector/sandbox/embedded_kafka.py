# SPDX-License-Identifier: Apache-2.0
"""A Kafka that lives in memory, as a process of its own: ``python -m connector.sandbox.embedded_kafka``.

Owns librdkafka's mock cluster, which comes with the confluent-kafka wheel, so that the demo needs neither Java nor
Docker. Good for a demo and never for data: no compaction, no transactions, 5 MiB a partition, and asking a group for
all of its offsets gets no answer. It is its own process because clients with unlike settings can abort it.

Prints ``host:port`` once it can be used. Ends on SIGTERM, SIGINT, or when its standard input ends, so that it never
outlives whoever started it with a pipe.
"""

from __future__ import annotations

import argparse
import ctypes
import signal
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from confluent_kafka import cimpl

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

GROUP_DELAY_MS = 100
"""How long the first member of a group waits for others; the library's own 3 s would be most of a demo."""

_PRODUCER = 0
_ERROR_BYTES = 512
_ERRORS_ONLY = b"3"
_MAX_PARTITIONS = 1_000

_POINTER = ctypes.c_void_p
_TEXT = ctypes.c_char_p
_INT = ctypes.c_int
_SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "rd_kafka_conf_new": (_POINTER, []),
    "rd_kafka_conf_set": (_INT, [_POINTER, _TEXT, _TEXT, _TEXT, ctypes.c_size_t]),
    "rd_kafka_new": (_POINTER, [_INT, _POINTER, _TEXT, ctypes.c_size_t]),
    "rd_kafka_err2str": (_TEXT, [_INT]),
    "rd_kafka_mock_cluster_new": (_POINTER, [_POINTER, _INT]),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, [_POINTER]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_POINTER, ctypes.c_int32]),
    "rd_kafka_mock_topic_create": (_INT, [_POINTER, _TEXT, _INT, _INT]),
}


class Topic(NamedTuple):
    """A topic to be created."""

    name: str
    partitions: int


class EmbeddedKafkaError(Exception):
    """There is no embedded Kafka to be had; the message says why and what helps."""


def start(topics: Sequence[Topic]) -> str:
    """Start a cluster of one broker with these topics and return its address; it lives as long as this process."""
    library = _library()
    error = ctypes.create_string_buffer(_ERROR_BYTES)
    options = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(options, b"log_level", _ERRORS_ONLY, error, _ERROR_BYTES)
    client = library.rd_kafka_new(_PRODUCER, options, error, _ERROR_BYTES)
    cluster = library.rd_kafka_mock_cluster_new(client, 1) if client else None
    if not cluster:
        message = f"librdkafka could not start its mock cluster ({error.value.decode() or 'no reason given'})"
        raise EmbeddedKafkaError(message)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, GROUP_DELAY_MS)
    for topic in topics:
        code = library.rd_kafka_mock_topic_create(cluster, topic.name.encode(), topic.partitions, 1)
        if code:
            message = f"topic {topic.name}: {library.rd_kafka_err2str(code).decode()}"
            raise EmbeddedKafkaError(message)
    bootstrap: bytes = library.rd_kafka_mock_cluster_bootstraps(cluster)
    return bootstrap.decode()


def _library() -> ctypes.CDLL:
    """Return librdkafka by way of the module that is linked to it, wherever its file is."""
    library = ctypes.CDLL(cimpl.__file__)
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as missing:
        message = (
            f"this build of confluent-kafka does not give access to librdkafka's mock cluster ({missing}); install "
            "the wheel from PyPI: pip install --force-reinstall --only-binary :all: confluent-kafka"
        )
        raise EmbeddedKafkaError(message) from missing
    return library


def _topic(text: str) -> Topic:
    name, _, partitions = text.partition(":")
    if not name or not partitions.isdecimal() or not 0 < int(partitions) <= _MAX_PARTITIONS:
        message = f"{text!r} is not name:partitions with 1 to {_MAX_PARTITIONS} partitions"
        raise argparse.ArgumentTypeError(message)
    return Topic(name, int(partitions))


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until told to end."""
    parser = argparse.ArgumentParser(prog="python -m connector.sandbox.embedded_kafka", description=__doc__)
    parser.add_argument("--topic", action="append", type=_topic, default=[], metavar="NAME:PARTITIONS")
    topics: list[Topic] = parser.parse_args(arguments).topic
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        bootstrap_servers = start(topics)
    except EmbeddedKafkaError as error:
        sys.exit(f"embedded Kafka: {error}")
    sys.stdout.write(f"{bootstrap_servers}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
