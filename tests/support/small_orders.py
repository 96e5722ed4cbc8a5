# SPDX-License-Identifier: Apache-2.0
"""A few kinds of orders whose whole life fits on a line, and what is left of each, reckoned by hand.

Owns the events of each kind and what Button must hold in the end; imports nothing of the connector. Every order is of
one pair of shoes for 60.00 and three pairs of socks for 15.00 in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.avro_records import encode_event, purchase, refund
from tests.support.generator import Produced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BOUGHT_AT_MS = 1_767_225_600_000
_HOUR_MS = 3_600_000
_SHOES = {"id": "shoes", "name": "Shoes", "price": "60.00", "quantity": 1}
_SOCKS = {"id": "socks", "name": "Socks", "price": "5.00", "quantity": 3}
_REFUNDED: Mapping[str, dict[str, Any]] = {
    "socks": {"products": [{**_SOCKS, "quantity": 2}]},
    "shoes": {"products": [_SHOES]},
    "all": {},
}
_WRITES = ("create", "update", "cancel")


class Kind(NamedTuple):
    """What happens to an order, and the lines that are left of it (total and quantity); none once it is cancelled."""

    events: tuple[str, ...]
    left: Mapping[str, tuple[int, int]]


KEPT = Kind(("purchase",), {"shoes": (6000, 1), "socks": (1500, 3)})
SOME_SOCKS = Kind(("purchase", "socks"), {"shoes": (6000, 1), "socks": (500, 1)})
ONE_SOCK = Kind(("purchase", "socks", "shoes"), {"socks": (500, 1)})
RETURNED = Kind(("purchase", "all"), {})
RETURNED_LATER = Kind(("purchase", "socks", "all"), {})


def record(order_id: str, event: str, partition: int | None = None) -> Produced:
    """Return one event of an order, keyed by it."""
    return Produced(order_id.encode(), encode_event(_event(order_id, event)), order_id, partition=partition)


def records(orders: Mapping[str, Kind], events: Iterable[str] | None = None) -> list[Produced]:
    """Return the orders' events, or those of these names, order by order."""
    wanted = None if events is None else set(events)
    return [
        record(order_id, event)
        for order_id, kind in orders.items()
        for event in kind.events
        if wanted is None or event in wanted
    ]


def identity(order_id: str, event: str) -> str:
    """Return what the ledger knows an event by: the id of its message."""
    return f"m:{event}-{order_id}"


def complaints(orders: Mapping[str, Kind], found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the orders that the sandbox does not hold as they are at the merchant's, and what it holds besides."""
    for order_id, kind in orders.items():
        order = found.get(order_id)
        if order is None or order["cancelled"]:
            # What was taken back whole before Button was told of it need never have been there.
            if kind.left:
                yield f"{order_id}: is {order}, expected {kind.left}"
        elif (shown(order), order["fields"]["total"]) != (kind.left, sum(total for total, _ in kind.left.values())):
            yield f"{order_id}: is {order}, expected {kind.left}"
    yield from (f"{order_id}: never asked for" for order_id in found.keys() - orders.keys())


def shown(order: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the lines of an order of the sandbox: total and quantity."""
    return {line["identifier"]: (line["total"], line["quantity"]) for line in order["fields"]["line_items"]}


def told(requests: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what Button was told of each order, in order, whatever it answered; lookups tell nothing."""
    calls: dict[str, list[str]] = {}
    for request in requests:
        if request["operation"] in _WRITES and request["result"] is not None:
            calls.setdefault(str(request["order_id"]), []).append(request["operation"])
    return calls


def _event(order_id: str, name: str) -> dict[str, Any]:
    if name == "purchase":
        action = {
            "action": "purchase",
            "transaction_id": order_id,
            "total_amount": "75.00",
            "products": [_SHOES, _SOCKS],
        }
        return purchase(order_id, source_message_id=f"purchase-{order_id}", product_action=action)
    action = {"action": "refund", "transaction_id": order_id, **_REFUNDED[name]}
    hours = 1 + list(_REFUNDED).index(name)
    return refund(
        order_id,
        source_message_id=f"{name}-{order_id}",
        occurred_at=_BOUGHT_AT_MS + hours * _HOUR_MS,
        product_action=action,
    )
