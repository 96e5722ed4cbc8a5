# SPDX-License-Identifier: Apache-2.0
"""What becomes of a refund that has waited for too long.

Owns the judgement; how long is too long, and who looks, is the engine's business. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.folding import Status, fold
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from connector.domain.facts import Fact, OrderFacts


def given_up(order: OrderFacts, waited: Fact) -> Reject | None:
    """Return why a refund that was written down to wait is a dead letter now; ``None`` if it was told after all."""
    state = fold(order.facts)
    if state.status is Status.WAITING:
        return Reject(
            "refund_without_purchase",
            "the purchase of the order has not come, and Button knows no such order; see whether the purchase is a "
            "dead letter or was never sent, and replay the refund after it",
        )
    why = next((each.reject for each in state.inapplicable if each.event_id == waited.event_id), None)
    if why is None:
        return None
    return Reject(why.reason, f"the refund came before its purchase and does not fit it: {why.message}")
