# SPDX-License-Identifier: Apache-2.0
"""One order's entries, as the ledger itself comes to them.

Owns nothing of the rules: the table's own code applies the records and judges which entries are clean. Keeps the
entries of one order only. What compaction took cannot be judged by any more, and is then not held against an entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.facts import Mark
from connector.tables.fact_codec import decode_fact, decode_key
from connector.tables.ledger_clean import Claim, Watched, is_clean
from connector.tables.ledger_entries import unpack
from connector.tables.ledger_pending import Pending
from connector.tables.ledger_rows import ORDERS, LedgerRows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.engine.observations import Observation
    from connector.engine.ports import RawRecord
    from connector.tables.ledger_entries import Entry, Slot


class OrderHistory:
    """What the ledger's records come to for one order."""

    def __init__(self, order_id: str, horizon_ms: int) -> None:
        """Begin with nothing known."""
        self._order_id = order_id
        self._place = ORDERS + order_id.encode()
        self._rows = LedgerRows(Pending(), Watched(), horizon_ms, pass_over, lambda _: None)
        self._table = _Table()
        self._replaced: list[Entry] = []
        self.clean: dict[Slot, bool] = {}
        """Of each entry that is no mark, whether it was clean at its place."""

    @property
    def entries(self) -> list[Entry]:
        """Return the entries, the newest last."""
        return unpack(self._table.get(self._place) or b"")

    def take(self, records: Iterable[RawRecord]) -> None:
        """Apply the records of the order and pass over all others.

        Raises :class:`~connector.tables.ledger_rows.NewerFactError` for a fact that only a newer connector can read.
        """
        for record in records:
            key = None if record.key is None else decode_key(record.key)
            if key is not None and key.order_id == self._order_id:
                self._apply(record)

    def _apply(self, record: RawRecord) -> None:
        before = self.entries
        self._rows.apply((record,), self._table)
        after = self.entries
        gone = [each for each in before if each not in after]
        self._replaced = [*self._replaced, *gone] if len(gone) < len(before) or len(gone) == 1 else []
        if after and after[-1].offset == record.offset:
            self._judge(after)

    def _judge(self, entries: list[Entry]) -> None:
        newest = entries[-1]
        fact = decode_fact(self._order_id, newest.slot.event_id.decode(), newest.value)
        if not isinstance(fact.said, Mark):
            claim = Claim(fact.told, fact.base)
            self.clean[newest.slot] = is_clean(claim, newest.offset, entries, self._replaced)


class _Table:
    """The ledger's table for one order."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        self._values.pop(key, None)


def pass_over(observation: Observation) -> None:
    """Let it be: the running connector says it."""
