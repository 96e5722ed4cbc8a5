# SPDX-License-Identifier: Apache-2.0
"""What the sandbox shows of itself: orders, counts, rules.

Owns the shape of what tests and tools read. Only reads; what it returns is a copy that later calls do not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.sandbox.switches import active

if TYPE_CHECKING:
    from connector.sandbox.service import Service


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as it is held: ``fields`` are those that were reported, ``changes`` how many calls changed it."""

    order_id: str
    button_order_id: str
    status: str
    cancelled: bool
    changes: int
    fields: dict[str, object]


def orders_view(service: Service, now: float) -> dict[str, OrderView]:
    """Return every order by its id, in order of their first report."""
    service.orders.drop_vanished(now)
    return {
        held.order_id: OrderView(
            held.order_id,
            held.button_order_id,
            held.status,
            held.cancelled,
            held.changes,
            dict(held.fields),
        )
        for held in service.orders.orders.values()
    }


def stats_view(service: Service, now: float) -> dict[str, object]:
    """Return the counts since the start or the last reset, and what is switched on."""
    service.orders.drop_vanished(now)
    log, orders = service.log, service.orders.orders.values()
    cancelled = sum(held.cancelled for held in orders)
    return {
        "orders": {"total": len(orders), "open": len(orders) - cancelled, "cancelled": cancelled},
        "requests": {
            "total": log.total,
            "open": log.open,
            "most_open": log.most_open,
            "by_operation": dict(log.by_operation),
            "by_status": dict(log.by_status),
            "by_fault": dict(log.by_fault),
        },
        "log": {"kept": log.kept, "limit": log.limit, "oldest": log.oldest},
        "connections": {"accepted": service.accepted, "reset_on_accept": service.reset_on_accept},
        "active_switches": active(service.switches),
        "fault_rules": rules_view(service),
    }


def rules_view(service: Service) -> list[dict[str, object]]:
    """List the faults by order id, newest first."""
    return [
        {
            "order_id": rule.order_id,
            "fault": rule.fault,
            "operation": rule.operation,
            "times": rule.times,
            "status": rule.status,
            "delay_ms": rule.delay_ms,
        }
        for rule in service.faults.rules
    ]
