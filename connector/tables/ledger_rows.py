# SPDX-License-Identifier: Apache-2.0
"""What the records of the ledger's topic mean to its table.

Owns the keys of the table and how a record changes an order's value. A record takes the place of the one with the same
key; a tombstone removes it. Facts are not decoded, except to judge an entry of our own that was not alone.

An order of which nothing was written for longer than the horizon begins anew with the next record: it counted as
absent, and what is known of it must not depend on whether somebody has swept yet. That is judged by the records' own
times, so that every replica comes to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from connector.engine.observations import BadTableRecord
from connector.tables.fact_codec import IDENTITY_KEY, REFUND, decode_key, is_newer, is_readable, kind_of, refusal_of
from connector.tables.ledger_clean import Watched, is_clean
from connector.tables.ledger_entries import LAYOUT, Entry, Slot, alone, fits, pack, packed, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connector.engine.ports import Observer, RawRecord, Waits
    from connector.tables.ledger_pending import Append, Pending

RESUME_KEY = b'["resume"]'
"""The key of the record that asks all replicas to go on; those that are not halted have nothing to do."""
IDENTITY = b"i"
"""The table's key of the record that says whose ledger it is."""
ORDERS, WAITING = b"o", b"w"
"""What begins the table's keys of orders, and of the orders that have a refund which waits for its purchase."""
_TOLD = b'"told":['


class NewerFactError(Exception):
    """The ledger holds a fact that only a newer connector can read; the process must end."""


class Writes(Protocol):
    """The table as these records change it."""

    def get(self, key: bytes) -> bytes | None:
        """Return the key's value as of now."""

    def put(self, key: bytes, value: bytes) -> None:
        """Set the key's value."""

    def delete(self, key: bytes) -> None:
        """Delete the key."""


class LedgerRows:
    """Applies the ledger's records; a :class:`~connector.tables.global_table.Applier`."""

    layout = LAYOUT

    def __init__(
        self,
        pending: Pending,
        watched: Watched,
        horizon_ms: int,
        observer: Observer,
        identify: Callable[[bytes], None],
    ) -> None:
        """Take what is to be answered; ``identify`` is told of every record that says whose ledger it is."""
        self.on_resume: Callable[[], None] = lambda: None
        """Is told of every record that asks all replicas to go on after too many dead letters."""
        self._pending = pending
        self._watched = watched
        self._horizon_ms = horizon_ms
        self._observer = observer
        self._identify = identify

    def apply(self, rows: Sequence[RawRecord], batch: Writes) -> Waits | None:
        """Put into the batch what the rows say, and answer our own appends among them."""
        take = self._pending.take
        for row in rows:
            append = take(row.key, row.value)
            if append is not None:
                self._apply_own(row, append, batch)
            elif row.key == IDENTITY_KEY:
                self._apply_identity(row, batch)
            elif row.key == RESUME_KEY:
                self.on_resume()
            elif row.value is not None and not is_readable(row.value):
                self._refuse(row, row.value)
            else:
                self._apply_others(row, batch)
        return None

    def _apply_own(self, row: RawRecord, append: Append, batch: Writes) -> None:
        order_id = append.order_id
        # Of a new order nothing has to be looked for: it was when the order was read, a moment ago.
        before = None if self._watched.is_new(order_id) else batch.get(ORDERS + order_id.encode())
        entries = self._apply(row, order_id, append.slot, before, batch)
        claim, answer = append.claim, append.answer
        if answer.done():
            return  # Nobody waits for it any more.
        if claim is None:
            answer.set_result(True)
            return
        replaced = self._watched.end(order_id)
        answer.set_result(is_clean(claim, row.offset, entries, replaced))

    def _apply_others(self, row: RawRecord, batch: Writes) -> None:
        key = None if row.key is None else decode_key(row.key)
        if key is None:
            self._report(row, "its key is not a fact's")
            return
        order_id, named, is_parked = key
        event_id = named.encode()
        if not fits(event_id):
            self._report(row, "its event's identity is longer than 65535 bytes")
            return
        before = batch.get(place := ORDERS + order_id.encode())
        self._watched.came(order_id)
        if before is not None:
            self._merge(row, order_id, Slot(event_id, is_parked), before, batch)
        elif (value := row.value) is not None:
            # A restore consists of these.
            batch.put(place, alone(row.offset, row.timestamp_ms, event_id, is_parked, value))
            if is_waiting(value):
                batch.put(WAITING + place[1:], b"")

    def _apply_identity(self, row: RawRecord, batch: Writes) -> None:
        if row.value is not None:
            batch.put(IDENTITY, row.value)
            self._identify(row.value)

    def _apply(
        self,
        row: RawRecord,
        order_id: str,
        slot: Slot,
        before: bytes | None,
        batch: Writes,
    ) -> Sequence[Entry]:
        """Put the row into the batch, in front of which there was ``before``; return the order's entries then."""
        value = row.value
        place = ORDERS + order_id.encode()
        self._watched.came(order_id)
        if before is not None:
            return self._merge(row, order_id, slot, before, batch)
        if value is None:
            return ()
        entry = Entry(row.offset, row.timestamp_ms, slot, value)
        batch.put(place, packed(entry))
        if is_waiting(value):
            batch.put(WAITING + place[1:], b"")
        return (entry,)

    def _merge(self, row: RawRecord, order_id: str, slot: Slot, before: bytes, batch: Writes) -> list[Entry]:
        """Put the row beside, or in the place of, what is there; return what there is then."""
        entries = unpack(before)
        is_expired = row.timestamp_ms - entries[-1].written_at_ms > self._horizon_ms
        kept = [] if is_expired else [each for each in entries if each.slot != slot]
        if not is_expired:
            for each in entries:
                if each.slot == slot:
                    self._watched.note(order_id, each)
        if row.value is not None:
            kept.append(Entry(row.offset, row.timestamp_ms, slot, row.value))
        place = order_id.encode()
        if kept:
            batch.put(ORDERS + place, pack(kept))
        else:
            batch.delete(ORDERS + place)
        waited = any(map(waits, entries))
        if any(map(waits, kept)):
            batch.put(WAITING + place, b"")
        elif waited:
            batch.delete(WAITING + place)
        return kept

    def _refuse(self, row: RawRecord, value: bytes) -> None:
        if is_newer(value):
            message = f"ledger.topic: the record at {row.topic_partition} offset {row.offset}: {refusal_of(value)}"
            raise NewerFactError(message)
        self._report(row, refusal_of(value))

    def _report(self, row: RawRecord, what: str) -> None:
        self._observer(BadTableRecord("ledger", row.topic_partition, row.offset, what))


def waits(entry: Entry) -> bool:
    """Return whether an entry is a refund that waits for its purchase."""
    return is_waiting(entry.value)


def is_waiting(value: bytes) -> bool:
    """Return whether a fact's value is a refund that was told to nobody. In JSON no quote within a text is bare."""
    return kind_of(value) == REFUND and _TOLD not in value
