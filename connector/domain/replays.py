# SPDX-License-Identifier: Apache-2.0
"""Replays: records of the events' topics that say of themselves that an earlier record is meant.

Owns their headers. A replayed record is the original one with a few headers more: which event of it is to be taken, and
where the original lay, so that the event keeps its identity in the ledger. The count says how often it was replayed, so
that a letter that always comes back can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.domain.dead_letter import HEADER_PREFIX
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = HEADER_PREFIX + "replay-"
_MOST_DIGITS = 18


class Replay(NamedTuple):
    """Which event is meant: position and broker's time of the original record, and the event's index in it.

    ``event_index`` is ``None`` where the record as a whole is meant. ``times`` is 1 for the first replay.
    """

    cluster: str
    topic_id: str
    topic: str
    partition: int
    offset: int
    event_index: int | None
    record_time_ms: int
    times: int

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the headers that say so; the values are UTF-8 text."""
        values = {
            "cluster": self.cluster,
            "topic-id": self.topic_id,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "event-index": "" if self.event_index is None else self.event_index,
            "record-time": self.record_time_ms,
            "count": self.times,
        }
        return [(PREFIX + name, str(value).encode()) for name, value in values.items()]


def replay_of(headers: Sequence[tuple[str, bytes | None]]) -> Replay | Reject | None:
    """Return what a record's headers say of a replay: nothing for nearly all, a reject where they make no sense."""
    found = {name[len(PREFIX) :]: value or b"" for name, value in headers if name.startswith(PREFIX)}
    if not found:
        return None
    try:
        texts = {name: value.decode() for name, value in found.items()}
        index = texts["event-index"]
        return Replay(
            texts["cluster"],
            texts["topic-id"],
            texts["topic"],
            _whole(texts["partition"]),
            _whole(texts["offset"]),
            _whole(index) if index else None,
            _whole(texts["record-time"]),
            _whole(texts["count"]),
        )
    except (ValueError, KeyError):
        return Reject(
            "bad_replay",
            f"the record has headers that begin with {PREFIX}, but they do not say which event of which record is "
            "meant; replay dead letters by the command dlq replay, and send records without these headers",
        )


def _whole(text: str) -> int:
    # isdecimal is true for the digits of other scripts, too; ASCII is all that we write.
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise ValueError(text)
    return int(text)
