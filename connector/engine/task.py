# SPDX-License-Identifier: Apache-2.0
"""One event on its way: where it came from, what it is, and how far it has got.

Owns the state between two turns of the event's lane, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent
    from connector.domain.facts import OrderFacts
    from connector.domain.orders import Call
    from connector.domain.outcomes import LookUp
    from connector.domain.replays import Replay
    from connector.engine.assignment import Assignment
    from connector.engine.patience import Failing
    from connector.engine.ports import EventTrace, RawRecord


class Task:
    """One event; ``index`` counts events within the record.

    ``call`` is what was decided to be called, ``None`` while nothing is decided. ``asked`` is why Button is to be
    asked for the order before more is decided. ``order`` is what the ledger knew at the decision, ``None`` without
    a ledger, ``term`` the assignment's when it was made. ``is_unanswered`` says that an attempt at the call got no
    answer, ``is_absent`` that Button was asked and knows no such order, ``has_waited`` that it had its time to wait
    for a token, ``looked_up_at`` (the loop's time) since when the event is looked up. ``replay`` is there where the
    record is a replay. ``started`` is when its last attempt began, ``failing`` how its attempts have failed, if any.
    """

    __slots__ = (
        "asked",
        "assignment",
        "attempts",
        "call",
        "event",
        "failing",
        "has_waited",
        "index",
        "is_absent",
        "is_unanswered",
        "looked_up_at",
        "order",
        "record",
        "replay",
        "started",
        "term",
        "token_source",
        "trace",
    )

    def __init__(
        self,
        assignment: Assignment,
        record: RawRecord,
        index: int,
        event: CommerceEvent,
        trace: EventTrace | None = None,
    ) -> None:
        """Start before the first decision."""
        self.assignment = assignment
        self.record = record
        self.index = index
        self.event = event
        self.trace = trace
        self.replay: Replay | None = None
        self.call: Call | None = None
        self.asked: LookUp | None = None
        self.order: OrderFacts | None = None
        self.term = 0
        self.attempts = 0
        self.started = 0.0
        self.failing: Failing | None = None
        self.token_source = ""
        self.has_waited = False
        self.is_unanswered = False
        self.is_absent = False
        self.looked_up_at: float | None = None

    def decide_again(self) -> None:
        """Forget what was decided: more is known by now."""
        self.call = None
        self.asked = None
        self.is_unanswered = False
