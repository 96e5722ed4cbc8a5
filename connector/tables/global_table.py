# SPDX-License-Identifier: Apache-2.0
"""A compacted topic as a table on this machine, whole.

Owns how a follower, a store and the meaning of the records come together: where to go on, batches into writes, the
checkpoint, "caught up". One mechanism for every table; what the records mean is an :class:`Applier`'s business, and
this module never looks into a key or a value.

The table answers nothing before it has caught up once. It is written by the follower's records alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

from connector.engine.observations import TableRebuilt
from connector.tables.checkpoint import Checkpoint, decode, why_useless
from connector.tables.store import Store, StoreDamagedError, delete

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connector.engine.ports import Clock, FollowedTopic, Observer, RawRecord, TableFeed, Waits
    from connector.tables.store import StoreOptions


class Batch:
    """What a batch of records changes; it reads its own writes."""

    __slots__ = ("_store", "writes")

    def __init__(self, store: Store) -> None:
        """Begin with what the store holds."""
        self._store = store
        self.writes: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the key's value as of now."""
        return self.writes[key] if key in self.writes else self._store.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Set the key's value."""
        self.writes[key] = value

    def delete(self, key: bytes) -> None:
        """Delete the key."""
        self.writes[key] = None


class Applier(Protocol):
    """What the records of a topic mean to a table; called on the loop, or before it runs, never on two threads."""

    @property
    def layout(self) -> str:
        """Return the name of the form of keys and values; a copy of another form is not gone on with."""

    def apply(self, rows: Sequence[RawRecord], batch: Batch) -> Waits | None:
        """Put into the batch what the rows say; keys must not begin with a zero byte.

        Applying a row again, with all that followed it, must change nothing. If a row cannot be taken yet, those
        before it are in the batch, and nothing of it. A row that never can be taken is reported and passed over.
        Foreign bytes never raise: what raises ends the process. Whoever is woken by a row finds the batch written.
        """


class TableOptions(NamedTuple):
    """How the table is called in messages, and how its files are kept.

    Without ``is_kept`` the files are of this process only: they are deleted at the start and at the end.
    """

    name: str
    store: StoreOptions
    is_kept: bool = False


class GlobalTable:
    """A topic's table; a :class:`~connector.engine.ports.TableSink`. All on the loop, unless a method says otherwise.

    ``barrier`` and ``caught_up`` may be awaited before :meth:`start`.
    """

    def __init__(
        self,
        options: TableOptions,
        applier: Applier,
        feed: TableFeed,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """Put the parts together; nothing is opened before :meth:`start`."""
        self._options = options
        self._applier = applier
        self._feed = feed
        self._clock = clock
        self._observer = observer
        self._caught_up = asyncio.Event()
        self._store: Store | None = None
        self._as_of_ms = 0
        self._is_stopped = False
        self.topic: FollowedTopic | None = None
        """What is followed; known once the table has caught up."""
        self.offsets: dict[int, int] = {}
        """For each partition the offset behind the last row that was applied."""

    # What a table is asked.

    def get(self, key: bytes) -> bytes | None:
        """Return the key's value; raises ``RuntimeError`` before the table has caught up."""
        return self._answering().get(key)

    def scan(self, prefix: bytes, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Return the keys with this prefix, ascending, behind ``after``, and their values, as they are now."""
        return self._answering().scan(prefix, after)

    async def caught_up(self) -> None:
        """Return once the table may answer."""
        await self._caught_up.wait()

    async def barrier(self) -> None:
        """Return once the table has applied all that the topic holds now."""
        await self._feed.barrier()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to follow the topic."""
        self._loop = loop
        self._feed.start(self, loop)

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Follow no more, and keep what is known for the next start. May be called again."""
        await self._feed.stop(timeout_seconds)
        self._is_stopped = True
        store, self._store = self._store, None
        if store is not None:
            await asyncio.to_thread(self._put_away, store)

    # What the follower feeds.

    def begin(self, topic: FollowedTopic) -> Mapping[int, int]:
        """Open the copy, or begin a new one, and return where to go on; on the follower's thread.

        Raises :class:`~connector.tables.store.StoreError`.
        """
        if self._is_stopped:
            msg = "the table was stopped before its topic was found"
            raise RuntimeError(msg)
        self.topic = topic
        self._as_of_ms = self._clock.now_ms()
        if not self._options.is_kept:
            delete(self._options.store.directory)
        self._store, checkpoint = self._open(topic)
        if checkpoint is not None:
            self._as_of_ms = checkpoint.as_of_ms
            self.offsets = dict(checkpoint.offsets)
        return dict(self.offsets)

    def apply(self, rows: Sequence[RawRecord]) -> Waits | None:
        """Apply rows, all at once with how far they go."""
        store = self._opened()
        batch = Batch(store)
        waits = self._applier.apply(rows, batch)
        taken = rows if waits is None else rows[: waits.taken]
        # Of each partition the last one counts.
        self.offsets |= {row.topic_partition.partition: row.offset + 1 for row in taken}
        store.write(batch.writes, self._checkpoint())
        return waits

    def mark_current(self, as_of_ms: int) -> None:
        """Note that all that the topic held then is applied; the first time lets the table answer."""
        store = self._opened()
        self._as_of_ms = as_of_ms
        store.write({}, self._checkpoint())
        if self._options.is_kept:
            store.flush(wait=False)
        self._caught_up.set()

    def _open(self, topic: FollowedTopic) -> tuple[Store, Checkpoint | None]:
        directory = self._options.store.directory
        try:
            store = Store(self._options.store)
            checkpoint = self._read_checkpoint(store)
            useless = checkpoint and why_useless(checkpoint, topic, self._applier.layout, self._clock.now_ms())
            if not useless:
                return store, checkpoint
            store.close()
        except StoreDamagedError as error:
            useless = str(error)
        self._loop.call_soon_threadsafe(self._observer, TableRebuilt(self._options.name, useless))
        delete(directory)
        return Store(self._options.store), None

    @staticmethod
    def _read_checkpoint(store: Store) -> Checkpoint | None:
        try:
            data = store.checkpoint()
            return None if data is None else decode(data)
        except (StoreDamagedError, ValueError) as error:
            store.close()
            raise StoreDamagedError(str(error)) from error

    def _checkpoint(self) -> bytes:
        topic = self.topic
        if topic is None:
            msg = "a table was fed before it had begun"
            raise RuntimeError(msg)
        layout = self._applier.layout
        return Checkpoint(topic.topic, topic.cluster_id, topic.topic_id, layout, self._as_of_ms, self.offsets).encode()

    def _opened(self) -> Store:
        if self._store is None:
            msg = f"the {self._options.name} table is not open"
            raise RuntimeError(msg)
        return self._store

    def _answering(self) -> Store:
        if not self._caught_up.is_set():
            msg = f"the {self._options.name} table was asked before it had caught up"
            raise RuntimeError(msg)
        return self._opened()

    def _put_away(self, store: Store) -> None:
        if self._options.is_kept:
            store.flush(wait=True)
        store.close()
        if not self._options.is_kept:
            delete(self._options.store.directory)
