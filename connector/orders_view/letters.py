# SPDX-License-Identifier: Apache-2.0
"""The dead letters of one order.

Owns what is shown of them. Keeps nothing of another order's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.kafka.letters import read_letters
from connector.orders_view.words import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connector.engine.ports import RawRecord
    from connector.kafka.letters import Letter


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


def letters_of(order_id: str, topic: str, batches: Iterable[Sequence[RawRecord]]) -> list[LetterView]:
    """Return the dead letters in the topic that belong to an order, with what somebody did with them since."""
    return [_view(letter, topic) for letter in read_letters(batches, lambda each: each.order_id == order_id)]


def _view(letter: Letter, topic: str) -> LetterView:
    return LetterView(
        f"{topic}/{letter.place.partition} at offset {letter.place.offset}",
        str(letter.source),
        letter.stage,
        letter.reason,
        letter.message,
        letter.attempts,
        time_of(letter.written_at_ms),
        str(letter.state),
    )
