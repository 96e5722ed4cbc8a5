# SPDX-License-Identifier: Apache-2.0
"""A connector at work as its users run it: real processes, a real Kafka, a sandbox; and the evidence of it.

Owns the topics, the settings and the processes of one test. Every process is ended with the test, whatever happens;
its log is shown when it fails.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.cimpl import NewPartitions

from connector.demo.parts import API_KEY, Connector, start_connector, start_sandbox
from connector.demo.topics import GroupOffsets, Record, read_all
from tests.support.kafka_broker import unique_topic
from tests.support.oracle import Evidence
from tests.support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from confluent_kafka import KafkaError, Message

    from tests.support.generator import Produced
    from tests.support.kafka_broker import Broker
    from tests.support.oracle import Disturbance

PARTITIONS = 4
LEDGER_PARTITIONS = 4
_REQUEST_SECONDS = 15.0
_LARGEST_BYTES = 100_000_000
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    # The least that a broker takes; how long the partitions of a killed member stay orphaned.
    "kafka": {"session_timeout_ms": 6_000},
    "button": {
        "api_key": API_KEY,
        "request_timeout_seconds": 2,
        "connect_timeout_seconds": 1,
        # How long events that are told again wait where a cancel was lost with whoever was killed; the sandbox is never
        # behind itself.
        "visibility_seconds": 1,
    },
    "delivery": {"drain_seconds": 11, "shutdown_seconds": 15},
    # The events of plans that are the same for ever have times that grow old.
    "ledger": {"partitions": LEDGER_PARTITIONS, "horizon_days": 3_650},
    "log": {"format": "json"},
}
_PARTITION = re.compile(r"/(\d+)")
_CHANGES = {
    "partitions assigned": set.update,
    "partitions revoked": set.difference_update,
    "partitions lost": set.difference_update,
}


def now_ms() -> float:
    """Return the machine's monotonic clock in milliseconds, which the sandbox's log uses, too."""
    return time.monotonic() * 1000


class World:
    """One test's topics and processes."""

    def __init__(  # noqa: PLR0913  each has a default
        self,
        broker: Broker,
        folder: Path,
        switches: Mapping[str, object] | None = None,
        *,
        partitions: int = PARTITIONS,
        events_config: Mapping[str, str] | None = None,
        dead_letters_config: Mapping[str, str] | None = None,
    ) -> None:
        """Create the topics and start the sandbox; connectors are started by :meth:`connector`."""
        self._folder = folder
        self._connectors = 0
        self.broker = broker
        self.partitions = partitions
        self.group = unique_topic("group")
        self.events = broker.create_topic(unique_topic("events"), partitions, events_config)
        self.sessions = broker.create_topic(unique_topic("sessions"), 2, {"cleanup.policy": "compact"})
        self.dead_letters = broker.create_topic(unique_topic("dead-letters"), config=dead_letters_config)
        self.ledger = unique_topic("orders")
        """The ledger's topic, which the first connector makes."""
        self.placed: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        """Where the events of each order lie: partition and offset, in their order."""
        self._admin = broker.admin()
        self._producer = self._new_producer()
        with ExitStack() as stack:
            self.offsets = GroupOffsets(broker.bootstrap_servers, self.group, self.events, partitions)
            stack.callback(self.offsets.close)
            self.sandbox = start_sandbox(stack, folder, switches or {})
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        """Return this world."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every process."""
        self._stack.close()

    def _new_producer(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self.broker.bootstrap_servers,
                "linger.ms": 5,
                "log_level": 2,
                "enable.idempotence": True,
                "message.max.bytes": _LARGEST_BYTES,
            },
        )

    def connector(
        self,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        program: Sequence[str] = ("-m", "connector"),
        is_ready: bool = True,
    ) -> Connector:
        """Start a connector and return when it is ready, if it shall be.

        ``settings`` by area go over the usual ones; ``None`` takes a usual one away.
        """
        self._connectors += 1
        name = f"connector-{self._connectors}"
        all_settings = self.settings(settings or {})
        connector = start_connector(self._stack, self._folder, all_settings, name=name, program=program)
        if is_ready:
            connector.wait_until_ready()
        return connector

    def settings(self, changes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the settings of a connector of this world, by area, with ``changes`` over the usual ones."""
        of_this_world = self.addresses()
        areas = SETTINGS.keys() | of_this_world.keys() | changes.keys()
        merged = {
            area: {**SETTINGS.get(area, {}), **of_this_world.get(area, {}), **changes.get(area, {})} for area in areas
        }
        return {area: {name: value for name, value in merged[area].items() if value is not None} for area in areas}

    def addresses(self) -> dict[str, dict[str, Any]]:
        """Return the settings that say where everything of this world is."""
        return {
            "kafka": {
                "bootstrap_servers": self.broker.bootstrap_servers,
                "group_id": self.group,
                "topics": [self.events],
            },
            "sessions": {"topic": self.sessions},
            "dead_letters": {"topic": self.dead_letters},
            "ledger": {"topic": self.ledger},
            "button": {"base_url": self.sandbox.url},
        }

    def produce(self, records: Iterable[Produced], topic: str | None = None) -> None:
        """Write records to the events' topic, or another, and return when they are there."""
        for record in records:
            self._producer.produce(
                topic or self.events,
                record.value,
                record.key,
                -1 if record.partition is None else record.partition,
                headers=list(record.headers),
                on_delivery=partial(self._place, record.order_id),
            )
            self._producer.poll(0)
        left = self._producer.flush(30)
        assert left == 0, f"{left} records were not written"

    def _place(self, order_id: str | None, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        if order_id is not None:
            self.placed[order_id].append((message.partition() or 0, message.offset() or 0))

    def add_partitions(self, count: int) -> None:
        """Let the events' topic have so many partitions in all; keys move."""
        added = NewPartitions(self.events, count)
        self._admin.create_partitions([added])[self.events].result(_REQUEST_SECONDS)
        self.partitions = count
        self._producer = self._new_producer()  # the old one would not notice for a while
        self.offsets = GroupOffsets(self.broker.bootstrap_servers, self.group, self.events, count)
        self._stack.callback(self.offsets.close)
        wait_until(self._has_all_partitions, _REQUEST_SECONDS, awaiting=f"{count} partitions")

    def rewind(self) -> None:
        """Let the group, which must have no members, read everything again."""
        starts = [TopicPartition(self.events, partition, 0) for partition in range(self.partitions)]
        asked = [ConsumerGroupTopicPartitions(self.group, starts)]
        self._admin.alter_consumer_group_offsets(asked)[self.group].result(_REQUEST_SECONDS)

    def _has_all_partitions(self) -> bool:
        topic = self._producer.list_topics(self.events, timeout=_REQUEST_SECONDS).topics[self.events]
        return len(topic.partitions) == self.partitions

    def produce_at_pace(self, records: Sequence[Produced], per_second: float, *watched: Connector) -> None:
        """Write records evenly over time, while the ``watched`` must go on."""
        started, written = time.monotonic(), 0
        while written < len(records):
            due = min(len(records), int((time.monotonic() - started) * per_second) + 1)
            self.produce(records[written:due])
            written = due
            for connector in watched:
                connector.child.check()
            time.sleep(0.02)

    def wait_for_commits(self, records: int, *watched: Connector) -> None:
        """Return when so many more records are committed than now, while the ``watched`` must go on."""
        enough = sum(self.offsets.committed().values()) + records

        def is_enough() -> bool:
            for connector in watched:
                connector.child.check()
            return sum(self.offsets.committed().values()) >= enough

        wait_until(is_enough, 40, awaiting=f"{records} more committed records")

    def wait_until_at_rest(self, seconds: float, *watched: Connector) -> None:
        """Return when everything is committed, while the ``watched`` must go on."""

        def is_at_rest() -> bool:
            for connector in watched:
                connector.child.check()
            return self.offsets.committed() == self.offsets.ends()

        wait_until(is_at_rest, seconds, awaiting="the committed offsets to be the ends", interval_seconds=0.1)

    def read_dead_letters(self) -> list[Record]:
        """Return the dead letters that are there now."""
        return read_all(self.broker.bootstrap_servers, {self.dead_letters: 1})

    def read_ledger(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the newest fact of each event by order and event, as it lies in the ledger's topic."""
        facts: dict[str, dict[str, dict[str, Any]]] = {}
        for record in read_all(self.broker.bootstrap_servers, {self.ledger: LEDGER_PARTITIONS}):
            key = json.loads(record.key or b"[]")
            if len(key) > 1 and record.value is not None:
                facts.setdefault(key[0], {})[" ".join(key[1:])] = json.loads(record.value)
        return facts

    def members_with_partitions(self) -> int:
        """Count the group's members that own at least one partition; 0 while the group rebalances."""
        group = self._admin.describe_consumer_groups([self.group])[self.group].result(_REQUEST_SECONDS)
        if group.state.name != "STABLE":
            return 0
        return sum(bool(member.assignment.topic_partitions) for member in group.members)

    @staticmethod
    def owned_partitions(connector: Connector) -> frozenset[int]:
        """Return the partitions that a connector has, by its own log."""
        owned: set[int] = set()
        for line in connector.child.read_log().splitlines():
            said = json.loads(line) if line.startswith("{") else {}
            change = _CHANGES.get(said.get("event", ""))
            if change is not None:
                change(owned, {int(_PARTITION.findall(name)[0]) for name in said["partitions"]})
        return frozenset(owned)

    def evidence(self, disturbances: Sequence[Disturbance] = ()) -> Evidence:
        """Collect what there is now."""
        return Evidence(
            orders=self.sandbox.control.orders(),
            requests=self.sandbox.control.requests(),
            input=read_all(self.broker.bootstrap_servers, {self.events: self.partitions}),
            dead_letters=self.read_dead_letters(),
            committed=self.offsets.committed(),
            ends=self.offsets.ends(),
            disturbances=disturbances,
        )
