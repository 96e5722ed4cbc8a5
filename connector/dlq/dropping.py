# SPDX-License-Identifier: Apache-2.0
"""Drops letters: nobody is going to replay them, and their orders wait for them no longer.

Owns the order of things: in the letters' original order, first the mark in the ledger by which a letter keeps its order
parked, then the note that it is dropped. Killed between the two, the letter is still open and is dropped once more. A
mark whose letter is gone (retention took it) goes when its order is named; that of a letter which was replayed stays,
because its event is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from connector.dlq.replaying import settle
from connector.domain.facts import Mark, UnreadableFactError
from connector.kafka.failures import KafkaFailure
from connector.kafka.letters import Source, State
from connector.kafka.record_writer import NewRecord
from connector.kafka.whole_topic import read_whole
from connector.tables.fact_codec import decode_fact, decode_key, is_readable, partition_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from connector.dlq.asking import Asking
    from connector.engine.ports import RawRecord
    from connector.kafka.letters import Letter
    from connector.kafka.record_writer import RecordWriter


class Orphan(NamedTuple):
    """A mark whose letter is gone: its key in the ledger, its order, and where its event came from."""

    key: bytes
    order_id: str
    source: Source | None


@dataclass(slots=True)
class Marks:
    """The marks that keep orders parked: the ledger's key of each, by order and by where the event came from."""

    partitions: int = 0
    keys: dict[bytes, tuple[str, Source | None]] = field(default_factory=dict)

    def of(self, letter: Letter) -> list[bytes]:
        """Return the keys of the marks that a letter's event has."""
        return [
            key for key, (order, source) in self.keys.items() if (order, source) == (letter.order_id, letter.source)
        ]

    def orphans(self, orders: Collection[str], letters: Iterable[Letter]) -> list[Orphan]:
        """Return the marks of orders that none of the letters explains; a dropped letter explains none.

        The letters must have been read behind the marks: a letter is written before its mark.
        """
        explained = {each.source for each in letters if each.state is not State.DROPPED}
        return [
            Orphan(key, order, source)
            for key, (order, source) in self.keys.items()
            if order in orders and source not in explained
        ]


def read_marks(asking: Asking, orders: Collection[str]) -> Marks:
    """Return the marks of these orders; raises :class:`KafkaFailure`."""
    marks = Marks()
    if not asking.settings.ledger.enabled or not orders:
        return marks

    def of_the_orders(count: int) -> list[int]:
        marks.partitions = count
        return sorted({partition_of(order, count) for order in orders})

    for records in read_whole(asking.ledger(), of_the_orders):
        _take(records, orders, marks)
    return marks


def _take(records: Iterable[RawRecord], orders: Collection[str], marks: Marks) -> None:
    for record in records:
        key = None if record.key is None else decode_key(record.key)
        if record.key is None or key is None or not key.is_parked or key.order_id not in orders:
            continue
        marks.keys.pop(record.key, None)
        if record.value is None or not is_readable(record.value):
            continue
        try:
            fact = decode_fact(key.order_id, key.event_id, record.value)
        except UnreadableFactError as error:
            message = f"ledger.topic: {record.topic_partition} offset {record.offset}: {error}"
            raise KafkaFailure(message) from None
        at = fact.source
        place = None if at is None else Source(at.topic, at.partition, at.offset, at.event_index)
        if isinstance(fact.said, Mark):
            marks.keys[record.key] = (key.order_id, place)


class Drop(NamedTuple):
    """What is to be dropped, or was: letters in their original order, and marks that no letter has any more."""

    letters: list[Letter]
    orphans: list[Orphan]


@dataclass(frozen=True, slots=True)
class Dropper:
    """Drops."""

    asking: Asking
    writer: RecordWriter
    marks: Marks

    def drop(self, meant: Drop) -> None:
        """Drop letters and marks; raises :class:`KafkaFailure`."""
        for letter in meant.letters:
            for key in self.marks.of(letter):
                self._free(key)
            settle(letter, State.DROPPED, self.asking.settings.dead_letters.topic, self.writer)
        for key, order_id, source in meant.orphans:
            # The event may have come anew while somebody was asked: then the mark is another letter's.
            if self.marks.keys.get(key) == (order_id, source):
                self._free(key)

    def _free(self, key: bytes) -> None:
        """Take a mark out of the ledger; every replica reads that."""
        order_id, _ = self.marks.keys.pop(key)
        partition = partition_of(order_id, self.marks.partitions)
        self.writer.write(NewRecord(self.asking.settings.ledger.topic, "ledger.topic", partition, key, None))
