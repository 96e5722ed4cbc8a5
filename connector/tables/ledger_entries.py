# SPDX-License-Identifier: Apache-2.0
"""All entries of one order in one value, as the table keeps them.

Owns the form of that value. Facts are never decoded here: reading a whole topic into a table must cost little. An
entry stands in the value once for each slot (an event's fact; a parked mark has a slot of its own beside it), in the
order of the offsets, so that the newest is the last.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

LAYOUT = "order-entries-1"
"""The name of this form; a table of another one is read anew from its topic."""

_HEAD = Struct("<qqIHH")
_pack, _unpack_from, _HEAD_BYTES = _HEAD.pack, _HEAD.unpack_from, _HEAD.size
_PARKED = 1
_MOST_SLOT_BYTES = 0xFFFF


class Slot(NamedTuple):
    """What an entry replaces when it comes again."""

    event_id: bytes
    is_parked: bool = False


class Entry(NamedTuple):
    """A record of the ledger's topic: ``value`` is the fact's bytes, ``written_at_ms`` the record's timestamp."""

    offset: int
    written_at_ms: int
    slot: Slot
    value: bytes


def packed(entry: Entry) -> bytes:
    """Return an entry as a part of its order's value."""
    offset, written_at_ms, (event_id, is_parked), value = entry
    return alone(offset, written_at_ms, event_id, is_parked, value)


def alone(offset: int, written_at_ms: int, event_id: bytes, is_parked: bool, value: bytes) -> bytes:  # noqa: FBT001  it is a field
    """Return the value of an order that has this entry alone."""
    return b"%b%b%b" % (_pack(offset, written_at_ms, len(value), len(event_id), is_parked), event_id, value)


def pack(entries: Iterable[Entry]) -> bytes:
    """Return the value of an order with these entries."""
    return b"".join(map(packed, entries))


def unpack(value: bytes) -> list[Entry]:
    """Return an order's entries, the newest last."""
    entries, at = [], 0
    while at < len(value):
        offset, written_at_ms, size, id_size, flags = _unpack_from(value, at)
        begin = at + _HEAD_BYTES + id_size
        slot = Slot(value[at + _HEAD_BYTES : begin], flags == _PARKED)
        at = begin + size
        entries.append(Entry(offset, written_at_ms, slot, value[begin:at]))
    return entries


def fits(event_id: bytes) -> bool:
    """Return whether an event's identity is of a size that can be kept."""
    return len(event_id) <= _MOST_SLOT_BYTES
