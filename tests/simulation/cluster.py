# SPDX-License-Identifier: Apache-2.0
"""Several replicas of the connector in simulated time: one topic, one group, one ledger, one Button.

Owns the group: which replica has which partition, and what happens when that changes. Every replica is the real engine
on the real rules; a replica that dies takes its table with it, and its successor reads the ledger from the beginning.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from random import Random
from typing import TYPE_CHECKING

from connector.engine.engine import Engine, EngineOptions, Ports
from tests.support.fakes import FakeDeadLetters, FakeDecoder, FakeSessions, FakeSource, FixedClock, Recorder
from tests.support.simulated_ledger import SimulatedLedger, SimulatedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.domain.events import CommerceEvent
    from connector.domain.facts import Fact
    from connector.engine.ports import RawRecord, TopicPartition
    from tests.support.simulated_button import SimulatedButton
    from tests.support.simulated_ledger import Slot

_NOTICED_AFTER_SECONDS = 1.0
"""When the group gives a lost partition away: no call that was on its way can still land then."""


class Replica:
    """One process."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        """Start it, without partitions."""
        self.ledger = SimulatedLedger(cluster.ledger_log, random)
        self.ledger.judge = cluster.judge
        self.ledger.taken_in = cluster.taken_in
        self.source = FakeSource()
        self.source.log, self.source.committed = cluster.topic, cluster.committed
        self.engine = Engine(
            Ports(
                source=self.source,
                decoder=cluster.decoder,
                orders=cluster.button,
                sessions=FakeSessions(),
                dead_letters=cluster.letters,
                clock=FixedClock(),
                observer=cluster.seen,
                may_start=lambda topic_partition: topic_partition in self.source.positions,
                ledger=self.ledger,
            ),
            EngineOptions(concurrency=16, commit_after_events=10, commit_interval_seconds=0.2),
            random,
        )
        self.source.intake = self.engine
        self._tasks = [asyncio.ensure_future(each) for each in (self.engine.run(), self.source.poll_for_ever())]

    async def die(self) -> None:
        """End at once, as a kill does."""
        self.source.positions.clear()
        self.ledger.crash()
        await self.stop()

    async def stop(self) -> None:
        """End the tasks; one that had failed fails the test."""
        for task in self._tasks:
            if task.done():
                task.result()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def check(self) -> None:
        """Fail if the process has."""
        for task in self._tasks:
            if task.done():
                task.result()


class Cluster:
    """All replicas, and what they share."""

    def __init__(self, seed: int, button: SimulatedButton, *, replicas: int, partitions: int) -> None:
        """Start the replicas and hand out the partitions."""
        self.random = Random(seed)  # noqa: S311  reproducible on purpose
        self.button = button
        self.topic: dict[TopicPartition, list[RawRecord]] = defaultdict(list)
        self.committed: dict[TopicPartition, int] = {}
        self.ledger_log = SimulatedLog()
        self.decoder = FakeDecoder()
        self.letters = FakeDeadLetters()
        self.seen = Recorder()
        self.partitions = range(partitions)
        self.faults = 0
        self.unclean = 0
        self.trusts_unclean = False
        self.keeps_states = False
        self.clean: set[str] | None = None
        self._meanings = 0
        self._changing = asyncio.Lock()
        self.replicas = [self._start() for _ in range(replicas)]
        self.owners: dict[int, Replica] = {}

    def judge(self, is_clean: bool) -> bool:  # noqa: FBT001  it stands between the ledger's answer and the engine
        """Return what the engine is told of an entry."""
        self.unclean += not is_clean
        return is_clean or self.trusts_unclean

    def taken_in(self, fact: Fact, facts: dict[Slot, Fact], is_clean: Callable[[], bool]) -> None:
        """Let the planted faults at what a replica has read; ``facts`` are the order's, with the new one."""
        if self.clean is not None:
            (self.clean.add if is_clean() else self.clean.discard)(fact.event_id)
        if self.keeps_states:
            for slot in [slot for slot in facts if slot.event_id not in {*fact.told, fact.event_id}]:
                del facts[slot]

    def _start(self) -> Replica:
        return Replica(self, Random(self.random.random()))  # noqa: S311  reproducible on purpose

    async def begin(self) -> None:
        """Hand out the partitions."""
        await asyncio.sleep(0)
        for partition in self.partitions:
            self._give(partition, self.random.choice(self.replicas))

    async def end(self) -> None:
        """Stop all replicas."""
        for replica in self.replicas:
            await replica.stop()

    def emit(self, event: CommerceEvent, partition: int | None = None) -> RawRecord:
        """Put an event into a partition, whichever it is."""
        self._meanings += 1
        value = b"%d" % self._meanings
        self.decoder.meanings[value] = [event]
        chosen = self.random.choice(self.partitions) if partition is None else partition
        return self.replicas[0].source.append(chosen, value)

    @property
    def is_at_rest(self) -> bool:
        """Return whether all is committed that the topic holds, and all is read that the ledger holds."""
        for replica in self.replicas:
            replica.check()
        end = len(self.ledger_log.entries)
        return all(self.committed.get(each, 0) == len(records) for each, records in self.topic.items()) and all(
            replica.ledger.position == end for replica in self.replicas
        )

    # What may happen.

    async def disturb(self) -> None:
        """Let one thing happen that happens to groups; the group itself changes one step at a time."""
        self.faults += 1
        async with self._changing:
            match self.random.randrange(6):
                case 0 | 1:
                    await self._kill(self.random.choice(self.replicas))
                case 2:
                    await self._kill_in_a_drain(self.random.choice(self.partitions))
                case 3:
                    await self._move(self.random.choice(self.partitions))
                case 4:
                    await self._lose(self.random.choice(self.partitions))
                case _:
                    self.ledger_log.compact()

    async def _kill(self, replica: Replica) -> None:
        orphans = [partition for partition, owner in self.owners.items() if owner is replica]
        self.replicas[self.replicas.index(replica)] = self._start()
        await replica.die()
        await asyncio.sleep(self.random.uniform(0.0, _NOTICED_AFTER_SECONDS))
        for partition in orphans:
            self._give(partition, self.random.choice(self.replicas))

    async def _kill_in_a_drain(self, partition: int) -> None:
        replica = self.owners[partition]
        drain = asyncio.ensure_future(replica.source.revoke(partition))
        await asyncio.wait((drain,), timeout=self.random.uniform(0.0, 0.3))
        drain.cancel()
        await asyncio.wait((drain,))
        await self._kill(replica)

    async def _move(self, partition: int) -> None:
        await self.owners[partition].source.revoke(partition)
        self._give(partition, self.random.choice(self.replicas))

    async def _lose(self, partition: int) -> None:
        self.owners[partition].source.lose(partition)
        await asyncio.sleep(_NOTICED_AFTER_SECONDS)
        self._give(partition, self.random.choice(self.replicas))

    def _give(self, partition: int, replica: Replica) -> None:
        self.owners[partition] = replica
        replica.source.assign(partition)
