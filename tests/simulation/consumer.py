# SPDX-License-Identifier: Apache-2.0
"""The Kafka client of a simulated process: what ``confluent_kafka.Consumer`` is to the connector's poll thread.

Owns the client's manners, as far as the connector meets them: callbacks run on the thread that polls, within its call;
an answer to an asynchronous commit comes only while the client is polled; what is fetched is asked of nobody but the
log, so an expelled member goes on receiving until it hears of it; a request blocks until it is answered or has timed
out, and an answer may get lost behind what it answers.
"""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from tests.simulation.brokers import HEARTBEAT_SECONDS, TOPIC, Assign, Committed, Revoke
from tests.simulation.lockstep import thread_of
from tests.simulation.scheduler import in_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from connector.engine.ports import RawRecord
    from tests.simulation.brokers import Group, Topic
    from tests.simulation.scheduler import Process
    from tests.simulation.world import World

_LOOK_AGAIN_SECONDS = 0.5
"""How long a poll that finds nothing takes at least; the chores between two polls are all that it puts off."""
_REQUEST_SECONDS = 6.0


class Element(NamedTuple):
    """A partition in an answer, as the client shows it."""

    topic: str
    partition: int
    offset: int = -1001
    metadata: str | None = None
    error: KafkaError | None = None


class Lost(NamedTuple):
    """The client has learned that it is no member any more."""


class CommitAnswered(NamedTuple):
    """The answer to an asynchronous commit."""

    error: KafkaError | None
    partitions: list[Element]


class Message:
    """A record as the client hands it out."""

    __slots__ = ("_record",)

    def __init__(self, record: RawRecord) -> None:
        """Wrap a record."""
        self._record = record

    def __len__(self) -> int:
        """Return the size of the value."""
        return len(self._record.value or b"")

    def error(self) -> None:
        """Return that nothing is wrong with it."""

    def topic(self) -> str:
        """Return the topic."""
        return self._record.topic_partition.topic

    def partition(self) -> int:
        """Return the partition."""
        return self._record.topic_partition.partition

    def offset(self) -> int:
        """Return the offset."""
        return self._record.offset

    def key(self) -> bytes | None:
        """Return the key."""
        return self._record.key

    def value(self) -> bytes | None:
        """Return the value."""
        return self._record.value

    def headers(self) -> None:
        """Return that there are none."""

    def timestamp(self) -> tuple[int, int]:
        """Return kind and time."""
        return 1, self._record.timestamp_ms


class Reach:
    """What a process can reach: it may be cut off from the coordinator while it goes on fetching."""

    def __init__(self) -> None:
        """Reach everything."""
        self.coordinator = True


class SimulatedConsumer:
    """A consumer; its methods are called on the process's thread, but for what the brokers call."""

    def __init__(self, config: Mapping[str, Any], process: Process, brokers: tuple[World, Topic, Group]) -> None:
        """Know the cluster; nothing is joined yet."""
        self._process = process
        self._world, self._topic, self._group = brokers
        self._random = self._world.stream(f"consumer {process.name}")
        self._on_commit: Callable[[KafkaError | None, list[Element]], None] = config["on_commit"]
        self._events: deque[Assign | Revoke | Lost | CommitAnswered] = deque()
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._member: int | None = None
        self._is_closed = False
        self._last_lands_at = 0.0
        self.reach = Reach()
        self.stale_partitions: int | None = None

    @property
    def name(self) -> str:
        """Return the process's name."""
        return self._process.name

    # What the brokers call.

    def tell(self, message: Assign | Revoke) -> None:
        """Take a message of the coordinator."""
        self._events.append(message)
        in_world(self._delay(), self._notify)

    def has_news(self, partition: int) -> None:
        """Take note that something can be fetched."""
        if partition in self._positions:
            self._notify()

    def expel(self) -> None:
        """Have the next heartbeat answered with an unknown member: some time after the process stands still no more."""
        member = self._member
        self._process.soon(
            lambda: self._process.later(self._random.uniform(0.0, HEARTBEAT_SECONDS), self._hear_of_it, member),
        )

    def _hear_of_it(self, member: int | None) -> None:
        if self._member != member or self._is_closed:
            return
        if not (self.reach.coordinator and self._world.kafka_up.is_up):
            self._process.later(HEARTBEAT_SECONDS, self._hear_of_it, member)
            return
        self._member = None
        answers = [each for each in self._events if isinstance(each, CommitAnswered)]
        self._events = deque([*answers, Lost()])
        self._notify()

    def is_silent(self) -> bool:
        """Return whether the coordinator hears nothing of this member."""
        return self._process.is_frozen or self._process.is_dead or not self.reach.coordinator

    # What the poll thread calls.

    def subscribe(
        self,
        topics: Sequence[str],
        on_assign: Callable[..., None],
        on_revoke: Callable[..., None],
        on_lost: Callable[..., None],
    ) -> None:
        """Join the group."""
        del topics
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._topic.readers.append(self)
        self._rejoin()

    def poll(self, timeout: float) -> Message | None:
        """Serve callbacks, and return a record if there is one before the time is over."""
        found = self._take(1)
        if not found and timeout > 0 and not self._events:
            self._wait(max(timeout, _LOOK_AGAIN_SECONDS))
            found = self._take(1)
        return found[0] if found else None

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        """Return what has been fetched."""
        del timeout
        return self._take(self._random.randint(1, num_messages))

    def pause(self, partitions: Iterable[Any]) -> None:
        """Fetch nothing more of these."""
        self._paused.update(each.partition for each in partitions)

    def resume(self, partitions: Iterable[Any]) -> None:
        """Fetch these again."""
        self._paused.difference_update(each.partition for each in partitions)

    def position(self, partitions: Iterable[Any]) -> list[Element]:
        """Return where reading has got: past what does not exist, too."""
        positions = []
        for each in partitions:
            at = self._positions.get(each.partition, -1001)
            log = self._topic.partitions[each.partition]
            if at >= 0 and each.partition not in self._paused and not log.read(at, 1):
                at = self._positions[each.partition] = max(at, log.end)
            positions.append(Element(TOPIC, each.partition, at))
        return positions

    def incremental_assign(self, partitions: Iterable[Any]) -> None:
        """Begin to fetch."""
        self._positions.update((each.partition, each.offset) for each in partitions)

    def incremental_unassign(self, partitions: Iterable[Any]) -> None:
        """Fetch no more, and let the coordinator know."""
        gone = [each.partition for each in partitions]
        for each in gone:
            self._positions.pop(each, None)
        if gone and self._member is not None and not self._process.is_dead:
            self._ask(self._group.released, self._member, gone)

    def get_watermark_offsets(self, partition: Any, timeout: float = 0.0, *, cached: bool = False) -> tuple[int, int]:  # noqa: ANN401  a partition of the client's
        """Return the ends of a partition."""
        log = self._topic.partitions[partition.partition]
        if not cached:
            self._request(lambda: None, timeout)
        return (log.offsets[0] if log.offsets else log.end), log.end

    def committed(self, partitions: Sequence[Any], timeout: float) -> list[Element]:
        """Return what the group holds."""
        held: dict[int, Committed] = self._request(lambda: dict(self._group.committed), timeout)
        elements = []
        for each in partitions:
            there = held.get(each.partition)
            offset, metadata = (-1001, None) if there is None else there
            elements.append(Element(TOPIC, each.partition, offset, metadata))
        return elements

    def list_topics(self, timeout: float) -> SimpleNamespace:
        """Return the topic with the partitions that this client has heard of."""
        count: int = self._request(lambda: len(self._topic.partitions), timeout)
        seen = min(count, self.stale_partitions or count)
        topic = SimpleNamespace(error=None, partitions=dict.fromkeys(range(seen)))
        return SimpleNamespace(topics={TOPIC: topic})

    def commit(self, offsets: Sequence[Any], *, asynchronous: bool) -> list[Element] | None:
        """Commit exactly these offsets; the answer to an asynchronous one comes by polling."""
        asked = {each.partition: Committed(each.offset, each.metadata) for each in offsets}
        elements = [Element(TOPIC, each, offset, metadata) for each, (offset, metadata) in asked.items()]
        member = self._member
        if asynchronous:
            if not self._process.is_dead:
                self._ask(self._land_commit, member, asked, elements)
            return None
        error = self._request(lambda: self._group.commit(member or 0, asked), _REQUEST_SECONDS)
        if error is not None:
            raise KafkaException(error)
        return elements

    def close(self) -> None:
        """Give everything back and leave the group."""
        if self in self._topic.readers:
            self._topic.readers.remove(self)
        if self._positions:
            self._on_revoke(self, [Element(TOPIC, each) for each in self._positions])
        while self._events:
            event = self._events.popleft()
            if isinstance(event, CommitAnswered):
                self._on_commit(event.error, event.partitions)
        self._is_closed = True
        if self._member is not None and not self._process.is_dead:
            self._ask(self._group.leave, self._member)

    # How it is done.

    def _delay(self) -> float:
        return self._random.uniform(0.001, 0.03)

    def _ask(self, function: Callable[..., object], *arguments: object) -> None:
        """Send the coordinator a request; those of one client arrive in order."""
        now = self._world.now()
        self._last_lands_at = max(now + self._delay(), self._last_lands_at + 0.000_001)
        in_world(self._last_lands_at - now, function, *arguments)

    def _notify(self) -> None:
        thread = thread_of(self._process)
        if thread is not None:
            thread.notify()

    def _wait(self, seconds: float) -> None:
        thread = thread_of(self._process)
        assert thread is not None
        thread.wait(seconds)

    def _rejoin(self) -> None:
        if not self._process.is_dead:
            in_world(self._delay(), self._world.kafka_up.when_up, self._join)

    def _join(self) -> None:
        if self._process.is_dead or self._is_closed:
            return
        if not self.reach.coordinator:
            in_world(HEARTBEAT_SECONDS, self._join)
            return
        self._member = self._group.join(self)

    def _take(self, most: int) -> list[Message]:
        while self._events:
            self._serve(self._events.popleft())
        if not self._world.kafka_up.is_up:
            return []
        found: list[Message] = []
        partitions = [each for each in self._positions if each not in self._paused]
        self._random.shuffle(partitions)
        for each in partitions:
            records = self._topic.partitions[each].read(self._positions[each], most - len(found))
            if records:
                self._positions[each] = records[-1].offset + 1
                found += map(Message, records)
        return found

    def _serve(self, event: Assign | Revoke | Lost | CommitAnswered) -> None:
        match event:
            case Assign(partitions=partitions):
                self._on_assign(self, [Element(TOPIC, each) for each in partitions])
            case Revoke(partitions=partitions):
                owned = [Element(TOPIC, each) for each in partitions if each in self._positions]
                if owned:
                    self._on_revoke(self, owned)
            case Lost():
                if self._positions:
                    self._on_lost(self, [Element(TOPIC, each) for each in self._positions])
                self._rejoin()
            case CommitAnswered(error=error, partitions=elements):
                self._on_commit(error, elements)

    def _land_commit(self, member: int | None, asked: dict[int, Committed], elements: list[Element]) -> None:
        if not (self._world.kafka_up.is_up and self.reach.coordinator):
            error = KafkaError(KafkaError.REQUEST_TIMED_OUT, "Broker: Request timed out")
            in_world(_REQUEST_SECONDS, self._answer_commit, error, elements)
            return
        refused = self._group.commit(member or 0, asked)
        if refused is None and self._random.random() < 0.02:
            refused = KafkaError(KafkaError.REQUEST_TIMED_OUT, "Broker: Request timed out")
        in_world(self._delay(), self._answer_commit, refused, elements)

    def _answer_commit(self, error: KafkaError | None, elements: list[Element]) -> None:
        self._events.append(CommitAnswered(error, [each._replace(error=error) for each in elements]))
        self._notify()

    def _request(self, function: Callable[[], Any], timeout: float) -> Any:  # noqa: ANN401  whatever is asked for
        """Ask the coordinator, and block until it answers; raise when it does not."""
        answers: list[Any] = []

        def land() -> None:
            if self._world.kafka_up.is_up and self.reach.coordinator:
                answers.append(function())
                in_world(self._delay(), self._notify)

        if not self._process.is_dead:
            self._ask(land)
        deadline = self._world.now() + (timeout or _REQUEST_SECONDS)
        while not answers:
            left = deadline - self._world.now()
            if left <= 0:
                raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT, "Broker: Request timed out"))
            self._wait(left)
        return answers[0]
