# SPDX-License-Identifier: Apache-2.0
"""Which dead letters are meant.

Owns the filter and how its parts are written on a command line. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from connector.kafka.letters import Place, State

if TYPE_CHECKING:
    from connector.kafka.letters import Letter, Source

_DURATION = re.compile(r"(\d{1,9})([smhdw])")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


class Misspelt(ValueError):  # noqa: N818  it is said of the command line, not thrown at it
    """A part of the filter that cannot be read; the text says how it is written."""


class SourceFilter(NamedTuple):
    """Where the event came from; ``None`` is any."""

    topic: str
    partition: int | None = None
    offset: int | None = None

    def takes(self, source: Source) -> bool:
        """Return whether an event came from there."""
        return (
            source.topic == self.topic
            and self.partition in {None, source.partition}
            and self.offset in {None, source.offset}
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """What all chosen letters have in common; ``None`` or empty is any.

    ``since_ms`` and ``until_ms`` bound when the letter was written. ``places`` are those of letters in their topic.
    """

    reasons: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    since_ms: int | None = None
    until_ms: int | None = None
    source: SourceFilter | None = None
    places: frozenset[Place] = frozenset()
    states: frozenset[State] = frozenset({State.OPEN})

    @property
    def is_any(self) -> bool:
        """Whether every letter of these states is meant."""
        return self == Filter(states=self.states)

    def takes(self, letter: Letter) -> bool:
        """Return whether a letter is meant."""
        return (
            letter.state in self.states
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.orders or letter.order_id in self.orders)
            and (self.since_ms is None or letter.written_at_ms >= self.since_ms)
            and (self.until_ms is None or letter.written_at_ms < self.until_ms)
            and (self.source is None or self.source.takes(letter.source))
            and (not self.places or letter.place in self.places)
        )


def place_from(text: str) -> Place:
    """Return the place of a letter; raises :class:`Misspelt`."""
    partition, slash, offset = text.partition("/")
    if not slash or not _is_whole(partition) or not _is_whole(offset):
        msg = f"{text!a} is no letter: write partition/offset as dlq list shows it, like 0/12"
        raise Misspelt(msg)
    return Place(int(partition), int(offset))


def source_from(text: str) -> SourceFilter:
    """Return where events came from; raises :class:`Misspelt`."""
    topic, *numbers = text.split("/")
    if not topic or len(numbers) > len(("partition", "offset")) or not all(map(_is_whole, numbers)):
        msg = f"{text!a} is no source: write topic, topic/partition or topic/partition/offset, like orders/3/1041"
        raise Misspelt(msg)
    return SourceFilter(topic, *map(int, numbers))


def time_from(text: str, now_ms: int) -> int:
    """Return a time in milliseconds, given as an age or as a date; raises :class:`Misspelt`."""
    age = _DURATION.fullmatch(text.strip())
    if age is not None:
        return now_ms - int(age[1]) * _UNIT_MS[age[2]]
    try:
        told = datetime.fromisoformat(text.strip())
    except ValueError:
        msg = f"{text!a} is no time: write how long ago (90m, 24h, 7d) or when (2026-01-31, 2026-01-31T12:00:00Z)"
        raise Misspelt(msg) from None
    return round((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() * 1000)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= len(str(2**63)) - 1
