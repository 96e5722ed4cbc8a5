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
    from collections.abc import Iterable, Iterator

    from connector.engine.ports import RawRecord


class LetterView(NamedTuple):
    """A dead letter: where it lies, where its event came from, and why it is one."""

    position: str
    source: str
    stage: str
    reason: str
    message: str
    attempts: int
    written_at: str


def letters_of(order_id: str, records: Iterable[RawRecord]) -> Iterator[LetterView]:
    """Yield the dead letters among the records that belong to an order."""
    for record in records:
        # The letter's own headers are behind those of the record.
        headers = {name.removeprefix(HEADER_PREFIX): value for name, value in record.headers if _is_ours(name)}
        own = (headers.get("order-id") or b"").decode(errors="replace")
        if own == order_id or (not own and headers and record.key == order_id.encode()):
            yield _view(record, {name: (value or b"").decode(errors="replace") for name, value in headers.items()})


def _is_ours(name: str) -> bool:
    return name.startswith(HEADER_PREFIX)


def _view(record: RawRecord, headers: dict[str, str]) -> LetterView:
    get = headers.get
    index = get("event-index")
    event = f", event {index}" if index else ""
    return LetterView(
        f"{record.topic_partition} at offset {record.offset}",
        f"{get('topic', '?')}/{get('partition', '?')} at offset {get('offset', '?')}{event}",
        get("stage", ""),
        get("reason", ""),
        get("message", ""),
        _number(get("attempts", "")),
        time_of(_number(get("time", "")) or record.timestamp_ms),
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
