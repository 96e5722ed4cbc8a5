# SPDX-License-Identifier: Apache-2.0
"""Gathers what is known of one order: the ledger, the dead letters, Button.

Owns whom to ask, in which order. Where one of them does not answer, what the others say is not lost.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connector import wiring
from connector.domain.facts import UnreadableFactError
from connector.kafka.failures import KafkaFailure
from connector.kafka.whole_topic import WholeTopicOptions, read_whole
from connector.orders_view.at_button import Unanswered, look_up
from connector.orders_view.history import OrderHistory
from connector.orders_view.letters import letters_of
from connector.orders_view.view import facts_of, order_view, stand_of
from connector.tables.fact_codec import partition_of
from connector.tables.ledger_rows import NewerFactError

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.kafka.options import KafkaConnection
    from connector.kafka.whole_topic import HowFar
    from connector.orders_view.letters import LetterView
    from connector.orders_view.view import OrderView
    from connector.settings import Settings

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, and how; ``report`` is told how far a long reading is."""

    settings: Settings
    through: KafkaConnection
    silence_seconds: float
    report: Callable[[HowFar], None]

    def ledger(self) -> WholeTopicOptions:
        """Return how the ledger's topic is read."""
        return self._topic("ledger.topic", self.settings.ledger.topic)

    def dead_letters(self) -> WholeTopicOptions:
        """Return how the dead letters' topic is read."""
        return self._topic("dead_letters.topic", self.settings.dead_letters.topic)

    @property
    def horizon_ms(self) -> int:
        """Return after how long without a fact an order is forgotten."""
        return round(self.settings.ledger.horizon_days * _DAY_MS)

    def _topic(self, setting: str, topic: str) -> WholeTopicOptions:
        group_id = self.settings.kafka.group_id
        return WholeTopicOptions(self.through, topic, setting, group_id, self.silence_seconds, self.report)


def show(order_id: str, asking: Asking, *, asks_button: bool) -> OrderView:
    """Return what is known of an order; raises :class:`KafkaFailure` where the ledger cannot be read."""
    try:
        history, where = _read_ledger(order_id, asking)
        facts = facts_of(order_id, history)
    except (NewerFactError, UnreadableFactError) as error:
        raise KafkaFailure(str(error)) from None
    newest_ms = history.entries[-1].written_at_ms if facts else 0
    stand = stand_of(facts, newest_ms, time.time_ns() // 1_000_000, asking.horizon_ms)
    view = order_view(order_id, where, history, facts, stand)
    problems: list[str] = []
    try:
        view = replace(view, letters=_read_letters(order_id, asking))
    except KafkaFailure as failure:
        problems.append(failure.reason)
    if asks_button:
        found = asyncio.run(look_up(asking.settings, order_id, stand.state))
        if isinstance(found, Unanswered):
            problems.append(found.why)
        else:
            view = replace(view, button=found)
    return replace(view, problems=problems)


def _read_ledger(order_id: str, asking: Asking) -> tuple[OrderHistory, str]:
    history = OrderHistory(order_id, asking.horizon_ms)
    options = asking.ledger()
    chosen: list[int] = []

    def of_the_order(count: int) -> list[int]:
        chosen.append(partition_of(order_id, count))
        return chosen

    for records in read_whole(options, of_the_order):
        history.take(records)
    return history, f"{options.topic}/{chosen[0]}"


def _read_letters(order_id: str, asking: Asking) -> list[LetterView]:
    return letters_of(order_id, asking.settings.dead_letters.topic, read_whole(asking.dead_letters()))


def asking_of(settings: Settings, silence_seconds: float, report: Callable[[HowFar], None]) -> Asking:
    """Return whom these settings name."""
    return Asking(settings, wiring.connection(settings.kafka), silence_seconds, report)
