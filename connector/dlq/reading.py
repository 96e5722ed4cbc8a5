# SPDX-License-Identifier: Apache-2.0
"""The letters of the topic as they stand, and the content of those that are wanted.

Owns that a letter with a note is no longer open. Keeps no content but what is asked for: a topic of dead letters may be
larger than memory, their descriptions are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.dlq.letters import Letter, Note, Place, read

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from connector.engine.ports import RawRecord


class Letters(NamedTuple):
    """What the topic holds: its letters in the order of their places, and how many records are not ours."""

    letters: list[Letter]
    foreign: int


def read_letters(batches: Iterable[Sequence[RawRecord]]) -> Letters:
    """Return the letters of all records, each with what became of it."""
    letters: dict[Place, Letter] = {}
    notes: dict[Place, Note] = {}
    foreign = 0
    for batch in batches:
        for record in batch:
            match read(record):
                case Letter() as letter:
                    letters[letter.place] = letter
                case Note() as note:
                    notes[note.place] = note
                case _:
                    foreign += 1
    for place, note in notes.items():
        if place in letters:
            letters[place] = letters[place]._replace(state=note.state, settled_at_ms=note.time_ms)
    return Letters(sorted(letters.values(), key=lambda each: each.place), foreign)


def read_contents(batches: Iterable[Sequence[RawRecord]], wanted: Collection[Place]) -> dict[Place, RawRecord]:
    """Return the records of the letters at these places."""
    contents: dict[Place, RawRecord] = {}
    for batch in batches:
        for record in batch:
            place = Place(record.topic_partition.partition, record.offset)
            if place in wanted:
                contents[place] = record
    return contents
