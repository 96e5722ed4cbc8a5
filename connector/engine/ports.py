# SPDX-License-Identifier: Apache-2.0
"""What the engine needs of the outside, and the plain types that both sides share.

Owns the seams: an adapter implements one of these protocols and is checked by its contract suite. No protocol names
Kafka, HTTP or a thread. Unless a method says otherwise it is called on the engine's event loop and must not block it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence

    from connector.domain.attribution import SessionLookup
    from connector.domain.dead_letter import DeadLetter
    from connector.domain.events import CommerceEvent
    from connector.domain.facts import Fact, OrderFacts
    from connector.domain.orders import Call, Operation, Reject
    from connector.domain.responses import Reply
    from connector.engine.observations import Observation


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """Return ``topic/partition``, as logs and messages write it."""
        return f"{self.topic}/{self.partition}"


class RawRecord(NamedTuple):
    """A record as it lies in the source; ``value`` is ``None`` for a tombstone, ``timestamp_ms`` is the broker's."""

    topic_partition: TopicPartition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp_ms: int


class Origin(NamedTuple):
    """Which topic a name stands for; where brokers do not say, no cluster, and the name itself for the id."""

    cluster: str
    topic_id: str


class Preparation(Protocol):
    """Something that must be fetched before a record can be decoded (a writer's schema)."""

    async def ready(self) -> None:
        """Return when decoding can be tried again; retries by itself for as long as the other side is down."""


class Decoder(Protocol):
    """Turns a record's value into commerce events."""

    def decode(self, record: RawRecord) -> list[CommerceEvent | Reject] | Reject | Preparation:
        """Return the record's events in order (an event that is bad by itself is a ``Reject`` in its place).

        A ``Reject`` alone blames the whole record. A :class:`Preparation` blames nobody: the partition waits for it.
        Never raises for foreign bytes. Is not called for tombstones.
        """


class OrderApi(Protocol):
    """Button's Order API."""

    async def send(self, call: Call) -> Reply:
        """Make one attempt and return what came of it; never raises for anything the other side or the net does."""


class SessionTable(Protocol):
    """Attribution tokens by session and by user, as of a time."""

    async def caught_up(self) -> None:
        """Return once the table has read all that its topic held when it started; it answers nothing before."""

    def lookup(self, *, session_keys: Sequence[str], user_key: str | None, as_of_ms: int) -> SessionLookup:
        """Return the token that was newest at ``as_of_ms``: of the first session key that has one, else the user's."""

    async def arrival(self, session_keys: Sequence[str], user_key: str | None, timeout_seconds: float) -> bool:
        """Return true as soon as one of the keys has a new entry, false after the timeout, or if too many wait."""


class OrderLedger(Protocol):
    """The facts of all orders, shared by all replicas: what Button was told, event by event."""

    async def caught_up(self) -> None:
        """Return once the ledger has read all that its topic held when it started; it answers nothing before."""

    async def barrier(self) -> None:
        """Return once the ledger has read all that its topic holds now: what former owners wrote is known then."""

    def read(self, order_id: str) -> OrderFacts:
        """Return what is known of an order, within the horizon.

        Raises :class:`~connector.domain.facts.UnreadableFactError` where a fact of it cannot be read.
        """

    def append(self, order_id: str, fact: Fact) -> Awaitable[bool]:
        """Write a fact and read it back; true if it is *clean*, else decide again with what is known by then.

        Clean: it told every fact known at its place in the log, and so did every entry between its base and itself.
        A mark is always clean. Retries by itself for as long as the other side is down.
        """

    def remove(self, order_id: str, event_id: str, *, is_parked: bool = False) -> Awaitable[bool]:
        """Take an event's fact, or the mark that parks it, out of the ledger; done when that was read back."""

    def waited_too_long(self) -> AsyncIterator[tuple[str, Fact]]:
        """Yield the refunds, with their orders' ids, that were written down to wait too long ago."""

    async def take_out_expired(self) -> int:
        """Take the orders past the horizon out of the topic; return how many."""


class FollowedTopic(NamedTuple):
    """What a table's topic is when it begins to be followed; a field that could not be read is ``None``.

    ``ends`` maps each partition to its first offset that is still there, and to the one behind its last.
    """

    topic: str
    cluster_id: str | None
    topic_id: str | None
    delete_retention_ms: int | None
    ends: Mapping[int, tuple[int, int]]


class Waits(NamedTuple):
    """A table took the first ``taken`` rows; the next one waits for what must be fetched."""

    taken: int
    preparation: Preparation


class TableSink(Protocol):
    """A table's side of the follower that feeds it."""

    def begin(self, topic: FollowedTopic) -> Mapping[int, int]:
        """Return from which offset to follow each partition; one that is not named is followed from its beginning.

        Called once, on the follower's own thread, before any row; it may block.
        """

    def apply(self, rows: Sequence[RawRecord]) -> Waits | None:
        """Take rows, ascending by offset within a partition, without headers; called on the loop.

        A row that waits is brought again, before any other of its partition.
        """

    def mark_current(self, as_of_ms: int) -> None:
        """Note that all that the topic held at that time has been applied; the first time it has caught up."""


class TableFeed(Protocol):
    """The follower's side: feeds a table from all partitions of its topic."""

    def start(self, sink: TableSink, loop: AbstractEventLoop) -> None:
        """Begin to feed the table."""

    async def barrier(self) -> None:
        """Return once the table has applied all that the topic holds now."""

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Feed it no more."""


class DeadLetters(Protocol):
    """Where dead letters go."""

    async def write(self, record: RawRecord, letter: DeadLetter) -> None:
        """Return only when the letter is durable; retries by itself for as long as the other side is down."""


class CommitResult(NamedTuple):
    """The group's answer to a commit: the partitions whose offsets are durable, and why the others' are not."""

    committed: Mapping[TopicPartition, int]
    failed: Mapping[TopicPartition, str]


class Source(Protocol):
    """The engine's side of the record source; the source's side of the engine is :class:`Intake`.

    The source bounds what is delivered and not yet committed, by count and bytes, as a whole and for each partition:
    it alone knows both ends, what it delivered and what the group has answered.
    """

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> CommitResult:
        """Commit exactly these offsets (next to read) and return the group's answer; never raises."""


class Intake(Protocol):
    """The source's side of the engine: called on the engine's loop, in the order in which things happened."""

    def assign(self, starts: Mapping[TopicPartition, int]) -> None:
        """Take over partitions; each maps to the offset from which their records will come."""

    def deliver(self, records: Sequence[RawRecord]) -> None:
        """Take records of assigned partitions, ascending by offset within a partition."""

    def advance(self, positions: Mapping[TopicPartition, int]) -> None:
        """Note the offsets to be read next, all records before them having been delivered: closes trailing gaps."""

    def commit_soon(self) -> None:
        """Commit what may be without waiting for the interval: the source may deliver no more before that."""

    def suspend(self) -> None:
        """Decide and start nothing of the partitions that are owned now: others may own them."""

    def resume(self) -> None:
        """Go on with what was suspended, as if it were taken over anew."""

    async def drain(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Start nothing more of these partitions, let what runs finish within the drain budget, say what to commit.

        Only partitions whose offset moved since their last acknowledged commit are in the answer.
        """

    def fence(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """End the assignments: whatever of them still finishes is a counted no-op."""


class Clock(Protocol):
    """Wall-clock time. Durations are the event loop's business (its time may be simulated)."""

    def now_ms(self) -> int:
        """Return Unix time in milliseconds."""


class EventTrace(Protocol):
    """The trace of one event on its way from its record to its end."""

    async def attempt(self, operation: Operation, number: int, reply: Awaitable[Reply]) -> Reply:
        """Await the reply of one attempt, as a part of the trace, and return it."""

    def end(self, outcome: str, reason: str) -> None:
        """Note the event's end. One that is handed over with its partition has none here."""


class Tracer(Protocol):
    """Follows events across systems; only there when somebody asked for it."""

    def begin(self, record: RawRecord, index: int | None) -> EventTrace:
        """Begin the trace of an event, or of a record as a whole, where the record's headers say that it goes on."""


class Observer(Protocol):
    """Is told what happens; makes logs and metrics of it."""

    def __call__(self, observation: Observation) -> None:
        """Take note; must be quick and must not raise."""
