# SPDX-License-Identifier: Apache-2.0
"""Dead letters in a Kafka topic.

Owns the producer. A letter is the original record (key, value, headers) with the letter's own headers behind; it is
written when all in-sync replicas have it, and is produced again for as long as that takes. A record that the topic
does not take for its size is written as a reference: without its value. Where only references are wanted, nothing of
the record is written, neither its key nor its headers: they may name a person. Never drops a letter. Runs on the event
loop: while letters are out a task polls the client, so that no thread is needed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connector.domain.dead_letter import HEADER_PREFIX
from connector.kafka import codes
from connector.kafka.failures import Complaints, KafkaFailure, Place, failure_of, kafka_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.domain.dead_letter import DeadLetter
    from connector.engine.ports import Observer, RawRecord
    from connector.kafka.options import DeadLetterOptions

_POLL_EVERY_SECONDS = 0.005
_MAX_DOUBLINGS = 16

Headers = list[tuple[str, str | bytes | None]]


class KafkaDeadLetters:
    """Writes dead letters; use on one event loop only."""

    def __init__(self, options: DeadLetterOptions, observer: Observer) -> None:
        """Create the producer; it connects when there is something to write."""
        self._options = options
        self._observe = observer
        self._complaints = Complaints("kafka dead letters")
        config: dict[str, object] = dict(options.config())
        self._producer = Producer({**config, "error_cb": self._on_error})
        self._failure: asyncio.Future[KafkaFailure] | None = None
        self._found: KafkaFailure | None = None
        self._out = 0
        self._is_closed = False
        self._poller: asyncio.Task[None] | None = None

    async def write(self, record: RawRecord, letter: DeadLetter) -> None:
        """Return only when the letter is durable; retries by itself for as long as the other side is down."""
        headers: Headers = [*record.headers, *letter.headers()]
        key, value = record.key, record.value
        if self._options.is_reference and value is not None:
            ours = [each for each in record.headers if each[0].startswith(HEADER_PREFIX)]
            headers = [*ours, *_reference(value), *letter.headers()]
            key, value = None, None
        failures = 0
        while (error := await self._attempt(key, value, headers)) is not None:
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE and value is not None:
                headers, value = [*_reference(value), *headers], None
                continue
            self._complain(error)
            failures += 1
            await asyncio.sleep(self._wait_seconds(failures))

    async def failed(self) -> KafkaFailure:
        """Return when no letter can be written any more, with the reason; the process is to end."""
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
            if self._found is not None:
                self._failure.set_result(self._found)
        return await asyncio.shield(self._failure)

    async def close(self, timeout_seconds: float) -> int:
        """Wait for what is out, within the timeout; return how many letters are still not durable."""
        deadline = time.monotonic() + timeout_seconds
        while self._out and time.monotonic() < deadline:
            self._producer.poll(0)
            await asyncio.sleep(_POLL_EVERY_SECONDS)
        left = self._out
        self._is_closed = True
        if self._poller is not None:
            self._poller.cancel()
        self._producer.purge()
        self._producer.poll(0)
        return left

    async def _attempt(self, key: bytes | None, value: bytes | None, headers: Headers) -> KafkaError | None:
        """Produce once; return what went wrong."""
        delivered: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            self._out -= 1
            # What is thrown away at the end stays unanswered: its writer is cancelled, its offset stays incomplete.
            if not delivered.done() and not (error is not None and self._is_closed):
                delivered.set_result(error)

        try:
            self._producer.produce(self._options.topic, value=value, key=key, headers=headers, on_delivery=on_delivery)
        except BufferError:
            await self._room()
            return await self._attempt(key, value, headers)
        except KafkaException as exception:
            return kafka_error(exception)
        self._out += 1
        self._keep_polling()
        return await delivered

    async def _room(self) -> None:
        """Return when the client's queue may have room again."""
        self._producer.poll(0)
        await asyncio.sleep(_POLL_EVERY_SECONDS)

    def _keep_polling(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.get_running_loop().create_task(self._poll_while_out(), name="dead-letter-poll")

    async def _poll_while_out(self) -> None:
        while self._out:
            self._producer.poll(0)
            await asyncio.sleep(_POLL_EVERY_SECONDS)

    def _wait_seconds(self, failures: int) -> float:
        doublings = min(failures - 1, _MAX_DOUBLINGS)
        return min(self._options.max_retry_seconds, self._options.retry_seconds * float(2**doublings))

    def _on_error(self, error: KafkaError) -> None:
        self._complain(error)

    def _complain(self, error: KafkaError) -> None:
        if is_fatal(error):
            self._fail(error)
            return
        complaint = self._complaints.about(error, time.monotonic())
        if complaint is not None:
            self._observe(complaint)

    def _fail(self, error: KafkaError) -> None:
        failure = failure_of(error, Place(self._options.topic, setting="dead_letters.topic"), is_starting=False)
        self._found = self._found or failure
        if self._found is not None and self._failure is not None and not self._failure.done():
            self._failure.set_result(self._found)


def is_fatal(error: KafkaError) -> bool:
    """Whether the producer is done for: whatever is produced from now on will be refused."""
    return error.code() == codes.FATAL or error.fatal()


def _reference(value: bytes) -> Sequence[tuple[str, bytes]]:
    """Return what identifies a value that is too large to be written; its place is in the letter's own headers."""
    return (
        (HEADER_PREFIX + "value-size", str(len(value)).encode()),
        (HEADER_PREFIX + "value-sha256", hashlib.sha256(value).hexdigest().encode()),
    )
