# SPDX-License-Identifier: Apache-2.0
"""What has lain in the ledger for too long.

Owns which refunds have waited too long for their purchase, and that orders past the horizon are taken out. One replica
sweeps (the owner of partition 0 of the first topic, under its lease); two that sweep at once do the same twice and no
harm. What becomes of a refund that waited is its reader's business: a dead letter first, then a mark in its place.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.facts import UnreadableFactError
from connector.tables.fact_codec import FactKey, decode_fact, encode_key, partition_of
from connector.tables.ledger_entries import unpack
from connector.tables.ledger_rows import ORDERS, WAITING, waits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from connector.domain.facts import Fact
    from connector.tables.global_table import GlobalTable
    from connector.tables.orders import LedgerLog, LedgerOptions

_A_WHILE = 1_000
"""So many orders are looked at before others get their turn on the loop."""


class Waited(NamedTuple):
    """A refund that waited for too long."""

    order_id: str
    fact: Fact


async def waited_since(
    table: GlobalTable,
    before_ms: int,
    report: Callable[[str, int, str], None],
) -> AsyncIterator[Waited]:
    """Yield the refunds that have waited for their purchase since before this time (Unix, milliseconds).

    ``report`` is told of those that cannot be read: the order, the record's offset, and what is wrong.
    """
    for seen, (key, _) in enumerate([*table.scan(WAITING)]):
        if not seen % _A_WHILE:
            await asyncio.sleep(0)
        place = key[len(WAITING) :]
        order_id = place.decode()
        for entry in unpack(table.get(ORDERS + place) or b""):
            if waits(entry) and entry.written_at_ms < before_ms:
                try:
                    fact = decode_fact(order_id, entry.slot.event_id.decode(), entry.value)
                except UnreadableFactError as error:
                    report(order_id, entry.offset, str(error))
                else:
                    yield Waited(order_id, fact)


async def take_out_expired(table: GlobalTable, log: LedgerLog, options: LedgerOptions, now_ms: int) -> int:
    """Write tombstones for all of every order past the horizon; return for how many orders.

    Not awaited until durable: what is lost is found again by the next sweep.
    """
    expired, after = 0, ORDERS
    while True:
        some = _some(table, after)
        if not some:
            return expired
        for key, value in some:
            entries = unpack(value)
            if now_ms - entries[-1].written_at_ms > options.horizon_ms:
                order_id = key[len(ORDERS) :].decode()
                partition = partition_of(order_id, options.partitions)
                for entry in entries:
                    of_entry = FactKey(order_id, entry.slot.event_id.decode(), entry.slot.is_parked)
                    log.append(partition, encode_key(of_entry), None, now_ms)
                expired += 1
        after = some[-1][0]
        await asyncio.sleep(0)


def _some(table: GlobalTable, after: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    for pair in table.scan(ORDERS, after):
        found.append(pair)
        if len(found) >= _A_WHILE:
            break
    return found
