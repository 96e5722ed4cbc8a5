# SPDX-License-Identifier: Apache-2.0
"""Orders of the ledger by how they stand, the newest first.

Owns the choice among them. Reads the whole topic into files of its own, never into the connector's, and deletes them;
in memory there are only the orders that are returned.
"""

from __future__ import annotations

import heapq
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.facts import Refund, UnreadableFactError
from connector.domain.folding import Status
from connector.domain.parking import is_parked
from connector.kafka.failures import KafkaFailure
from connector.kafka.whole_topic import read_whole
from connector.orders_view.history import pass_over
from connector.orders_view.view import current_order, stand_of
from connector.orders_view.words import said, time_of
from connector.tables.global_table import Batch
from connector.tables.ledger_clean import Watched
from connector.tables.ledger_entries import unpack
from connector.tables.ledger_pending import Pending
from connector.tables.ledger_rows import ORDERS, WAITING, LedgerRows, NewerFactError
from connector.tables.orders import decoded
from connector.tables.store import Store, StoreOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector.domain.facts import Fact
    from connector.domain.folding import OrderState
    from connector.orders_view.show import Asking
    from connector.tables.ledger_entries import Entry


class Wanted(StrEnum):
    """Which orders are listed. ``parked``: those whose refunds wait among the dead letters."""

    OPEN = "open"
    CANCELLED = "cancelled"
    WAITING = "waiting"
    PARKED = "parked"


class Choice(NamedTuple):
    """Which orders are listed (``None``: all), how many at most, and since when something was written of them."""

    wanted: Wanted | None
    limit: int
    since_ms: int = 0


class ListedOrder(NamedTuple):
    """A line of the list; ``total`` in minor units. ``waits`` says what waits, and for what."""

    order_id: str
    status: str
    total: int | None
    currency: str | None
    last_event_at: str
    last_fact_at: str
    waits: str


class _Newest:
    """The newest orders so far, as many as are wanted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, str, ListedOrder]] = []

    def has_room_for(self, written_at_ms: int) -> bool:
        return len(self._heap) < self._limit or written_at_ms > self._heap[0][0]

    def add(self, written_at_ms: int, listed: ListedOrder) -> None:
        heapq.heappush(self._heap, (written_at_ms, listed.order_id, listed))
        if len(self._heap) > self._limit:
            heapq.heappop(self._heap)

    def listed(self) -> list[ListedOrder]:
        return [each for *_, each in sorted(self._heap, reverse=True)]


def list_orders(choice: Choice, asking: Asking) -> list[ListedOrder]:
    """Return the orders, those of which something was written last first; raises :class:`KafkaFailure`."""
    with tempfile.TemporaryDirectory(prefix="button-connector-") as passing:
        store = Store(StoreOptions(Path(passing) / "orders", "TMPDIR"))
        try:
            _fill(store, asking)
            return _chosen(store, choice, asking.horizon_ms)
        except (NewerFactError, UnreadableFactError) as error:
            raise KafkaFailure(str(error)) from None
        finally:
            store.close()


def _fill(store: Store, asking: Asking) -> None:
    rows = LedgerRows(Pending(), Watched(), asking.horizon_ms, pass_over, lambda _: None)
    for records in read_whole(asking.ledger()):
        batch = Batch(store)
        rows.apply(records, batch)
        store.write(batch.writes, b"")


def _chosen(store: Store, choice: Choice, horizon_ms: int) -> list[ListedOrder]:
    newest, now_ms = _Newest(choice.limit), time.time_ns() // 1_000_000
    earliest_ms = max(choice.since_ms, now_ms - horizon_ms)
    for order_id, entries in _orders(store, choice.wanted):
        written_at_ms = entries[-1].written_at_ms
        # Most are not decoded: they are older than those that there is room for.
        if written_at_ms < earliest_ms or not newest.has_room_for(written_at_ms):
            continue
        facts = decoded(order_id, entries)
        state = stand_of(facts, written_at_ms, now_ms, horizon_ms).state
        if _is_wanted(choice.wanted, facts, state):
            newest.add(written_at_ms, _listed(order_id, facts, state, written_at_ms))
    return newest.listed()


def _orders(store: Store, wanted: Wanted | None) -> Iterator[tuple[str, list[Entry]]]:
    if wanted is Wanted.WAITING:
        for key, _ in store.scan(WAITING):
            place = key[len(WAITING) :]
            yield place.decode(), unpack(store.get(ORDERS + place) or b"")
        return
    for key, value in store.scan(ORDERS):
        entries = unpack(value)
        if wanted is not Wanted.PARKED or any(each.slot.is_parked for each in entries):
            yield key[len(ORDERS) :].decode(), entries


def _is_wanted(wanted: Wanted | None, facts: Mapping[str, Fact], state: OrderState) -> bool:
    match wanted:
        case None:
            return True
        case Wanted.PARKED:
            return is_parked(facts)
        case Wanted.WAITING:
            return state.status is Status.WAITING
        case _:
            return state.status.value == wanted.value


def _listed(order_id: str, facts: Mapping[str, Fact], state: OrderState, written_at_ms: int) -> ListedOrder:
    order = current_order(state)
    parks = is_parked(facts)
    return ListedOrder(
        order_id,
        str(Wanted.PARKED) if parks else str(state.status),
        None if order is None else order.total,
        None if order is None else order.currency,
        time_of(max(fact.occurred_at_ms for fact in facts.values())),
        time_of(written_at_ms),
        "; ".join(_waiting(facts, state)),
    )


def _waiting(facts: Mapping[str, Fact], state: OrderState) -> Iterator[str]:
    if is_parked(facts):
        yield "its dead letters are to be replayed or dropped"
    elif state.status is Status.WAITING:
        for fact in facts.values():
            if isinstance(fact.said, Refund) and not fact.told:
                yield f"{said(fact)} waits for its purchase since {time_of(fact.written_at_ms)}"
