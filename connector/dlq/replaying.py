# SPDX-License-Identifier: Apache-2.0
"""Replays letters: their records go back into the partitions that they came from, with headers that say so.

Owns the order of things: the letters of an order one after the other; where the next one goes to another partition,
only when the connector is done with the one before, unless nobody waits for one, or none runs: then connectors may
take them in another order. Each is noted as replayed when its record is durable. Killed between the two, a letter is
still open, and replaying it once more does no harm: the event is known by then. Tells Button nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from connector.dlq.content import original_of
from connector.domain.replays import Replay
from connector.engine.ports import Origin, TopicPartition
from connector.kafka.letters import Note, State
from connector.kafka.record_writer import ANY_PARTITION, NewRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connector.dlq.asking import Asking
    from connector.dlq.content import Original
    from connector.engine.ports import RawRecord
    from connector.kafka.group_progress import GroupProgress
    from connector.kafka.letters import Letter, Place
    from connector.kafka.record_writer import RecordWriter, Written

_LOOK_SECONDS = 0.1


class Source(NamedTuple):
    """A topic that letters came from, as it is now."""

    origin: Origin
    partitions: int


class Replayed(NamedTuple):
    """A letter that was replayed, and where its record lies now."""

    letter: Letter
    topic: str
    partition: int
    offset: int


@dataclass(slots=True)
class Result:
    """What came of a replay: what was written, and the orders that were left alone halfway, with why."""

    replayed: list[Replayed] = field(default_factory=list)
    failed: list[tuple[Letter, str]] = field(default_factory=list)
    is_done: bool | None = None
    """Whether the connector is done with all of it; ``None`` where nobody waited."""


@dataclass(frozen=True, slots=True)
class Replayer:
    """Replays; ``progress`` is ``None`` where nobody waits for the connector. ``rate`` is in letters a second."""

    asking: Asking
    writer: RecordWriter
    progress: GroupProgress | None
    sources: Mapping[str, Source]
    wait_seconds: float
    rate: float | None = None
    sleep: Callable[[float], None] = time.sleep

    def replay(self, orders: Sequence[Sequence[Letter]], contents: Mapping[Place, RawRecord]) -> Result:
        """Replay the letters of orders; raises :class:`KafkaFailure`."""
        result = Result()
        due = time.monotonic()
        for order in orders:
            before: Replayed | None = None
            for letter in order:
                original = original_of(letter, contents.get(letter.place), self.asking)
                if isinstance(original, str):
                    result.failed.append((letter, original))
                    break  # what is behind it must not overtake it
                if before is not None and not self._is_in_order(before, letter):
                    why = "the connector was not done in time with the one before it, which lies in another partition"
                    result.failed.append((letter, why))
                    break
                due = self._pace(due)
                before = self._replay(letter, original)
                result.replayed.append(before)
        if self.progress is not None:
            result.is_done = self._wait_for(result.replayed)
        return result

    def _is_in_order(self, before: Replayed, letter: Letter) -> bool:
        """Return whether the next letter may go: behind the one before it, or when that is done."""
        is_behind = (letter.source.topic, letter.source.partition) == (before.topic, before.partition)
        return is_behind or self.progress is None or self._wait_for([before])

    def _replay(self, letter: Letter, original: Original) -> Replayed:
        source, now = letter.source, self.sources[letter.source.topic]
        replay = Replay(
            letter.cluster or now.origin.cluster,
            letter.topic_id or now.origin.topic_id,
            source.topic,
            source.partition,
            source.offset,
            source.event_index,
            letter.record_time_ms,
            letter.replays + 1,
        )
        partition = source.partition if source.partition < now.partitions else ANY_PARTITION
        headers = [*original.headers, *replay.headers()]
        record = NewRecord(source.topic, "kafka.topics", partition, original.key, original.value, headers)
        written = self.writer.write(record)
        settle(letter, State.REPLAYED, self.asking.settings.dead_letters.topic, self.writer)
        return Replayed(letter, source.topic, *written)

    def _pace(self, due: float) -> float:
        """Wait until the next letter is due; return when the one after it will be."""
        if self.rate is None:
            return due
        now = time.monotonic()
        if due > now:
            self.sleep(due - now)
        return max(due, now) + 1.0 / self.rate

    def _wait_for(self, replayed: Sequence[Replayed]) -> bool:
        """Return whether the group has committed past all of it within the time."""
        if self.progress is None:
            return False
        wanted: dict[TopicPartition, int] = {}
        for each in replayed:
            place = TopicPartition(each.topic, each.partition)
            wanted[place] = max(wanted.get(place, 0), each.offset + 1)
        deadline = time.monotonic() + self.wait_seconds
        while wanted:
            committed = self.progress.committed(wanted)
            wanted = {place: offset for place, offset in wanted.items() if committed.get(place, -1) < offset}
            if wanted and time.monotonic() > deadline:
                return False
            if wanted:
                self.sleep(_LOOK_SECONDS)
        return True


def settle(letter: Letter, state: State, topic: str, writer: RecordWriter) -> Written:
    """Write the note that a letter is settled, into the letter's own partition; return when it is durable."""
    note = Note(letter.place, state, time.time_ns() // 1_000_000)
    key = str(letter.place).encode()
    return writer.write(NewRecord(topic, "dead_letters.topic", letter.place.partition, key, None, note.headers()))
