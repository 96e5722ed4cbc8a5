# SPDX-License-Identifier: Apache-2.0
"""What the records of the dead letters' topic say.

Owns reading them: a record is a dead letter, or a note that one was replayed or dropped. The topic is not compacted, so
notes are records of their own, behind their letters in the same partition; they outlive them under any retention.
Decodes no value, and keeps no content but what is asked for: the topic may be larger than memory, descriptions of its
letters are not.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.dead_letter import HEADER_PREFIX
from connector.domain.replays import Replay, replay_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from connector.engine.ports import RawRecord

_NOTE, _NOTED_OFFSET, _NOTED_TIME = "note", "note-offset", "note-time"
_MOST_DIGITS = 18


class State(StrEnum):
    """What has become of a letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DROPPED = "dropped"


class Place(NamedTuple):
    """Where a letter lies in the dead letters' topic; people write it ``partition/offset``."""

    partition: int
    offset: int

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.partition}/{self.offset}"


class Source(NamedTuple):
    """Where the letter's event came from; ``event_index`` is ``None`` where the record as a whole is meant."""

    topic: str
    partition: int
    offset: int
    event_index: int | None

    def __str__(self) -> str:
        """Return it in words."""
        event = "" if self.event_index is None else f", event {self.event_index}"
        return f"{self.topic}/{self.partition} at offset {self.offset}{event}"


class Reference(NamedTuple):
    """What identifies a value that the letter does not hold."""

    size: int
    sha256: str


class Letter(NamedTuple):
    """A dead letter without its content.

    ``order_id`` is the order's, as the event said or as the record's key suggests where nobody could read the event;
    ``is_of_key`` says that it is the latter. ``replays`` is how often the event had been replayed when it became this
    letter. ``reference`` is there where the letter does not hold the value. Times are Unix time in milliseconds.
    """

    place: Place
    source: Source
    order_id: str
    is_of_key: bool
    stage: str
    reason: str
    message: str
    attempts: int
    written_at_ms: int
    record_time_ms: int
    cluster: str
    topic_id: str
    replays: int
    reference: Reference | None
    state: State = State.OPEN
    settled_at_ms: int = 0


class Note(NamedTuple):
    """That the letter at a place is replayed or dropped, and since when."""

    place: Place
    state: State
    time_ms: int

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the headers that say so; the partition is the record's own."""
        values = {_NOTE: self.state, _NOTED_OFFSET: self.place.offset, _NOTED_TIME: self.time_ms}
        return [(HEADER_PREFIX + name, str(value).encode()) for name, value in values.items()]


def read(record: RawRecord) -> Letter | Note | None:
    """Return what a record of the topic says; ``None`` for one that is not ours."""
    headers = own_headers(record)
    if _NOTE in headers:
        return _note(record, headers)
    if "reason" not in headers or "topic" not in headers:
        return None
    replay = replay_of(record.headers)
    key = "" if record.key is None else record.key.decode(errors="replace")
    written_at_ms = _number(headers, "time") or record.timestamp_ms
    sha256 = headers.get("value-sha256")
    return Letter(
        place=Place(record.topic_partition.partition, record.offset),
        source=Source(
            headers["topic"],
            _number(headers, "partition"),
            _number(headers, "offset"),
            _number(headers, "event-index") if headers.get("event-index") else None,
        ),
        order_id=headers.get("order-id") or key,
        is_of_key=not headers.get("order-id"),
        stage=headers.get("stage", ""),
        reason=headers["reason"],
        message=headers.get("message", ""),
        attempts=_number(headers, "attempts"),
        written_at_ms=written_at_ms,
        record_time_ms=_number(headers, "record-time") or written_at_ms,
        cluster=headers.get("cluster", ""),
        topic_id=headers.get("topic-id", ""),
        replays=replay.times if isinstance(replay, Replay) else 0,
        reference=None if sha256 is None else Reference(_number(headers, "value-size"), sha256),
    )


def read_letters(
    batches: Iterable[Sequence[RawRecord]],
    is_wanted: Callable[[Letter], bool] = lambda _: True,
) -> list[Letter]:
    """Return the letters that are wanted, in the order of their places, each with what became of it.

    Batches hold the records of a partition in their order; those that are not ours are passed over.
    """
    letters: dict[Place, Letter] = {}
    for batch in batches:
        for record in batch:
            match read(record):
                case Letter() as letter if is_wanted(letter):
                    letters[letter.place] = letter
                case Note() as note if note.place in letters:
                    settled = letters[note.place]._replace(state=note.state, settled_at_ms=note.time_ms)
                    letters[note.place] = settled
                case _:
                    pass
    return [letters[place] for place in sorted(letters)]


def read_contents(batches: Iterable[Sequence[RawRecord]], wanted: Collection[Place]) -> dict[Place, RawRecord]:
    """Return the records of the letters at these places."""
    contents: dict[Place, RawRecord] = {}
    for batch in batches:
        for record in batch:
            place = Place(record.topic_partition.partition, record.offset)
            if place in wanted:
                contents[place] = record
    return contents


def own_headers(record: RawRecord) -> dict[str, str]:
    """Return the connector's headers without their prefix; of two with one name the last, which is the letter's."""
    return {
        name[len(HEADER_PREFIX) :]: (value or b"").decode(errors="replace")
        for name, value in record.headers
        if name.startswith(HEADER_PREFIX)
    }


def original_headers(record: RawRecord) -> list[tuple[str, bytes | None]]:
    """Return the headers that the record came with, without any of the connector's."""
    return [(name, value) for name, value in record.headers if not name.startswith(HEADER_PREFIX)]


def _note(record: RawRecord, headers: dict[str, str]) -> Note | None:
    try:
        state = State(headers[_NOTE])
    except ValueError:
        return None
    place = Place(record.topic_partition.partition, _number(headers, _NOTED_OFFSET))
    return Note(place, state, _number(headers, _NOTED_TIME) or record.timestamp_ms)


def _number(headers: dict[str, str], name: str) -> int:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0
