# SPDX-License-Identifier: Apache-2.0
"""The dead letters of one order.

Owns by what they are told: the letter's own header, and, for a record that could not be read, the record's key.
Decodes no record, and keeps only what is said of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.domain.dead_letter import HEADER_PREFIX
from connector.orders_view.words import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.engine.ports import RawRecord


_MOST_DIGITS = 19


class LetterView(NamedTuple):
    """A dead letter: where it lies, where its event came from, and why it is one.

    ``state`` is ``open``, or what somebody did with it: ``replayed`` or ``dropped``.
    """

    position: str
    source: str
    stage: str
    reason: str
    message: str
    attempts: int
    written_at: str
    state: str = "open"


def letters_of(order_id: str, records: Iterable[RawRecord]) -> list[LetterView]:
    """Return the dead letters among the records that belong to an order, with what somebody did with them since."""
    letters: dict[str, LetterView] = {}
    for record in records:
        # The letter's own headers are behind those of the record.
        found = {name.removeprefix(HEADER_PREFIX): value for name, value in record.headers if _is_ours(name)}
        headers = {name: (value or b"").decode(errors="replace") for name, value in found.items()}
        own = headers.get("order-id", "")
        if "note" in headers:
            place = _place(record, headers.get("note-offset", ""))
            if place in letters:
                letters[place] = letters[place]._replace(state=headers["note"])
        elif own == order_id or (not own and headers and record.key == order_id.encode()):
            view = _view(record, headers)
            letters[view.position] = view
    return list(letters.values())


def _place(record: RawRecord, offset: int | str) -> str:
    return f"{record.topic_partition} at offset {offset}"


def _is_ours(name: str) -> bool:
    return name.startswith(HEADER_PREFIX)


def _view(record: RawRecord, headers: dict[str, str]) -> LetterView:
    get = headers.get
    index = get("event-index")
    event = f", event {index}" if index else ""
    return LetterView(
        _place(record, record.offset),
        f"{get('topic', '?')}/{get('partition', '?')} at offset {get('offset', '?')}{event}",
        get("stage", ""),
        get("reason", ""),
        get("message", ""),
        _number(get("attempts", "")),
        time_of(_number(get("time", "")) or record.timestamp_ms),
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0
