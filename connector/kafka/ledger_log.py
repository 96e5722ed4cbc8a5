# SPDX-License-Identifier: Apache-2.0
"""The writing side of the order ledger's topic.

Owns the producer. What is appended is written in order, by every in-sync replica, for as long as that takes; what
failed is produced again. There is no callback for what went well: whoever appended reads the record back. A record
that the topic does not take for its size ends the process, because sizes were compared before the start, and so does
anything after which the client would refuse everything. Runs on the event loop: while records are out a timer polls
the client, so that no thread is needed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.kafka.dead_letters import is_fatal
from connector.kafka.failures import Complaints, KafkaFailure, Place, failure_of, kafka_error

if TYPE_CHECKING:
    from connector.engine.ports import Observer
    from connector.kafka.options import KafkaConnection

_SETTING = "ledger.topic"


@dataclass(frozen=True, slots=True)
class LedgerLogOptions:
    """Where the ledger is; large batches are cheap, so a record waits ``linger_ms`` for others."""

    connection: KafkaConnection
    topic: str
    linger_ms: int = 20
    retry_seconds: float = 0.5

    def config(self) -> dict[str, str | bool | int]:
        """Return the producer's configuration: durable, in order, and never giving up by time."""
        return {
            "compression.type": "lz4",
            "message.max.bytes": 100_000_000,
            "queue.buffering.max.kbytes": 262_144,
            "linger.ms": self.linger_ms,
            **self.connection.config(),
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": 0,
            "delivery.report.only.error": True,
        }


class _Row(NamedTuple):
    """A record to be written."""

    partition: int
    key: bytes
    value: bytes | None
    timestamp_ms: int


class LedgerLog:
    """Writes the ledger's records; use on one event loop only."""

    def __init__(self, options: LedgerLogOptions, observer: Observer) -> None:
        """Create the producer; it connects when there is something to write."""
        self._options = options
        self._observe = observer
        self._complaints = Complaints(f"kafka topic {options.topic}")
        config: dict[str, object] = {**options.config(), "error_cb": self._complain, "on_delivery": self._on_failure}
        self._producer = Producer(config)
        self._produce = self._producer.produce
        self._poll_seconds = options.linger_ms / 2000
        self._again: deque[_Row] = deque()
        self._again_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._found: KafkaFailure | None = None
        self._failure: asyncio.Future[KafkaFailure] | None = None

    def append(self, partition: int, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        """Write a record (``None`` is a tombstone), in order, for as long as it takes; never blocks."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._poll_seconds, self._poll)
        if self._again:
            self._again.append(_Row(partition, key, value, timestamp_ms))
            return
        self._write(partition, key, value, timestamp_ms)

    @property
    def outstanding(self) -> int:
        """Return how many records are not durable yet."""
        return len(self._producer) + len(self._again)

    async def failed(self) -> KafkaFailure:
        """Return when nothing can be written any more, with the reason; the process is to end."""
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
            if self._found is not None:
                self._failure.set_result(self._found)
        return await asyncio.shield(self._failure)

    async def close(self, timeout_seconds: float) -> int:
        """Wait for what is out, within the timeout; return how many records are still not durable."""
        deadline = time.monotonic() + timeout_seconds
        while self.outstanding and time.monotonic() < deadline:
            self._serve()
            await asyncio.sleep(self._poll_seconds)
        left = self.outstanding
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._producer.purge()
        self._producer.poll(0)
        return left

    def _write(self, partition: int, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        try:
            self._produce(self._options.topic, value, key, partition, timestamp=timestamp_ms)
        except BufferError:
            self._keep(_Row(partition, key, value, timestamp_ms))
        except KafkaException as exception:
            self._judge(kafka_error(exception))
            self._keep(_Row(partition, key, value, timestamp_ms))

    def _keep(self, row: _Row) -> None:
        """Write a record later, and all that come from now on behind it."""
        self._again.append(row)
        self._again_at = time.monotonic() + self._options.retry_seconds

    def _poll(self) -> None:
        self._timer = None
        if self._is_closed:
            return
        self._serve()
        if self.outstanding:
            self._timer = asyncio.get_running_loop().call_later(self._poll_seconds, self._poll)

    def _serve(self) -> None:
        self._producer.poll(0)
        if self._again and time.monotonic() >= self._again_at:
            rows, self._again = self._again, deque()
            while rows and not self._again:
                self._write(*rows.popleft())
            self._again.extend(rows)

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        """Keep what could not be written; called for nothing else."""
        if error is None or self._is_closed:
            return
        self._judge(error)
        _, timestamp_ms = message.timestamp()
        self._keep(_Row(message.partition() or 0, message.key() or b"", message.value(), timestamp_ms))

    def _judge(self, error: KafkaError) -> None:
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            self._fail(
                KafkaFailure(
                    f"Kafka: {self._options.topic}: {error.str()} ({error.name()}). {_SETTING}: raise the topic's "
                    "max.message.bytes to one and a half times that of the events' topics.",
                ),
            )
        else:
            self._complain(error)

    def _complain(self, error: KafkaError) -> None:
        if is_fatal(error):
            failure = failure_of(error, Place(self._options.topic, setting=_SETTING), is_starting=False)
            if failure is not None:
                self._fail(failure)
            return
        complaint = self._complaints.about(error, time.monotonic())
        if complaint is not None:
            self._observe(complaint)

    def _fail(self, failure: KafkaFailure) -> None:
        self._found = self._found or failure
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(self._found)
