# SPDX-License-Identifier: Apache-2.0
"""The poll thread's way to the event loop.

Owns the order: everything is called on the loop in the order in which it was handed over, so an assignment is known
before its records come, and a fence is in place before the partition can come back. Never blocks the loop, and never
outlives it: a loop that is closed ends the waiting.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

from connector.engine.lease import Leasehold
from connector.kafka.boot_clock import boot_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connector.engine.lease import Lease
    from connector.engine.observations import Observation
    from connector.engine.ports import Intake, Observer, RawRecord, TopicPartition


class LoopSide:
    """Calls the engine and the observer on their loop; methods are for the poll thread unless they say otherwise."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        intake: Intake,
        observer: Observer,
        lease: Lease,
    ) -> None:
        """Take the loop and what lives on it."""
        self._loop = loop
        self._intake = intake
        self._observer = observer
        self._hold = Leasehold(lease, boot_seconds, intake, observer)
        self.epochs: dict[TopicPartition, int] = {}
        """The assignments that the engine knows of; read and written on the loop."""

    def fence_all(self) -> None:
        """End all assignments that the engine knows of; on the loop, when the thread cannot do it any more."""
        partitions = tuple(self.epochs)
        self.epochs.clear()
        self._hold.drop()
        if partitions:
            self._intake.fence(partitions, lost=True)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the loop, after all that was handed over before."""
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    def observe(self, observation: Observation) -> None:
        """Tell the observer."""
        self.call(lambda: self._observer(observation))

    def assign(self, starts: Mapping[TopicPartition, int], epoch: int) -> None:
        """Give partitions to the engine."""

        def on_loop() -> None:
            self.epochs.update(dict.fromkeys(starts, epoch))
            self._intake.assign(starts)

        self.call(on_loop)

    def renew_lease(self, sent_at: float) -> None:
        """Note that the group has taken a commit that was sent then."""
        self.call(lambda: self._hold.renew(sent_at) if self.epochs else None)

    def end_lease(self, reason: str) -> None:
        """Note that the group does not know us."""
        self.call(lambda: self._hold.end(reason))

    def look_at_lease(self) -> None:
        """Have it noticed if the lease has lapsed."""
        self.call(self._hold.look)

    def deliver(self, records: Sequence[RawRecord]) -> None:
        """Give records to the engine."""
        self.call(lambda: self._intake.deliver(records))

    def advance(self, positions: Mapping[TopicPartition, int]) -> None:
        """Tell the engine how far its partitions have been read."""
        self.call(lambda: self._intake.advance(positions))

    def commit_soon(self) -> None:
        """Ask the engine for a commit."""
        self.call(self._intake.commit_soon)

    def drain(self, partitions: Sequence[TopicPartition]) -> Future[dict[TopicPartition, int]]:
        """Begin to drain partitions; the answer says what to commit."""
        answer: Future[dict[TopicPartition, int]] = Future()

        async def drain() -> None:
            try:
                answer.set_result(await self._intake.drain(partitions))
            except asyncio.CancelledError:
                answer.cancel()
                raise
            except Exception as exception:  # noqa: BLE001  it is raised again on the poll thread
                answer.set_exception(exception)

        def begin() -> None:
            task = self._loop.create_task(drain())
            answer.add_done_callback(lambda _: self.call(task.cancel) if answer.cancelled() else None)

        self.call(begin)
        return answer

    def fence(self, partitions: Sequence[TopicPartition], *, lost: bool) -> Future[None]:
        """End assignments; the answer comes when they are ended."""
        answer: Future[None] = Future()

        def on_loop() -> None:
            known = [each for each in partitions if self.epochs.pop(each, None) is not None]
            if not self.epochs:
                self._hold.drop()
            try:
                if known:
                    self._intake.fence(known, lost=lost)
            finally:
                if not answer.done():
                    answer.set_result(None)

        self.call(on_loop)
        return answer
