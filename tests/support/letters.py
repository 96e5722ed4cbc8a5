# SPDX-License-Identifier: Apache-2.0
"""Records of the dead letters' topic, made by hand.

Owns a letter in which everything can be changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain.dead_letter import DeadLetter, Stage
from connector.engine.ports import RawRecord, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE = TopicPartition("dead-letters", 0)


def letter(**changes: Any) -> DeadLetter:  # noqa: ANN401  any field of a letter
    """Return what is said of an event that became a dead letter."""
    fields: dict[str, Any] = {
        "topic": "orders",
        "partition": 3,
        "offset": 77,
        "event_index": 1,
        "stage": Stage.MAP,
        "reason": "over_refund",
        "message": "more than is left",
        "attempts": 2,
        "time_ms": 1_700_000_000_000,
        "order_id": "M-1",
        "cluster": "cluster-1",
        "topic_id": "topic-1",
        "record_time_ms": 1_600_000_000_000,
    }
    return DeadLetter(**{**fields, **changes})


def letter_record(  # noqa: PLR0913  each has a default
    offset: int,
    said: DeadLetter | None = None,
    *,
    before: Sequence[tuple[str, bytes | None]] = (),
    key: bytes | None = b"M-1",
    value: bytes | None = b"event",
    partition: int = 0,
) -> RawRecord:
    """Return a letter's record; ``before`` are the headers that the original record had."""
    place = TopicPartition(PLACE.topic, partition)
    headers = [*before, *(said or letter()).headers()]
    return RawRecord(place, offset, key, value, headers, 1_700_000_000_500)
