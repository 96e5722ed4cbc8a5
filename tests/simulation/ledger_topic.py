# SPDX-License-Identifier: Apache-2.0
"""The order ledger's topic in simulated time, for the real ledger: its log, its follower, and a store in memory.

Owns the delays: an append reaches the topic later, in order, and every follower reads it later still, in pieces. What a
dead process had appended lands, lands late (a broker had it already), or never. Compaction takes away what a newer
record replaced, once every living follower has read it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from connector.engine.ports import FollowedTopic, RawRecord, TopicPartition
from connector.tables.fact_codec import IDENTITY_KEY, FactKey, decode_key
from connector.tables.ledger_identity import Identity
from tests.simulation.scheduler import in_world, this_process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from connector.engine.ports import TableSink
    from tests.simulation.scheduler import Process
    from tests.simulation.world import World

LEDGER = "ledger"
GROUP_ID = "simulated"


class Row(NamedTuple):
    """A record on its way into the topic."""

    partition: int
    key: bytes
    value: bytes | None
    timestamp_ms: int
    writer: str


class Written(NamedTuple):
    """An event's fact: since when it lies there, and whether it says that Button was told."""

    first_at: float
    is_told: bool


class LedgerTopic:
    """The topic; an offset that compaction took is ``None``."""

    def __init__(self, world: World, partitions: int) -> None:
        """Begin with a ledger that is ours already."""
        self.world = world
        self.partitions: list[list[RawRecord | None]] = [[] for _ in range(partitions)]
        self.followers: list[LedgerFeed] = []
        self.newest: dict[bytes, RawRecord] = {}
        self.facts: dict[tuple[str, str], Written] = {}
        self.facts_of: dict[str, set[str]] = defaultdict(set)
        self._writers: dict[str, list[tuple[float, str]]] = defaultdict(list)
        self._superseded: list[RawRecord] = []
        self.append(Row(0, IDENTITY_KEY, Identity("ledger", partitions, GROUP_ID).encode(), world.now_ms(), ""))

    def written_by_others(self, order_id: str, writer: str, since: float) -> bool:
        """Return whether somebody else has written of an order since then."""
        return any(at >= since and who != writer for at, who in self._writers[order_id])

    def append(self, row: Row) -> None:
        """Put a record at the end of its partition."""
        log = self.partitions[row.partition]
        place = TopicPartition(LEDGER, row.partition)
        record = RawRecord(place, len(log), row.key, row.value, (), row.timestamp_ms)
        log.append(record)
        before = self.newest.get(row.key)
        if before is not None:
            self._superseded.append(before)
        self.newest[row.key] = record
        key = decode_key(row.key)
        if isinstance(key, FactKey):
            self._keep(key, row)
            self.world.note("fact", row.writer, key.order_id, key.event_id, row.partition, record.offset)
        for follower in self.followers:
            follower.notice()

    def _keep(self, key: FactKey, row: Row) -> None:
        now = self.world.now()
        place = key.order_id, key.event_id
        before = self.facts.get(place)
        is_told = row.value is not None and b'"told":[' in row.value
        if before is None or is_told:
            self.facts[place] = Written(now if before is None or not before.is_told else before.first_at, is_told)
        self.facts_of[key.order_id].add(key.event_id)
        self._writers[key.order_id].append((now, row.writer))

    def compact(self) -> None:
        """Take away what was replaced and has been read by all that live."""
        kept = []
        for record in self._superseded:
            partition = record.topic_partition.partition
            if all(each.positions[partition] > record.offset for each in self.followers):
                self.partitions[partition][record.offset] = None
            else:
                kept.append(record)
        self._superseded = kept
        self.world.note("ledger compacted")

    @property
    def ends(self) -> list[int]:
        """Return the end of each partition."""
        return [len(each) for each in self.partitions]


class SimulatedLog:
    """The writing side of one process: a :class:`connector.tables.orders.LedgerLog`."""

    def __init__(self, topic: LedgerTopic) -> None:
        """Write into the topic."""
        self._topic = topic
        self._process = this_process()
        self._random = topic.world.stream(f"log {self._process.name}")
        self._rows: deque[Row] = deque()
        self._is_sending = False

    def append(self, partition: int, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        """Write a record, in order, for as long as it takes."""
        if not self._process.is_dead:
            self._rows.append(Row(partition, key, value, timestamp_ms, self._process.name))
            self._send()

    @property
    def outstanding(self) -> int:
        """Return how many records are not durable yet."""
        return len(self._rows)

    def _send(self) -> None:
        if self._rows and not self._is_sending:
            self._is_sending = True
            # By the process: while it stands still nothing leaves it.
            self._process.later(self._random.uniform(0.005, 0.05), self._topic.world.kafka_up.when_up, self._land)

    def _land(self) -> None:
        self._is_sending = False
        if self._process.is_dead:
            return
        for _ in range(self._random.randint(1, len(self._rows)) if self._rows else 0):
            self._topic.append(self._rows.popleft())
        self._send()

    def crash(self, random: Random) -> None:
        """Die: the first of what is on its way lands now, some of the rest late, and some never."""
        rows, self._rows = [*self._rows], deque()
        now, late = sorted((random.randint(0, len(rows)), random.randint(0, len(rows))))
        if not self._topic.world.kafka_up.is_up:
            now = 0
        for row in rows[:now]:
            self._topic.append(row)
        delay_seconds = random.uniform(0.5, 20.0)
        for row in rows[now:late]:
            delay_seconds += 0.001
            in_world(delay_seconds, self._topic.append, row)


class LedgerFeed:
    """The follower of one process: a :class:`connector.engine.ports.TableFeed`."""

    def __init__(self, topic: LedgerTopic) -> None:
        """Follow nothing before :meth:`start`."""
        self._topic = topic
        self._process: Process = this_process()
        self._random = topic.world.stream(f"feed {self._process.name}")
        self._timer: asyncio.TimerHandle | None = None
        self._barriers: list[tuple[list[int], asyncio.Future[None]]] = []
        self._is_current = False
        self.positions = [0] * len(topic.partitions)

    def start(self, sink: TableSink, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to feed the table."""
        del loop
        self._sink = sink
        ends = {number: (0, end) for number, end in enumerate(self._topic.ends)}
        starts = sink.begin(FollowedTopic(LEDGER, "cluster", "ledger id", None, ends))
        for partition, offset in starts.items():
            self.positions[partition] = offset
        self._first_ends = self._topic.ends
        self._topic.followers.append(self)
        self.notice()

    async def barrier(self) -> None:
        """Return once the table has applied all that the topic holds now."""
        ends = self._topic.ends
        if not self._has_passed(ends):
            passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._barriers.append((ends, passed))
            await passed

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Feed it no more."""
        del timeout_seconds
        self.end()

    def end(self) -> None:
        """Read no more."""
        if self in self._topic.followers:
            self._topic.followers.remove(self)
        if self._timer is not None:
            self._timer.cancel()

    def notice(self) -> None:
        """Read soon; a process that stands still reads when it goes on."""
        if self._timer is None:
            self._timer = self._process.later(self._random.uniform(0.005, 0.2), self._follow)

    @property
    def is_at_end(self) -> bool:
        """Return whether all has been read."""
        return self._has_passed(self._topic.ends)

    def _follow(self) -> None:
        self._timer = None
        if self not in self._topic.followers:
            return
        if not self._topic.world.kafka_up.is_up:
            self._topic.world.kafka_up.when_up(self.notice)
            return
        rows: list[RawRecord] = []
        for partition, log in enumerate(self._topic.partitions):
            at, end = self.positions[partition], len(log)
            # Not all at once: what a replica knows may end anywhere.
            to = end if self._random.random() < 0.7 else self._random.randint(at, end)
            rows += [row for row in log[at:to] if row is not None]
            self.positions[partition] = to
        if rows:
            self._sink.apply(rows)
        self._pass()
        if not self.is_at_end:
            self.notice()

    def _pass(self) -> None:
        if not self._is_current and self._has_passed(self._first_ends):
            self._is_current = True
            self._sink.mark_current(self._topic.world.now_ms())
        for ends, passed in [*self._barriers]:
            if self._has_passed(ends):
                self._barriers.remove((ends, passed))
                if not passed.done():
                    passed.set_result(None)

    def _has_passed(self, ends: list[int]) -> bool:
        return all(at >= end for at, end in zip(self.positions, ends, strict=True))


class MemoryStore:
    """A store without files: what :class:`connector.tables.store.Store` is to a table."""

    def __init__(self, options: object) -> None:
        """Begin empty."""
        del options
        self._values: dict[bytes, bytes] = {}
        self._checkpoint: bytes | None = None

    def get(self, key: bytes) -> bytes | None:
        """Return the key's value."""
        return self._values.get(key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Return the keys with this prefix, ascending, behind ``after``."""
        found = sorted(item for item in self._values.items() if item[0].startswith(prefix) and item[0] > after)
        return iter(found)

    def write(self, puts: Mapping[bytes, bytes | None], checkpoint: bytes) -> None:
        """Write values (``None`` deletes) and how far they go."""
        for key, value in puts.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value
        self._checkpoint = checkpoint

    def checkpoint(self) -> bytes | None:
        """Return what the last write said of how far it goes."""
        return self._checkpoint

    def flush(self, *, wait: bool) -> None:
        """Do nothing: nothing of it outlives its process."""

    def close(self) -> None:
        """Do nothing."""
