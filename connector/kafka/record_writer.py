# SPDX-License-Identifier: Apache-2.0
"""Writes single records, for commands.

Owns a producer that answers for each record: what is returned was written by all in-sync replicas. Gives up after a
time, unlike the running connector, because somebody waits for the command. Never creates a topic.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.kafka.failures import KafkaFailure, kafka_error, refused_connection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from connector.kafka.options import KafkaConnection

ANY_PARTITION = -1
_POLL_SECONDS = 0.05
_REFUSED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "Allow the user of this command to WRITE to the topic.",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "Allow the user of this command IDEMPOTENT_WRITE on the cluster.",
    KafkaError.MSG_SIZE_TOO_LARGE: "The topic takes no record of this size: see its max.message.bytes.",
    KafkaError.INVALID_RECORD: "See whether the topic is compacted, or asks for something else of its records.",
}
_ELSE = "Nothing is lost: the command can be given again. The command check says more."


class NewRecord(NamedTuple):
    """A record to be written; ``setting`` is the key of its topic."""

    topic: str
    setting: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Written(NamedTuple):
    """Where a record lies now."""

    partition: int
    offset: int


class RecordWriter:
    """A producer for as long as a command runs; a context manager."""

    def __init__(self, connection: KafkaConnection, timeout_seconds: float) -> None:
        """Take how to reach the brokers, and how long a record may take."""
        self._timeout_seconds = timeout_seconds
        self._errors: list[KafkaError] = []
        config: dict[str, object] = {
            "message.max.bytes": 100_000_000,
            "linger.ms": 0,
            "partitioner": "murmur2_random",
            **connection.config(),
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": round(timeout_seconds * 1000),
            "allow.auto.create.topics": False,
            "error_cb": self._errors.append,
        }
        self._producer = Producer(config)

    def __enter__(self) -> Self:
        """Return this writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Throw away what is not written."""
        self._producer.purge()

    def write(self, record: NewRecord) -> Written:
        """Return where the record lies, once it is durable; raises :class:`KafkaFailure`."""
        answers: list[Written | KafkaError] = []

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            answers.append(error if error is not None else Written(message.partition() or 0, message.offset() or 0))

        try:
            self._producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
                on_delivery=on_delivery,
            )
        except KafkaException as exception:
            raise self._failure(record, kafka_error(exception)) from None
        deadline = time.monotonic() + self._timeout_seconds + 1.0
        while not answers and time.monotonic() < deadline:
            self._producer.poll(_POLL_SECONDS)
        answer = answers[0] if answers else KafkaError(KafkaError.REQUEST_TIMED_OUT)
        if isinstance(answer, KafkaError):
            raise self._failure(record, answer)
        return answer

    def _failure(self, record: NewRecord, error: KafkaError) -> KafkaFailure:
        refused = next((found for found in map(refused_connection, self._errors) if found is not None), None)
        remedy = _REFUSED.get(error.code(), _ELSE)
        if refused is not None:
            remedy = f"kafka.properties.{refused[0]}: {refused[1]}"
        return KafkaFailure(
            f"{record.setting}: topic {record.topic!r} cannot be written: {error.str()} ({error.name()}). {remedy}",
        )
