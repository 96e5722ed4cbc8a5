# SPDX-License-Identifier: Apache-2.0
"""The replay and the drop of letters from beginning to end.

Owns what is read when. What came into the topic while a replay went on is taken in another round, so that an order that
new refunds keep parked gets free; what came back from the replay is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.dlq.dropping import Drop, Dropper, read_marks
from connector.dlq.ordering import by_order
from connector.dlq.planning import Plan, plan
from connector.dlq.replaying import Replayer, Result, Source
from connector.kafka.failures import KafkaFailure
from connector.kafka.group_progress import GroupProgress, partitions_of
from connector.kafka.letters import State
from connector.kafka.origins import origins_of
from connector.kafka.record_writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.dlq.asking import Asking
    from connector.dlq.choosing import Filter
    from connector.kafka.letters import Letter

_MOST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a replay is to go; ``wait_seconds`` is ``None`` where nobody waits for the connector."""

    limit: int = 1000
    rate: float | None = None
    forces: bool = False
    is_dry: bool = False
    wait_seconds: float | None = 60.0


@dataclass(slots=True)
class Report:
    """What a replay came to.

    ``there`` are all letters as they were before; ``came_back`` those that events became again. ``members`` counts the
    connectors that run, ``None`` where nobody asked.
    """

    there: list[Letter]
    plan: Plan
    result: Result = field(default_factory=Result)
    came_back: list[Letter] = field(default_factory=list)
    rounds: int = 0
    members: int | None = None


def replay(chosen: Filter, asking: Asking, wishes: Wishes) -> Report:
    """Replay what is meant; raises :class:`KafkaFailure`."""
    there = asking.letters()
    topics = asking.settings.kafka.topics
    report = Report(there, plan(there, chosen, topics, wishes.limit, forces=wishes.forces))
    if wishes.is_dry or not report.plan.letters:
        return report
    sources = _sources(asking)
    progress = None
    if wishes.wait_seconds is not None:
        progress = GroupProgress(asking.through, asking.settings.kafka.group_id, asking.silence_seconds)
        report.members = progress.members()
    is_waited_for = progress is not None and report.members != 0
    with RecordWriter(asking.through, asking.silence_seconds) as writer:
        waiting = progress if is_waited_for else None
        replayer = Replayer(asking, writer, waiting, sources, wishes.wait_seconds or 0.0, wishes.rate)
        orders: list[list[Letter]] = report.plan.orders
        while orders and report.rounds < _MOST_ROUNDS:
            report.rounds += 1
            _add(
                report.result,
                replayer.replay(orders, asking.contents({each.place for one in orders for each in one})),
            )
            orders = _another_round(report, asking) if report.result.is_done else []
    report.plan = report.plan._replace(left=report.plan.left + sum(map(len, orders)))
    return report


def _add(all_of_it: Result, more: Result) -> None:
    all_of_it.replayed += more.replayed
    all_of_it.failed += more.failed
    all_of_it.is_done = more.is_done


def _another_round(report: Report, asking: Asking) -> list[list[Letter]]:
    """Note what came back; return what new events became letters meanwhile, behind those that were replayed."""
    known = {each.place for each in report.there}
    events = {each.letter.source for each in report.result.replayed}
    orders = {each.letter.order_id for each in report.result.replayed if each.letter.order_id}
    new = [each for each in asking.letters() if each.place not in known and each.state is State.OPEN]
    report.came_back = [each for each in new if each.replays and (each.source in events or each.order_id in orders)]
    stuck = {each.order_id for each in report.came_back} | {letter.order_id for letter, _ in report.result.failed}
    return by_order(each for each in new if not each.replays and each.order_id in orders - stuck)


def drop(chosen: Filter, asking: Asking) -> Drop:
    """Return what is meant to be dropped: open letters, and marks without a letter of orders that are named."""
    letters = [each for each in asking.letters() if each.state is State.OPEN and chosen.takes(each)]
    orphans = []
    if chosen.orders:
        marks = read_marks(asking, chosen.orders)
        orphans = marks.orphans(chosen.orders, asking.letters())
    return Drop([letter for order in by_order(letters) for letter in order], orphans)


def drop_these(meant: Drop, asking: Asking) -> None:
    """Drop letters, each with its mark, and marks that have none; raises :class:`KafkaFailure`."""
    orders = {each.order_id for each in meant.letters if each.order_id} | {each.order_id for each in meant.orphans}
    with RecordWriter(asking.through, asking.silence_seconds) as writer:
        Dropper(asking, writer, read_marks(asking, orders)).drop(meant)


def _sources(asking: Asking) -> dict[str, Source]:
    topics = asking.settings.kafka.topics
    counts = partitions_of(asking.through, topics, asking.silence_seconds)
    missing = _first(topic for topic in topics if not counts.get(topic))
    if missing is not None:
        msg = f"kafka.topics: topic {missing!r} does not exist, or you may not DESCRIBE it. Create or allow it."
        raise KafkaFailure(msg)
    origins = origins_of(asking.through, topics)
    if origins is None:
        msg = "kafka.bootstrap_servers: the cluster does not say which topics it has. Try again."
        raise KafkaFailure(msg)
    return {topic: Source(origins[topic], counts[topic]) for topic in topics}


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)
