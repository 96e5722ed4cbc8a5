# SPDX-License-Identifier: Apache-2.0
"""The engine's side of the order ledger: what is known when an event is decided, and what is written afterwards.

Owns how a decision's fact becomes the ledger's: where the event's record lies, what Button answered, the record itself
while the fact waits. Decides nothing and never waits.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.domain.facts import OBSERVED_ID as _OBSERVED
from connector.domain.facts import Fact, Known, Mark, MarkKind, Observed, Position, Purchase, WaitingRecord
from connector.domain.folding import Status, fold
from connector.domain.identity import identity_of
from connector.domain.mapping import order_id_from
from connector.domain.orders import Reject
from connector.domain.outcomes import Answer, Knowledge
from connector.domain.parking import ORDER_PARKED, has_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.domain.facts import OrderFacts
    from connector.domain.outcomes import Reply
    from connector.domain.policy import Policy
    from connector.engine.ports import Clock, OrderLedger, Origin
    from connector.engine.task import Task

_KNOWLEDGE = {
    Status.UNKNOWN: Knowledge.NOTHING,
    Status.WAITING: Knowledge.WAITING,
    Status.OPEN: Knowledge.OPEN,
    Status.CANCELLED: Knowledge.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger as deliveries use it; ``origin_of`` tells a topic's cluster and id."""

    ledger: OrderLedger
    clock: Clock
    origin_of: Callable[[str], Origin]
    horizon_ms: int | None

    def known(self, task: Task) -> Known:
        """Return what is known of the event's order now, and keep it with the task."""
        task.order = order = self.ledger.read(task.event.order_id or "")
        is_replay = task.replay is not None
        return Known(self._identity(task), order, task.is_absent, self.clock.now_ms(), self.horizon_ms, is_replay)

    def told(self, task: Task, fact: Fact, answer: str, reply: Reply | None) -> asyncio.Future[bool]:
        """Write down what Button acknowledged, or what needed no call."""
        button_order_id = reply.button_order_id if isinstance(reply, Answer) else None
        # Taken apart and put together at once: replacing the fields by their names takes four times as long.
        event_id, said, occurred_at_ms, told, base, call, *_ = fact
        now_ms, source = self.clock.now_ms(), self._position(task)
        answered = (answer, button_order_id, task.token_source, source, now_ms)
        return self._append(task, Fact(event_id, said, occurred_at_ms, told, base, call, *answered))

    def waits(self, task: Task, fact: Fact) -> asyncio.Future[bool]:
        """Write down an event that waits for its purchase, with its record: it may become a dead letter yet."""
        record = task.record
        whole = WaitingRecord(record.key, record.value or b"", tuple(record.headers), record.timestamp_ms)
        return self._append(task, fact._replace(source=self._position(task), record=whole))

    def observed(self, task: Task, observed: Observed) -> asyncio.Future[bool]:
        """Write down what Button showed of the order."""
        base = -1 if task.order is None else task.order.last
        # What is shown later has had refunds taken off, and must not take the place of what was shown before.
        event_id = f"{_OBSERVED}:{'cancelled' if observed.is_cancelled else observed.order.total}"
        return self._append(task, Fact(event_id, observed, task.event.occurred_at_ms, (event_id,), base))

    def parked(self, task: Task, reason: str) -> asyncio.Future[bool]:
        """Mark an event that is a dead letter as one that keeps its order parked."""
        mark = Fact(self._identity(task), Mark(MarkKind.PARKED, reason), task.event.occurred_at_ms)
        return self._append(task, mark._replace(source=self._position(task)))

    def released(self, task: Task) -> asyncio.Future[bool] | None:
        """Take away the mark that the event had as a dead letter, ``None`` if it has none."""
        # Nearly every event is its order's first, and needs no identity to be found among none.
        if task.order is None or not task.order.facts or not has_mark(task.order.facts, self._identity(task)):
            return None
        return asyncio.ensure_future(
            self.ledger.remove(task.event.order_id or "", self._identity(task), is_parked=True),
        )

    def _append(self, task: Task, fact: Fact) -> asyncio.Future[bool]:
        return asyncio.ensure_future(self.ledger.append(task.event.order_id or "", fact))

    def _identity(self, task: Task) -> str:
        if task.replay is not None:
            cluster, topic_id, _, partition, offset, index = self._position(task)
            return identity_of(task.event, cluster, topic_id, partition, offset, index)
        (topic, partition), offset = task.record.topic_partition, task.record.offset
        cluster, topic_id = self.origin_of(topic)
        return identity_of(task.event, cluster, topic_id, partition, offset, task.index)

    def _position(self, task: Task) -> Position:
        """Return where the event came from, at first."""
        replay = task.replay
        if replay is not None:
            return Position(
                replay.cluster,
                replay.topic_id,
                replay.topic,
                replay.partition,
                replay.offset,
                task.index,
            )
        topic, partition = task.record.topic_partition
        cluster, topic_id = self.origin_of(topic)
        return Position(cluster, topic_id, topic, partition, task.record.offset, task.index)


def knowledge_of(order: OrderFacts | None) -> Knowledge:
    """Return what answers are judged with."""
    if order is None:
        return Knowledge.NO_LEDGER
    return _KNOWLEDGE[fold(order.facts).status] if order.facts else Knowledge.NOTHING


def parks_its_order(task: Task, reject: Reject, policy: Policy) -> bool:
    """Return whether later events of the order must wait for this one, now that it is a dead letter.

    That is so for the purchase of which nothing is known but that it failed: what is refunded of it cannot be told
    without it; and for what became a dead letter only because its order was parked before.
    """
    if reject.reason == ORDER_PARKED:
        return True
    if task.order is None or not policy.is_purchase(task.event.action) or isinstance(order_id_from(task.event), Reject):
        return False
    return not any(isinstance(fact.said, Purchase | Observed) for fact in task.order.facts.values())
