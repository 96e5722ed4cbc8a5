# SPDX-License-Identifier: Apache-2.0
"""Dead letters as the engine writes them.

Owns what a letter says and what follows it: the mark that keeps its order parked (or is taken away), and only then the
event's completion. Never completes an event before its letter is durable. The letter of a replay names the original
record, so that an event has one place whatever became of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.domain.dead_letter import DeadLetter, Stage
from connector.domain.replays import Replay, replay_of
from connector.engine.observations import DeadLettered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connector.domain.orders import Reject
    from connector.engine.assignment import Assignment
    from connector.engine.ports import Clock, DeadLetters, EventTrace, Observer, Origin, RawRecord


@dataclass(frozen=True, slots=True)
class Letters:
    """Writes dead letters.

    ``complete`` notes that one event of the record reached its end; ``origin_of`` tells a topic's cluster and id.
    """

    dead_letters: DeadLetters
    clock: Clock
    observe: Observer
    complete: Callable[[Assignment, RawRecord], None]
    origin_of: Callable[[str], Origin]

    async def write(  # noqa: PLR0913  what it is about, why, and what follows
        self,
        assignment: Assignment,
        record: RawRecord,
        letter: DeadLetter,
        *,
        trace: EventTrace | None = None,
        mark: Callable[[], Awaitable[object] | None] = lambda: None,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        """Write a letter, then what ``mark`` writes, and complete the event; ``assignment.begin`` was called before."""
        try:
            await self.write_alone(record, letter)
            if (marked := mark()) is not None:
                await marked
            if trace is not None:
                trace.end("dead_letter", letter.reason)
            self.complete(assignment, record)
        finally:
            assignment.end()
        settle()

    async def write_alone(self, record: RawRecord, letter: DeadLetter) -> None:
        """Write a letter that completes nothing: its record was complete before."""
        await self.dead_letters.write(record, letter)
        self.observe(
            DeadLettered(
                record.topic_partition,
                record.offset,
                letter.event_index,
                letter.stage,
                letter.reason,
                letter.message,
            ),
        )

    def letter(  # noqa: PLR0913  the event, where it ended and why
        self,
        record: RawRecord,
        index: int | None,
        stage: Stage,
        reject: Reject,
        *,
        attempts: int = 0,
        order_id: str | None = None,
        origin: Origin | None = None,
    ) -> DeadLetter:
        """Return the letter of an event, or of a record as a whole (no ``index``).

        ``origin`` is that of a record's topic when it was read, where that is longer ago than this process.
        """
        replay = replay_of(record.headers) if record.headers else None
        if isinstance(replay, Replay):
            cluster, topic_id, topic, partition, offset, *_ = replay
            record_time_ms = replay.record_time_ms
        else:
            (topic, partition), offset, record_time_ms = record.topic_partition, record.offset, record.timestamp_ms
            cluster, topic_id = origin or self.origin_of(topic)
        return DeadLetter(
            topic=topic,
            partition=partition,
            offset=offset,
            event_index=index,
            stage=stage,
            reason=reject.reason,
            message=reject.message,
            attempts=attempts,
            time_ms=self.clock.now_ms(),
            order_id=order_id or "",
            cluster=cluster,
            topic_id=topic_id,
            record_time_ms=record_time_ms,
        )
