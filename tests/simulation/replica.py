# SPDX-License-Identifier: Apache-2.0
"""One simulated process of the connector: the real source, engine and ledger on a simulated outside.

Owns how the parts are put together, as the application does it, and how a process begins, stands still, stops and dies.
What is replaced by a stand-in is what would do I/O: the Kafka client and its thread, the clock, the ledger's log and
its follower, the store's files, Button, the dead letters, the sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

from connector.engine.backoff import Backoff
from connector.engine.engine import Engine, EngineOptions, Ports
from connector.engine.ports import Origin
from connector.kafka import poll_thread, source
from connector.kafka.options import KafkaConnection, SourceOptions
from connector.kafka.source import KafkaSource
from connector.tables import global_table
from connector.tables.global_table import TableOptions
from connector.tables.ledger_identity import Takeover
from connector.tables.orders import LedgerOptions, Orders
from connector.tables.store import StoreOptions
from tests.simulation.brokers import TOPIC, Partition
from tests.simulation.consumer import SimulatedConsumer
from tests.simulation.ledger_topic import GROUP_ID, LEDGER, LedgerFeed, LedgerTopic, MemoryStore, SimulatedLog
from tests.simulation.lockstep import LockstepQueue, LockstepThread, thread_of
from tests.simulation.scheduler import Process, the_loop, this_process
from tests.simulation.wire import REQUEST_SECONDS, Wire
from tests.support.fakes import FakeDecoder, FakeSessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connector.domain.dead_letter import DeadLetter
    from connector.engine.observations import Observation
    from connector.engine.ports import RawRecord, TopicPartition
    from tests.simulation.brokers import Group, Topic
    from tests.simulation.oracles import Oracles
    from tests.simulation.wire import Weather
    from tests.simulation.world import World
    from tests.support.simulated_button import SimulatedButton

SESSION_SECONDS = 12.0
DRAIN_SECONDS = 6.0


@dataclass(frozen=True)
class Outside:
    """What all processes share."""

    world: World
    topic: Topic
    group: Group
    ledger: LedgerTopic
    button: SimulatedButton
    weather: Weather
    decoder: FakeDecoder
    oracles: Oracles
    letters: list[tuple[RawRecord, DeadLetter]]
    concurrency: int
    most_records: int
    start: Literal["earliest", "latest"]
    grown: Callable[[], object]
    """Called when the topic has a new partition: producers see it before the group does."""

    def grow(self) -> None:
        """Add a partition to the topic."""
        self.world.note("grow")
        self.topic.partitions.append(Partition())
        self.grown()


class Replica:
    """One process, from its start to its end."""

    def __init__(self, name: str, outside: Outside) -> None:
        """Put it together; :meth:`start` runs it."""
        self.outside = outside
        self.process = Process(name)
        self.consumer: SimulatedConsumer | None = None
        self.is_over = self.is_stopping = self._is_unheard = False
        self._silences = 0
        self.process.context.copy().run(self._build)

    def _build(self) -> None:
        outside, world = self.outside, self.outside.world
        clock = SimpleNamespace(now_ms=world.now_ms)
        self._log = SimulatedLog(outside.ledger)
        self._feed = LedgerFeed(outside.ledger)
        self.ledger = Orders(
            LedgerOptions(LEDGER, len(outside.ledger.partitions), Takeover(GROUP_ID), horizon_days=100.0),
            (TableOptions("ledger", StoreOptions(Path("/nowhere")), is_kept=True), self._feed),
            self._log,
            clock,
            self._observe,
        )
        self.source = KafkaSource(
            SourceOptions(
                KafkaConnection("nowhere"),
                GROUP_ID,
                (TOPIC,),
                start=outside.start,
                session_timeout_ms=round(SESSION_SECONDS * 1000),
                call_seconds=REQUEST_SECONDS,
                drain_seconds=DRAIN_SECONDS,
                max_uncommitted_records=outside.most_records,
                max_batch_records=max(1, outside.most_records // 2),
            ),
            self._observe,
        )
        wire = Wire(world, outside.button, outside.weather, outside.oracles)
        self.engine = Engine(
            Ports(
                source=self.source,
                decoder=outside.decoder,
                orders=wire,  # type: ignore[arg-type]  # an attempt is awaited just as a coroutine is
                sessions=FakeSessions(),
                dead_letters=Letters(outside),
                clock=clock,
                observer=self._observe,
                may_start=self.source.may_start,
                tracer=wire,
                ledger=self.ledger,
                origin_of=lambda _topic: Origin("cluster", "topic id"),
            ),
            EngineOptions(
                concurrency=outside.concurrency,
                poison_seconds=40.0,
                pin_seconds=15.0,
                commit_after_events=5,
                commit_interval_seconds=0.5,
                drain_seconds=DRAIN_SECONDS,
                retry=Backoff(0.1, 4.0),
                first_topic=TOPIC,
            ),
            world.stream(f"engine {self.process.name}"),
        )

    def start(self) -> None:
        """Begin to run."""
        self.outside.world.note("start", self.process.name)
        self.process.spawn(self._run()).add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        if not (self.is_over or self.process.is_dead or task.cancelled()) and task.exception() is not None:
            self.outside.world.fail("P5", f"{self.process.name} ended by itself: {_cause(task.exception())!r}")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        engine = loop.create_task(self.engine.run())
        self.ledger.start(loop)
        self.source.start(Intake(self.process, self.engine, self.outside.oracles), loop)
        ends = (engine, loop.create_task(self.source.failed()), loop.create_task(self.ledger.failed()))
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        # Whoever was told to stop may end; the engine is to live until its source has stopped all the same.
        ended = [each for each in done if each is engine or not self.is_stopping]
        if ended and not (self.is_over or self.process.is_dead):
            why = ended[0].exception() or ended[0].result()
            self.outside.world.fail("P5", f"{self.process.name} ended by itself: {_cause(why)!r}")

    def consumer_of(self, config: Mapping[str, Any]) -> SimulatedConsumer:
        """Return the client that the poll thread asks for."""
        outside = self.outside
        self.consumer = SimulatedConsumer(config, self.process, (outside.world, outside.topic, outside.group))
        return self.consumer

    # What may happen to it.

    def freeze(self) -> None:
        """Stand still."""
        self.outside.world.note("freeze", self.process.name)
        self.process.is_frozen = True
        self._fall_silent()

    def thaw(self) -> None:
        """Go on."""
        if self.process.is_frozen and not self.process.is_dead:
            self.outside.world.note("thaw", self.process.name)
            the_loop().thaw(self.process)
            self._be_heard()

    def cut(self) -> None:
        """Lose the way to the coordinator, but not to the leaders of the partitions."""
        if self.consumer is not None:
            self.outside.world.note("cut", self.process.name)
            self.consumer.reach.coordinator = False
            self._fall_silent()

    def mend(self) -> None:
        """Reach the coordinator again."""
        if self.consumer is not None:
            self.outside.world.note("mend", self.process.name)
            self.consumer.reach.coordinator = True
            self._be_heard()

    def _fall_silent(self) -> None:
        """Have the group count from now, unless it does already."""
        consumer = self.consumer
        if consumer is not None and not self._is_unheard:
            self._is_unheard = True
            self._silences = number = self._silences + 1
            self.outside.group.silent(consumer, lambda: consumer.is_silent() and self._silences == number)

    def _be_heard(self) -> None:
        self._is_unheard = self.consumer is not None and self.consumer.is_silent()

    async def stop(self) -> None:
        """End in order, as on SIGTERM."""
        self.outside.world.note("stop", self.process.name)
        self.is_stopping = True
        stopped = self.process.spawn(self.source.stop(DRAIN_SECONDS + 12.0))
        while not stopped.done() and not self.process.is_dead:
            await asyncio.wait((stopped,), timeout=1.0)
        if not self.process.is_dead:
            self.is_over = True
            await self._end()

    async def die(self) -> None:
        """End at once, as a kill does."""
        if not self.process.is_dead:
            self.outside.world.note("kill", self.process.name)
            self.process.is_dead = True
            self._fall_silent()
            self._log.crash(self.outside.world.stream(f"death of {self.process.name}"))
            await self._end()

    async def _end(self) -> None:
        """Take away what is left of it; nothing of that has any effect."""
        self.process.is_dead = self.is_over = True
        self._feed.end()
        if self.consumer in self.outside.topic.readers:
            self.outside.topic.readers.remove(self.consumer)
        the_loop().thaw(self.process)
        thread = thread_of(self.process)
        if thread is not None:
            await thread.end()
        tasks = [task for task in the_loop().tasks_of(self.process) if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def has_read_all(self) -> bool:
        """Return whether its ledger knows all that there is."""
        return self._feed.is_at_end

    def _observe(self, observation: Observation) -> None:
        del observation


class Letters:
    """Where one process's dead letters go; they are durable when the brokers say so."""

    def __init__(self, outside: Outside) -> None:
        """Belong to the process in which it is made."""
        self._outside = outside
        self._process = this_process()
        self._random = outside.world.stream(f"letters {self._process.name}")

    async def write(self, record: RawRecord, letter: DeadLetter) -> None:
        """Return when the letter is durable."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._process.later(self._random.uniform(0.005, 0.1), self._reach, record, letter, written)
        await written

    def _reach(self, record: RawRecord, letter: DeadLetter, written: asyncio.Future[None]) -> None:
        self._outside.world.letters_up.when_up(lambda: self._keep(record, letter, written))

    def _keep(self, record: RawRecord, letter: DeadLetter, written: asyncio.Future[None]) -> None:
        if not self._process.is_dead:
            outside, partition = self._outside, record.topic_partition.partition
            outside.letters.append((record, letter))
            outside.oracles.letters.add((partition, record.offset, letter.event_index))
            outside.world.note("letter", self._process.name, partition, record.offset, letter.reason)
            if not written.done():
                written.set_result(None)


class Intake:
    """The engine as its source sees it, with the oracles looking on."""

    def __init__(self, process: Process, engine: Engine, oracles: Oracles) -> None:
        """Stand before the engine."""
        self._process, self._engine, self._oracles = process, engine, oracles

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the port has beside what is looked at
        """Let everything else through."""
        return getattr(self._engine, name)

    def assign(self, starts: Mapping[TopicPartition, int]) -> None:
        """Look at an assignment."""
        self._oracles.assigned(self._process, starts)
        self._engine.assign(starts)

    def deliver(self, records: Sequence[RawRecord]) -> None:
        """Look at a delivery."""
        if not self._process.is_dead:
            self._oracles.delivered(self._process, records)
        self._engine.deliver(records)

    async def drain(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Look at what a drain answers."""
        offsets = await self._engine.drain(partitions)
        if not self._process.is_dead:
            self._oracles.drained(self._process, offsets, [each.partition for each in partitions])
        return offsets

    def fence(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """Look at the end of assignments."""
        if not self._process.is_dead:
            self._oracles.fenced(self._process, partitions, lost=lost)
        self._engine.fence(partitions, lost=lost)


class _TopicIds:
    """The ids of the topics, which never change here."""

    known: Mapping[str, str] = {TOPIC: "topic id"}
    total_partitions = 0  # so no rate is shared

    def __init__(self, *_: object) -> None:
        pass

    def look(self, now: float) -> None:
        """Find nothing wrong."""

    def look_now(self, now: float) -> None:
        """Find nothing wrong."""

    def partition_count(self, topic: str) -> int:
        """Return how many partitions this process has heard of."""
        consumer = replica_here().consumer
        assert consumer is not None
        return len(consumer.list_topics(REQUEST_SECONDS).topics[topic].partitions)


_REPLICAS: dict[Process, Replica] = {}


def begin(replica: Replica) -> None:
    """Start a replica; its client finds it by its process."""
    _REPLICAS[replica.process] = replica
    replica.start()


def _consumer(config: Mapping[str, Any]) -> SimulatedConsumer:
    return replica_here().consumer_of(config)


def replica_here() -> Replica:
    """Return the replica whose process this is."""
    return _REPLICAS[this_process()]


@contextlib.contextmanager
def stand_ins() -> Iterator[None]:
    """Put the stand-ins where the connector would reach out."""
    time = SimpleNamespace(
        monotonic=lambda: the_loop().time(),
        clock_gettime=lambda _clock: the_loop().time(),
        CLOCK_BOOTTIME=7,
    )
    with contextlib.ExitStack() as stack:
        for module in (poll_thread, source):
            stack.enter_context(patch.object(module, "time", time))
        for module in [each for name, each in sys.modules.items() if name.startswith("connector.kafka.")]:
            if hasattr(module, "boot_seconds"):
                stack.enter_context(patch.object(module, "boot_seconds", time.monotonic))
        stack.enter_context(patch.object(source, "threading", SimpleNamespace(Thread=LockstepThread)))
        stack.enter_context(patch.object(poll_thread, "SimpleQueue", LockstepQueue))
        stack.enter_context(patch.object(poll_thread, "TopicIds", _TopicIds))
        stack.enter_context(
            patch.object(poll_thread, "Consumer", _consumer),
        )
        stack.enter_context(patch.object(global_table, "Store", MemoryStore))
        try:
            yield
        finally:
            _REPLICAS.clear()


def _cause(why: object) -> object:
    while isinstance(why, BaseExceptionGroup):
        why = why.exceptions[0]
    return why


assert REQUEST_SECONDS < DRAIN_SECONDS < SESSION_SECONDS
