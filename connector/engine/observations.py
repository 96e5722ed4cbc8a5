# SPDX-License-Identifier: Apache-2.0
"""What happens, as data: one frozen type for each operational event.

Owns the list. The engine and the adapters hand these to the ``Observer`` port; ``ops`` makes each its log line and
its metric. Fields never hold personal data or secrets. What happens for every order is a named tuple, because that is
quicker to make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from connector.engine.ports import TopicPartition


@dataclass(frozen=True, slots=True)
class PartitionsAssigned:
    """The group gave us partitions; ``starts`` maps each to the offset of its first record for us."""

    starts: dict[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class PartitionsRevoked:
    """The group took partitions back after a drain; ``unfinished`` events of them will be read again by their heir."""

    partitions: tuple[TopicPartition, ...]
    unfinished: int
    drained_in_seconds: float


@dataclass(frozen=True, slots=True)
class PartitionsLost:
    """The group took partitions away without asking."""

    partitions: tuple[TopicPartition, ...]
    unfinished: int


@dataclass(frozen=True, slots=True)
class LeaseLapsed:
    """Nothing proves any more that we are a member of the group: no call is started until something does."""

    reason: str


@dataclass(frozen=True, slots=True)
class LeaseRenewed:
    """We are a member again, or still; calls start as soon as the ledger has read what others may have written."""

    lapsed_seconds: float


@dataclass(frozen=True, slots=True)
class RecordsReceived:
    """A batch of records arrived."""

    count: int


@dataclass(frozen=True, slots=True)
class TombstoneSkipped:
    """A record without a value was skipped."""

    topic_partition: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class EventSkipped:
    """An event is not for Button; ``reason`` is a stable name."""

    reason: str


class OrderDelivered(NamedTuple):
    """Button acknowledged a call; ``outcome`` is ``applied`` or the reason of ``AlreadyApplied``."""

    operation: str
    outcome: str
    attempts: int


class LargeTotalTold(NamedTuple):
    """Button took an order whose total, in minor units, is more than half of the greatest that it takes."""

    topic_partition: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """One attempt came to nothing; the event will be tried again in ``retry_in_seconds``."""

    topic_partition: TopicPartition
    offset: int
    operation: str
    reason: str
    message: str
    attempts: int
    retry_in_seconds: float


class FactNoted(NamedTuple):
    """A fact is written without a call: ``exists`` (Button had the order), ``waits`` or ``observed``."""

    reason: str


class FactUnclean(NamedTuple):
    """Somebody else told Button of the same order meanwhile, so that it is told everything once more."""


class AttemptFinished(NamedTuple):
    """One attempt came to an end; how long it took, for the latency histogram."""

    operation: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """A dead letter is durable."""

    topic_partition: TopicPartition
    offset: int
    event_index: int | None
    stage: str
    reason: str
    message: str


class TokenLookedUp(NamedTuple):
    """How an order's token was found: ``event``, ``session``, ``user``, ``only_newer`` or ``none``."""

    source: str


@dataclass(frozen=True, slots=True)
class AdmissionChanged:
    """Who may send now: ``running``, ``limited``, ``probing`` or ``halted``, and why."""

    state: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class OffsetsCommitted:
    """The group holds these offsets (next to read)."""

    offsets: dict[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """The group refused offsets; they are committed again later, or read again by the heir."""

    topic_partition: TopicPartition
    reason: str


@dataclass(frozen=True, slots=True)
class StaleCompletion:
    """An event finished after its assignment was fenced; its record is read again by whoever owns it now."""

    topic_partition: TopicPartition
    offset: int


@dataclass(frozen=True, slots=True)
class TableCaughtUp:
    """A global table has read its topic to the end."""

    table: str
    records: int
    seconds: float


@dataclass(frozen=True, slots=True)
class TableRestoring:
    """A global table reads its topic; it answers nothing before it has read ``total`` offsets."""

    table: str
    read: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class TableRebuilt:
    """A global table's copy on this machine is deleted and read again from its topic."""

    table: str
    reason: str


@dataclass(frozen=True, slots=True)
class BadTableRecord:
    """A record of a global table's topic could not be read; it is passed over."""

    table: str
    topic_partition: TopicPartition
    offset: int
    message: str


@dataclass(frozen=True, slots=True)
class WriterSchemaUnusable:
    """Records, or purchases, of this writer's schema become dead letters; told once for each schema.

    Those of a ``table``'s topic are passed over.
    """

    schema_id: int
    reason: str
    message: str
    table: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLettersHalted:
    """So many events would be dead letters that nothing is decided any more, or it goes on."""

    is_halted: bool
    message: str


@dataclass(frozen=True, slots=True)
class DependencyUnavailable:
    """Something we depend on does not answer; the connector waits and carries on by itself."""

    name: str
    message: str


Observation = (
    PartitionsAssigned
    | PartitionsRevoked
    | PartitionsLost
    | LeaseLapsed
    | LeaseRenewed
    | RecordsReceived
    | TombstoneSkipped
    | EventSkipped
    | OrderDelivered
    | LargeTotalTold
    | AttemptFailed
    | AttemptFinished
    | FactNoted
    | FactUnclean
    | DeadLettered
    | TokenLookedUp
    | AdmissionChanged
    | OffsetsCommitted
    | CommitFailed
    | StaleCompletion
    | TableCaughtUp
    | TableRestoring
    | TableRebuilt
    | BadTableRecord
    | WriterSchemaUnusable
    | DeadLettersHalted
    | DependencyUnavailable
)
