# SPDX-License-Identifier: Apache-2.0
"""Dead letters: what could not be delivered as it was, with everything that is needed to understand and replay it.

Owns the names of the letter's headers. The original record (key, value, headers) is kept intact beside them, unless the
settings ask for a reference alone. Headers of ours that the record had before (it was a replay) stand before the
letter's own, so that of two with one name the last one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HEADER_PREFIX = "button-connector."


class Stage(StrEnum):
    """Where an event ended."""

    DECODE = "decode"
    MAP = "map"
    DELIVER = "deliver"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why one event of a record is a dead letter.

    Position and ``record_time_ms`` (the broker's time of the record) are those of the original record, also where the
    event became a dead letter again in a replay; ``cluster`` and ``topic_id`` say which topic the name stood for.
    ``event_index`` counts from 0 within the record; it is ``None`` when the record as a whole could not be read.
    ``attempts`` counts calls to Button. Times are Unix time in milliseconds. ``order_id`` is empty where the event
    names no order, or could not be read.
    """

    topic: str
    partition: int
    offset: int
    event_index: int | None
    stage: Stage
    reason: str
    message: str
    attempts: int
    time_ms: int
    order_id: str = ""
    cluster: str = ""
    topic_id: str = ""
    record_time_ms: int = 0

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the letter's own headers in a fixed order; the values are UTF-8 text."""
        values = {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "event-index": "" if self.event_index is None else self.event_index,
            "stage": self.stage,
            "reason": self.reason,
            "message": self.message,
            "attempts": self.attempts,
            "time": self.time_ms,
            "order-id": self.order_id,
            "cluster": self.cluster,
            "topic-id": self.topic_id,
            "record-time": self.record_time_ms,
        }
        return [(HEADER_PREFIX + name, str(value).encode()) for name, value in values.items()]
