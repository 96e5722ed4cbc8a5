# SPDX-License-Identifier: Apache-2.0
"""Mistakes where partitions change hands.

Owns the faults of drains, fences, lanes and the lease. They reach inside the connector, as mistakes do.
"""
# ruff: noqa: SLF001  a planted fault is made inside of what it breaks

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.assignment import Life
from connector.engine.delivery import Delivery
from connector.engine.engine import Engine
from connector.engine.lanes import Lanes
from connector.kafka.source import KafkaSource
from tests.simulation.planted.fault import Planted
from tests.simulation.replica import replica_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connector.engine.assignment import Assignment
    from connector.engine.ports import RawRecord, TopicPartition

_push, _drain, _complete = Lanes.push, Engine.drain, Delivery.complete


def _push_by_assignment(self: Lanes[Any], key: Any, task: Any) -> None:  # noqa: ANN401  as the real one's
    _push(self, (key, task.assignment), task)  # type: ignore[arg-type]  # the mistake


async def _drain_as_done(self: Engine, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    engine: Any = self
    waiting = [(each, record.offset) for each, record in engine._waiting]
    for lane in engine._lanes._lanes.values():
        waiting += [(task.assignment, task.record.offset) for task in [*lane.tasks][1:]]
    for assignment, offset in waiting:
        if assignment.topic_partition in partitions and offset in assignment.tracker._incomplete:
            assignment.tracker.complete(offset)
    return await _drain(self, partitions)


def _commit_late(self: Delivery, assignment: Assignment, record: RawRecord) -> None:
    consumer = replica_here().consumer
    if assignment.life is Life.FENCED and consumer is not None:
        late = KafkaTopicPartition(*record.topic_partition, record.offset + 1, "null")
        consumer.commit([late], asynchronous=True)
    _complete(self, assignment, record)


def _complete_whatever_is_there(self: Delivery, assignment: Assignment, record: RawRecord) -> None:
    engine: Any = replica_here().engine
    _complete(self, engine._assignments.get(record.topic_partition, assignment), record)


async def _fence_first(self: Engine, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    self.fence(partitions, lost=False)
    return await _drain(self, partitions)


async def _drain_nothing(self: Engine, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    engine: Any = self
    engine._options = engine._options.__class__(
        **{name: getattr(engine._options, name) for name in engine._options.__slots__} | {"drain_seconds": 0.0},
    )
    return await _drain(self, partitions)


@contextlib.contextmanager
def _no_lease() -> Iterator[None]:
    with (
        patch.object(KafkaSource, "may_start", lambda *_: True),
        patch.object(Engine, "suspend", lambda *_: None),
        patch.object(Engine, "resume", lambda *_: None),
    ):
        yield


FAULTS = (
    Planted(
        "lanes-by-assignment",
        6,
        "An order whose partition was taken and handed back while its call runs has a second lane.",
        ("P2",),
        lambda: patch.object(Lanes, "push", _push_by_assignment),
        "forget+slow",
        1,
    ),
    Planted(
        "waiting-is-done",
        7,
        "What waits for its turn when its partition is taken back counts as done.",
        ("P1", "P3"),
        lambda: patch.object(Engine, "drain", _drain_as_done),
        "shuffle",
    ),
    Planted(
        "late-acknowledgement-is-committed",
        8,
        "What finishes after its partition was taken away is committed all the same.",
        ("P1",),
        lambda: patch.object(Delivery, "complete", _commit_late),
        "forget+slow+letters_down",
        1,
    ),
    Planted(
        "fence-before-drain",
        9,
        "A partition that is taken back is fenced before it is drained, so that finished work is done again.",
        ("P3",),
        lambda: patch.object(Engine, "drain", _fence_first),
        "roll+shuffle+slow",
    ),
    Planted(
        "drain-without-patience",
        11,
        "A drain does not wait for the calls that are on their way.",
        ("P2", "P3"),
        lambda: patch.object(Engine, "drain", _drain_nothing),
        "roll+shuffle+slow",
    ),
    Planted(
        "stale-acknowledgement-is-applied",
        19,
        "What finishes after its partition was taken and handed back completes a record of the new assignment.",
        ("P1", "P5"),
        lambda: patch.object(Delivery, "complete", _complete_whatever_is_there),
        "forget+slow",
        1,
    ),
    Planted(
        "no-lease",
        17,
        "A process that was frozen past its session, or is cut off from the group, calls for what others own.",
        ("P2",),
        _no_lease,
        "freeze+cut",
        3,
    ),
)
