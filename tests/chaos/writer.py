# SPDX-License-Identifier: Apache-2.0
"""Writes a load as time goes by, on a thread of its own.

Owns the producer, which goes past the proxy: what is written is never lost, and a partition's records lie in the order
in which they were said.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Self

from confluent_kafka import KafkaException, Producer

if TYPE_CHECKING:
    from types import TracebackType

    from confluent_kafka import KafkaError, Message

    from tests.chaos.load import Load, Saying

_END_SECONDS = 60.0
_ASK_AGAIN_SECONDS = 0.2


class Writer:
    """Writes one load to one topic."""

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int, load: Load) -> None:
        """Take what to write."""
        self._topic = topic
        self._load = load
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 0,
                "topic.metadata.refresh.interval.ms": 1_000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            },
        )
        self.partitions = partitions
        """Over how many partitions what is scattered is scattered."""
        self.written = 0
        self._error: KafkaError | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer")

    def __enter__(self) -> Self:
        """Begin to write."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop writing."""
        self._is_over.set()
        self._thread.join()

    @property
    def is_done(self) -> bool:
        """Whether everything is written."""
        assert self._error is None, self._error
        return self.written == len(self._load.sayings)

    def _run(self) -> None:
        began = time.monotonic()
        for saying in self._load.sayings:
            while (wait_seconds := began + saying.due_seconds - time.monotonic()) > 0.0:
                if self._is_over.is_set():
                    return
                self._producer.poll(min(wait_seconds, 0.1))
            self._write(saying)
        self._producer.flush(_END_SECONDS)

    def _write(self, saying: Saying) -> None:
        record, place = saying.record, saying.place
        partition = -1 if place is None else int(place * self.partitions)
        while True:
            try:
                self._producer.produce(self._topic, record.value, record.key, partition, on_delivery=self._delivered)
            except KafkaException:
                # A partition that was just added, of which this client has not heard yet.
                if self._is_over.wait(_ASK_AGAIN_SECONDS):
                    return
                with contextlib.suppress(KafkaException):
                    self._producer.list_topics(self._topic, _END_SECONDS)
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._error = error or self._error
        self.written += error is None
