# SPDX-License-Identifier: Apache-2.0
"""Parked orders: whose events wait among the dead letters for those before them.

Owns when an order is parked, and for which events. A purchase that became a dead letter parks its order: what is
refunded of it cannot be told without it. Each refund that became a dead letter for that reason keeps the order parked,
so that the refunds behind it do not overtake it. Each such event has a mark of its own, which is taken away when the
event has come to its end in a replay, or was dropped; with the last one the order is free. Pure.

A purchase is what a parked order waits for, so it is never held back: one that the shop corrected and sent anew is told
like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.facts import Mark, MarkKind, Observed, Purchase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from connector.domain.facts import Fact

ORDER_PARKED = "order_parked"
"""The reason of a refund that became a dead letter because its order is parked, also in its mark."""


def parking_purchase(facts: Mapping[str, Fact], own: str = "") -> Mark | None:
    """Return the mark of a purchase that is a dead letter; ``own`` is the event that is being decided about."""
    return next((mark for event_id, mark in _marks(facts.values()) if event_id != own and not _is_refund(mark)), None)


def is_behind_refunds(facts: Mapping[str, Fact], own: str = "") -> bool:
    """Return whether other refunds of the order are dead letters that are to be told first."""
    return any(event_id != own and _is_refund(mark) for event_id, mark in _marks(facts.values()))


def is_parked(facts: Mapping[str, Fact]) -> bool:
    """Return whether a new refund of the order would become a dead letter behind others."""
    if is_behind_refunds(facts):
        return True
    has_purchase = any(isinstance(fact.said, Purchase | Observed) for fact in facts.values())
    return not has_purchase and parking_purchase(facts) is not None


def has_mark(facts: Mapping[str, Fact], event_id: str) -> bool:
    """Return whether an event has a mark that keeps its order parked."""
    return any(marked == event_id for marked, _ in _marks(facts.values()))


def _marks(facts: Iterable[Fact]) -> Iterator[tuple[str, Mark]]:
    for fact in facts:
        if isinstance(fact.said, Mark) and fact.said.kind is MarkKind.PARKED:
            yield fact.event_id, fact.said


def _is_refund(mark: Mark) -> bool:
    return mark.reason == ORDER_PARKED
