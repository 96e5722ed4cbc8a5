# SPDX-License-Identifier: Apache-2.0
"""The original order of an order's dead letters.

Owns that order. Within a source partition it is that of the records and of the events in them: this is the order in
which the events would have been told. Letters of several partitions are merged by the times of their records, each
partition's own order kept; times of one partition need not ascend, its offsets do. Pure.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.kafka.letters import Letter


def by_order(letters: Iterable[Letter]) -> list[list[Letter]]:
    """Return the letters of each order in their original order, the order whose first event is the oldest first.

    A letter that names no order is alone.
    """
    orders: defaultdict[object, list[Letter]] = defaultdict(list)
    for letter in letters:
        orders[letter.order_id or letter.place].append(letter)
    return sorted((in_original_order(each) for each in orders.values()), key=lambda each: _when(each[0]))


def in_original_order(letters: Iterable[Letter]) -> list[Letter]:
    """Return the letters of one order in their original order."""
    partitions: defaultdict[tuple[str, int], list[Letter]] = defaultdict(list)
    for letter in letters:
        partitions[letter.source.topic, letter.source.partition].append(letter)
    heads = [deque(sorted(each, key=_within)) for each in partitions.values()]
    merged = []
    while heads:
        first = min(heads, key=lambda head: _when(head[0]))
        merged.append(first.popleft())
        heads = [head for head in heads if head]
    return merged


def _within(letter: Letter) -> tuple[int, int, object]:
    source = letter.source
    # The same event may have several letters, each replay that failed left one.
    return source.offset, -1 if source.event_index is None else source.event_index, letter.place


def _when(letter: Letter) -> tuple[int, object, object]:
    return letter.record_time_ms, letter.source[:3], letter.place
