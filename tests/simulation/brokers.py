# SPDX-License-Identifier: Apache-2.0
"""Kafka's side of a simulated consumer group: the topic, the group's offsets, who is a member and who has what.

Owns what brokers own. A partition changes hands in two steps, as in a cooperative rebalance: its owner is asked to
give it back, and only when it has done so, or is expelled, the next one gets it. A member is expelled when it was not
heard of for a session; whoever reads is not asked whether he is a member. Commits are taken from members only, for
whatever partition they name, as the real coordinator does.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple, Protocol

from confluent_kafka import KafkaError

from connector.engine.ports import RawRecord, TopicPartition
from tests.simulation.scheduler import in_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.simulation.world import World

TOPIC = "orders"
HEARTBEAT_SECONDS = 1.0


class Committed(NamedTuple):
    """What the group holds for a partition."""

    offset: int
    metadata: str


class Assign(NamedTuple):
    """The coordinator gives partitions to a member."""

    partitions: tuple[int, ...]


class Revoke(NamedTuple):
    """The coordinator asks a member for partitions."""

    partitions: tuple[int, ...]


class Client(Protocol):
    """A consumer, as the coordinator knows it."""

    @property
    def name(self) -> str:
        """Return the process's name."""

    def tell(self, message: Assign | Revoke) -> None:
        """Send it a message; it is read when the client is polled."""

    def is_silent(self) -> bool:
        """Return whether the coordinator hears nothing of this member."""

    def expel(self) -> None:
        """Answer its next heartbeat with an unknown member."""

    def has_news(self, partition: int) -> None:
        """Let it know that there is something to fetch."""


class Partition:
    """A partition's log: records with ascending offsets, not all of which exist."""

    def __init__(self) -> None:
        """Begin empty."""
        self.records: list[RawRecord] = []
        self.offsets: list[int] = []
        self.end = 0

    def read(self, position: int, most: int) -> list[RawRecord]:
        """Return records from a position on."""
        at = bisect_left(self.offsets, position)
        return self.records[at : at + most]


class Topic:
    """The topic of the orders."""

    def __init__(self, world: World, partitions: int) -> None:
        """Begin with empty partitions."""
        self._world = world
        self._random = world.stream("topic")
        self.partitions = [Partition() for _ in range(partitions)]
        self.readers: list[Client] = []

    def append(self, partition: int, value: bytes | None) -> RawRecord:
        """Append a record; readers hear of it a moment later."""
        log = self.partitions[partition]
        record = RawRecord(TopicPartition(TOPIC, partition), log.end, None, value, (), self._world.now_ms())
        log.records.append(record)
        log.offsets.append(log.end)
        self._extend(partition, 1)
        return record

    def skip(self, partition: int, offsets: int) -> None:
        """Use up offsets without records, as compaction and transaction markers do."""
        self._extend(partition, offsets)

    def _extend(self, partition: int, offsets: int) -> None:
        self.partitions[partition].end += offsets
        in_world(self._random.uniform(0.001, 0.05), self._tell_readers, partition)

    def _tell_readers(self, partition: int) -> None:
        for reader in self.readers:
            reader.has_news(partition)


class Group:
    """The coordinator; partitions go by their numbers."""

    def __init__(self, world: World, topic: Topic, session_seconds: float) -> None:
        """Begin without members."""
        self._world = world
        self._topic = topic
        self._random = world.stream("group")
        self._session_seconds = session_seconds
        self.committed: dict[int, Committed] = {}
        self.members: dict[int, Client] = {}
        self.owners: dict[int, int] = {}
        self.accepted: Callable[[Client, Mapping[int, Committed]], None] = lambda *_: None
        self.is_restless = False
        self._targets: dict[int, int] = {}
        self._asked: set[int] = set()
        self._awaited: Client | None = None
        self._joined = 0

    # Requests of members.

    def join(self, client: Client) -> int:
        """Take a member in and return its id."""
        self._joined += 1
        self.members[self._joined] = client
        self._world.note("joined", client.name, self._joined)
        if client is self._awaited:
            self._awaited = None
        if client.is_silent():  # It was frozen, or died, while its request was on the way.
            self.silent(client, client.is_silent)
        self.rebalance()
        return self._joined

    def leave(self, member: int) -> None:
        """Let a member go, with all that it has."""
        if self.members.pop(member, None) is not None:
            self._world.note("left", member)
            self._free(partition for partition, owner in self.owners.items() if owner == member)
            self.rebalance()

    def released(self, member: int, partitions: Iterable[int]) -> None:
        """Take partitions back from a member that has let go of them."""
        self._free(each for each in partitions if self.owners.get(each) == member)
        self.rebalance()

    def commit(self, member: int, offsets: Mapping[int, Committed]) -> KafkaError | None:
        """Keep offsets if a member asks for it; the error is the same for all of them."""
        client = self.members.get(member)
        if client is None:
            return KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "Broker: Unknown member")
        if self._asked and self._random.random() < 0.1:
            return KafkaError(KafkaError.REBALANCE_IN_PROGRESS, "Broker: Group rebalance in progress")
        self._world.note("committed", client.name, sorted((each, offset) for each, (offset, _) in offsets.items()))
        self.accepted(client, offsets)
        self.committed.update(offsets)
        return None

    # What happens to members.

    def silent(self, client: Client, is_silent: Callable[[], bool]) -> None:
        """Note that a member is not heard of from now on; it is expelled if that lasts."""
        member = self._id_of(client)
        if member is not None:
            last_heard = self._random.uniform(0.0, HEARTBEAT_SECONDS)
            in_world(self._session_seconds - last_heard, self._expire, member, is_silent)

    def expel(self, client: Client) -> None:
        """Take a member out of the group; it learns that later."""
        member = self._id_of(client)
        if member is not None:
            self._world.note("expelled", client.name, member)
            del self.members[member]
            self._free(partition for partition, owner in self.owners.items() if owner == member)
            client.expel()
            self.rebalance()

    def forget(self, client: Client) -> None:
        """Take a member out whose session is not over; nobody gets anything before that, but itself when it is back."""
        self._awaited = client
        self.expel(client)
        in_world(self._session_seconds, self._await_no_more, client)

    def _await_no_more(self, client: Client) -> None:
        if self._awaited is client:
            self._awaited = None
            self.rebalance()

    def _expire(self, member: int, is_silent: Callable[[], bool]) -> None:
        client = self.members.get(member)
        if client is None or not is_silent():
            return
        if not self._world.kafka_up.is_up:
            # A coordinator that was away gives everybody a new session.
            self._world.kafka_up.when_up(lambda: in_world(self._session_seconds, self._expire, member, is_silent))
            return
        self.expel(client)

    def _id_of(self, client: Client) -> int | None:
        return next((each for each, there in self.members.items() if there is client), None)

    def _free(self, partitions: Iterable[int]) -> None:
        for each in [*partitions]:
            del self.owners[each]
            self._asked.discard(each)

    # Who has what.

    def rebalance(self) -> None:
        """Give out what nobody has, and ask for what somebody else shall have."""
        self._choose_targets()
        grants: dict[int, list[int]] = {}
        asks: dict[int, list[int]] = {}
        for partition, target in self._targets.items():
            owner = self.owners.get(partition)
            if owner is None:
                self.owners[partition] = target
                grants.setdefault(target, []).append(partition)
            elif owner != target and partition not in self._asked:
                self._asked.add(partition)
                asks.setdefault(owner, []).append(partition)
        for member, partitions in asks.items():
            self.members[member].tell(Revoke(tuple(partitions)))
        for member, partitions in grants.items():
            self.members[member].tell(Assign(tuple(partitions)))

    def _choose_targets(self) -> None:
        """Spread the partitions evenly; who has one keeps it, unless the group is restless."""
        members = sorted(each for each, client in self.members.items() if self._awaited in {None, client})
        count = len(self._topic.partitions)
        if not members:
            self._targets = {}
            return
        most = -(-count // len(members))
        kept: dict[int, list[int]] = {member: [] for member in members}
        left: list[int] = []
        for partition in range(count):
            target = self._targets.get(partition)
            is_kept = target in kept and len(kept[target]) < most and not self.is_restless
            (kept[target] if is_kept and target is not None else left).append(partition)
        if self.is_restless:
            self.is_restless = False
            self._random.shuffle(members)
        for partition in left:
            kept[min(members, key=lambda member: len(kept[member]))].append(partition)
        self._targets = {partition: member for member, partitions in kept.items() for partition in partitions}
