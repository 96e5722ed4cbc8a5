# SPDX-License-Identifier: Apache-2.0
"""The source of records: a member of a consumer group.

Owns the loop's side of it: :class:`connector.engine.ports.Source` for the engine, start, stop and failure for the
application. Never touches the client, whose thread is :mod:`connector.kafka.poll_thread`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from connector.engine.lease import Lease
from connector.engine.ports import CommitResult
from connector.kafka.boot_clock import boot_seconds
from connector.kafka.commits import NOT_OWNED, Asked, CommitRequest
from connector.kafka.failures import KafkaFailure
from connector.kafka.loop_side import LoopSide
from connector.kafka.poll_thread import PollThread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.engine.ports import Intake, Observer, TopicPartition
    from connector.kafka.options import SourceOptions


class KafkaSource:
    """Reads the topics as a member of the group; everything here is called on the engine's loop."""

    def __init__(self, options: SourceOptions, observer: Observer) -> None:
        """Take the options; nothing is connected before :meth:`start`."""
        self._options = options
        self._observer = observer
        self._lease = Lease(options.lease_seconds)

    def start(self, intake: Intake, loop: asyncio.AbstractEventLoop) -> None:
        """Join the group and begin to deliver to the engine, as far as the window allows."""
        self._loop = loop
        self._failure: asyncio.Future[KafkaFailure] = loop.create_future()
        self._finished = asyncio.Event()
        self._loop_side = LoopSide(loop, intake, self._observer, self._lease)
        self._poll_thread = PollThread(
            self._options,
            self._loop_side,
            lambda failure: self._loop_side.call(partial(self._fail, failure)),
        )
        # A daemon, because the client may block for long in a call when the broker is gone.
        self._thread = threading.Thread(target=self._run, name="kafka-source", daemon=True)
        self._thread.start()

    async def failed(self) -> KafkaFailure:
        """Return when the source cannot go on, with the reason; the process is to end."""
        return await asyncio.shield(self._failure)

    async def stop(self, timeout_seconds: float) -> None:
        """Drain, commit, leave the group; give up after the timeout, with the engine fenced. May be called again.

        The timeout must be longer than the drain budget, or what is finished in the drain stays uncommitted.
        """
        # The thread gives up a little earlier, so that it can still say so in order.
        at = time.monotonic() + timeout_seconds - min(1.0, timeout_seconds / 10)
        self._poll_thread.submit(lambda: self._poll_thread.stop(at))
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._finished.wait()
        except TimeoutError:
            self._loop_side.fence_all()

    @property
    def last_poll_at(self) -> float:
        """When the poll thread last showed that it lives (``time.monotonic``).

        A synchronous commit, when a partition is given back while the coordinator is gone, blocks it for up to the
        session timeout; whoever judges must allow for that.
        """
        return self._poll_thread.last_poll_at

    @property
    def waits_for(self) -> str | None:
        """Why the group does not take us yet, ``None`` if nothing is known against it."""
        return self._poll_thread.waits_for

    @property
    def end_offsets(self) -> Mapping[TopicPartition, int]:
        """The ends of our partitions, as of a second ago at most."""
        return self._poll_thread.end_offsets

    @property
    def total_partitions(self) -> int:
        """How many partitions the topics have in all, whoever owns them; 0 while nobody knows."""
        return self._poll_thread.total_partitions

    @property
    def uncommitted_records(self) -> int:
        """Records that are delivered and not committed."""
        return self._poll_thread.window.records

    @property
    def thread_id(self) -> int | None:
        """The poll thread, as the interpreter knows it."""
        return self._thread.ident

    @property
    def is_alive(self) -> bool:
        """Whether the poll thread runs."""
        return self._thread.is_alive()

    @property
    def lease_seconds(self) -> float:
        """For how long calls may still be started without another answer of the group."""
        return max(0.0, self._lease.valid_until - boot_seconds())

    @property
    def lacks_lease(self) -> bool:
        """Whether there are partitions, and no call of them may be started."""
        return bool(self._loop_side.epochs) and not self._lease.is_valid(boot_seconds())

    # The engine's side.

    def may_start(self, _topic_partition: TopicPartition) -> bool:
        """Return whether a call may be started: asked before each, so it must be quick."""
        return boot_seconds() < self._lease.valid_until

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """Commit exactly these offsets and return the group's answer; never raises."""
        epochs = self._loop_side.epochs
        asked = {each: Asked(offset, epochs[each]) for each, offset in offsets.items() if each in epochs}
        not_owned = {each: NOT_OWNED for each in offsets if each not in epochs}
        result = await self._ask(asked) if asked else CommitResult({}, {})
        return CommitResult(result.committed, {**result.failed, **not_owned})

    async def _ask(self, asked: Mapping[TopicPartition, Asked]) -> CommitResult:
        if self._finished.is_set():
            return CommitResult({}, dict.fromkeys(asked, "the source has stopped"))
        answer: asyncio.Future[CommitResult] = self._loop.create_future()

        def resolve(result: CommitResult) -> None:
            self._loop_side.call(lambda: None if answer.done() else answer.set_result(result))

        request = CommitRequest(asked, resolve, lambda: not answer.done())
        self._poll_thread.submit(lambda: self._poll_thread.commit(request))
        try:
            async with asyncio.timeout(self._options.commit_timeout_seconds):
                return await answer
        except TimeoutError:
            return CommitResult({}, dict.fromkeys(asked, "the group did not answer in time"))

    def _fail(self, failure: KafkaFailure) -> None:
        if not self._failure.done():
            self._failure.set_result(failure)

    def _run(self) -> None:
        try:
            self._poll_thread.run()
        finally:
            # Who was told to stop is not waited for any more; else nobody would ever know.
            self._loop_side.call(partial(self._fail, KafkaFailure("the Kafka poll thread ended by itself.")))
            self._loop_side.call(self._finished.set)
