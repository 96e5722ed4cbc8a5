# SPDX-License-Identifier: Apache-2.0
"""Dead letters as the engine writes them.

Owns what a letter says and what follows it: the mark that parks the order of a purchase that became one, and only then
the event's completion. Never completes an event before its letter is durable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.domain.dead_letter import DeadLetter, Stage
from connector.engine.observations import DeadLettered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connector.domain.orders import Reject
    from connector.engine.assignment import Assignment
    from connector.engine.ports import Clock, DeadLetters, EventTrace, Observer, RawRecord


@dataclass(frozen=True, slots=True)
class Letters:
    """Writes dead letters; ``complete`` notes that one event of the record reached its end."""

    dead_letters: DeadLetters
    clock: Clock
    observe: Observer
    complete: Callable[[Assignment, RawRecord], None]

    async def write(  # noqa: PLR0913  what it is about, why, and what follows
        self,
        assignment: Assignment,
        record: RawRecord,
        letter: DeadLetter,
        *,
        trace: EventTrace | None = None,
        mark: Callable[[], Awaitable[object]] | None = None,
        settle: Callable[[], None] = lambda: None,
    ) -> None:
        """Write a letter, then what ``mark`` writes, and complete the event; ``assignment.begin`` was called before."""
        try:
            await self.write_alone(record, letter)
            if mark is not None:
                await mark()
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
    ) -> DeadLetter:
        """Return the letter of an event, or of a record as a whole (no ``index``)."""
        topic, partition = record.topic_partition
        return DeadLetter(
            topic=topic,
            partition=partition,
            offset=record.offset,
            event_index=index,
            stage=stage,
            reason=reject.reason,
            message=reject.message,
            attempts=attempts,
            time_ms=self.clock.now_ms(),
            order_id=order_id or "",
        )
