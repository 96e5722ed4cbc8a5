# SPDX-License-Identifier: Apache-2.0
"""Button's Order API in simulated time: keeps orders, and answers like the real one may.

Owns the orders, the plan by which calls go wrong, and that a call takes effect at a moment of its own, between its
start and its answer: whoever dies before that moment was never heard, whoever dies after it was. Nothing lands later
than its answer. Knows nothing of what the connector believes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, assert_never

from connector.domain.orders import Cancel, Create, Lookup, Order, Update
from connector.domain.outcomes import Answer, NoAnswer, NotSent, ObservedOrder

if TYPE_CHECKING:
    from random import Random

    from connector.domain.orders import Call
    from connector.domain.outcomes import Reply

_OK = Answer(200, "ok")
_EXISTS = Answer(409, "error", message="the order exists")
_ABSENT = Answer(404, "error", message="no such order")
_FINAL = Answer(403, "error", message="the order is final")


class Fault(StrEnum):
    """How a call may go wrong although nothing is wrong with it. ``LOST`` takes effect, its answer gets lost."""

    NOT_SENT = "not sent"
    NOT_HEARD = "not heard"
    LOST = "answer lost"
    UNREADABLE = "an answer that is not Button's"
    BUSY = "429"
    DOWN = "503"
    LOCKED = "401"


_HEARD = frozenset((Fault.LOST, Fault.UNREADABLE))
_INSTEAD: dict[Fault, Reply] = {
    Fault.NOT_SENT: NotSent("connection refused"),
    Fault.NOT_HEARD: NoAnswer("timed out"),
    Fault.LOST: NoAnswer("connection reset"),
    Fault.UNREADABLE: Answer(200),
    Fault.BUSY: Answer(429, "error", retry_after_seconds=0.5),
    Fault.DOWN: Answer(503, "error"),
    Fault.LOCKED: Answer(401, "error", message="invalid api_key"),
}


class Manners(NamedTuple):
    """What Button does not document, and each world may see otherwise."""

    second_cancel: int = 404
    shows_cancelled: bool = False
    created_as: int = 200


@dataclass
class Kept:
    """An order at Button."""

    order: Order
    is_cancelled: bool = False
    is_final: bool = False


@dataclass
class SimulatedButton:
    """The API; one for all replicas. ``faults`` maps each fault to how likely a call is to meet it."""

    random: Random
    manners: Manners = field(default_factory=Manners)
    faults: dict[Fault, float] = field(default_factory=dict)
    latency_seconds: tuple[float, float] = (0.01, 0.2)
    orders: dict[str, Kept] = field(default_factory=dict)
    refused: dict[str, Answer] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    told: list[tuple[float, Call, Reply]] = field(default_factory=list)

    async def send(self, call: Call) -> Reply:
        """Take one call; what it does is done somewhere on the way."""
        latency_seconds = self.random.uniform(*self.latency_seconds)
        heard = self.random.random()
        await asyncio.sleep(latency_seconds * heard)
        reply = self.take(call, self.draw_fault())
        self.told.append((asyncio.get_running_loop().time(), call, reply))
        await asyncio.sleep(latency_seconds * (1.0 - heard))
        return reply

    def draw_fault(self) -> Fault | None:
        """Return how the next call goes wrong, if it does."""
        drawn = self.random.random()
        for fault, likelihood in self.faults.items():
            drawn -= likelihood
            if drawn < 0:
                self.met[fault] += 1
                return fault
        return None

    def take(self, call: Call, fault: Fault | None) -> Reply:
        """Let a call take effect, as far as the fault allows, and return what is answered."""
        if fault is None:
            return self._answer(call)
        if fault in _HEARD:
            self._answer(call)
        return _INSTEAD[fault]

    def _answer(self, call: Call) -> Reply:
        match call:
            case Create(order=order):
                return self._create(order)
            case Update(order=order):
                return self._update(order)
            case Cancel(order_id=order_id):
                return self._cancel(order_id)
            case Lookup(order_id=order_id):
                return self._show(order_id)
            case _:
                assert_never(call)

    def _create(self, order: Order) -> Reply:
        if order.order_id in self.orders:
            return _EXISTS
        if order.order_id in self.refused:
            return self.refused[order.order_id]
        self.orders[order.order_id] = Kept(order)
        return Answer(self.manners.created_as, "ok")

    def _update(self, order: Order) -> Reply:
        kept = self.orders.get(order.order_id)
        if kept is None or kept.is_cancelled:
            return _ABSENT
        if kept.is_final:
            return _FINAL
        kept.order = kept.order._replace(total=order.total, line_items=order.line_items)
        return _OK

    def _cancel(self, order_id: str) -> Reply:
        kept = self.orders.get(order_id)
        if kept is None:
            return _ABSENT
        if kept.is_cancelled:
            second = self.manners.second_cancel
            return _OK if second == 200 else Answer(second, "error")
        if kept.is_final:
            return _FINAL
        kept.is_cancelled = True
        return _OK

    def _show(self, order_id: str) -> Reply:
        kept = self.orders.get(order_id)
        if kept is None or (kept.is_cancelled and not self.manners.shows_cancelled):
            return _ABSENT
        shown = kept.order._replace(customer=None)
        return Answer(200, "ok", order=ObservedOrder(shown, kept.is_cancelled))
