# SPDX-License-Identifier: Apache-2.0
"""The order ledger on a real broker: the contract, and what only a broker can do to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from connector.kafka.follower import TopicFollower
from connector.kafka.ledger_log import LedgerLog, LedgerLogOptions
from connector.kafka.ledger_topic import LedgerTopicOptions, open_ledger_topic
from connector.kafka.options import FollowerOptions, KafkaConnection
from connector.tables.fact_codec import encode_fact, key_of, partition_of
from connector.tables.global_table import TableOptions
from connector.tables.ledger_identity import Takeover
from connector.tables.orders import LedgerOptions, Orders
from connector.tables.store import StoreOptions
from tests.contract.ledger_contract import NOW_MS, ORDER, LedgerContract, purchase, refund
from tests.integration.kafka.parts import Observations, member, options
from tests.support.kafka_broker import unique_topic
from tests.support.ledgers import SetClock
from tests.support.polling import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from connector.domain.facts import Fact
    from tests.support.kafka_broker import Broker

PARTITIONS = 3
COMPACTED = {"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000", "max.message.bytes": "2000000"}


class KafkaReplicas:
    """Replicas of one topic, each with clients and a table of its own."""

    def __init__(self, broker: Broker, topic: str, directory: Path) -> None:
        """Use the topic as it is."""
        self.observations = Observations()
        self._connection = KafkaConnection(broker.bootstrap_servers)
        self._topic = topic
        self._directory = directory
        self._open: list[tuple[Orders, LedgerLog]] = []
        self._late = LedgerLog(LedgerLogOptions(self._connection, topic, linger_ms=1), self.observations)

    def put_together(self) -> tuple[Orders, LedgerLog, TopicFollower]:
        """Return a replica that is not started."""
        number = len(self._open)
        log = LedgerLog(LedgerLogOptions(self._connection, self._topic, linger_ms=2), self.observations)
        reading = FollowerOptions(self._connection, self._topic, "ledger", "ledger.topic", fetch_wait_max_ms=10)
        follower = TopicFollower(reading, self.observations)
        table = TableOptions("ledger", StoreOptions(self._directory / f"replica-{number}", "tables.directory"))
        told = LedgerOptions(self._topic, PARTITIONS, Takeover("group"), 100.0)
        orders = Orders(told, (table, follower), log, SetClock(NOW_MS), self.observations)
        self._open.append((orders, log))
        return orders, log, follower

    async def open(self) -> Orders:
        """Return a new replica that has caught up."""
        orders, *_ = self.put_together()
        orders.start(asyncio.get_running_loop())
        await asyncio.wait_for(orders.caught_up(), 30)
        return orders

    async def append_late(self, order_id: str, fact: Fact) -> None:
        """Put into the log what a writer that is dead by now had sent."""
        self._late.append(partition_of(order_id, PARTITIONS), key_of(order_id, fact), encode_fact(fact), NOW_MS)
        assert await self._late.close(20.0) == 0
        self._late = LedgerLog(LedgerLogOptions(self._connection, self._topic, linger_ms=1), self.observations)

    async def close(self) -> None:
        """Stop all replicas."""
        await self._late.close(0.0)
        for orders, log in self._open:
            await orders.stop()
            await log.close(1.0)


class TestLedgerOnKafka(LedgerContract):
    """Every case, on a topic of a real broker."""

    @pytest.fixture
    async def replicas(self, kafka: Broker, tmp_path: Path) -> AsyncIterator[KafkaReplicas]:
        """Give replicas that are stopped at the end."""
        topic = kafka.create_topic(unique_topic("ledger"), PARTITIONS, COMPACTED)
        replicas = KafkaReplicas(kafka, topic, tmp_path)
        yield replicas
        await replicas.close()


async def test_facts_outlast_a_broker(own_kafka: Broker, tmp_path: Path) -> None:
    """A broker that dies under them costs time; each is answered once it is read back [26, 30]."""
    topic = own_kafka.create_topic(unique_topic("ledger"), PARTITIONS, COMPACTED)
    replicas = KafkaReplicas(own_kafka, topic, tmp_path)
    ledger = await replicas.open()
    assert await ledger.append(ORDER, purchase("p")) is True
    own_kafka.kill()
    answers = [asyncio.ensure_future(ledger.append(f"M-{each}", purchase(f"p{each}"))) for each in range(20, 40)]
    await asyncio.to_thread(own_kafka.restart)
    assert await asyncio.wait_for(asyncio.gather(*answers), 60) == [True] * 20
    assert await ledger.append(ORDER, refund("r", "p", base=ledger.read(ORDER).last)) is True
    await replicas.close()


def _topic(broker: Broker, **changes: object) -> LedgerTopicOptions:
    source = broker.create_topic(unique_topic("source"), 1, {"retention.ms": str(7 * 86_400_000)})
    letters = broker.create_topic(unique_topic("letters"), 1, {"retention.ms": str(30 * 86_400_000)})
    defaults: dict[str, object] = {
        "connection": KafkaConnection(broker.bootstrap_servers),
        "topic": unique_topic("ledger"),
        "group_id": unique_topic("group"),
        "is_created": True,
        "partitions": PARTITIONS,
        "replication_factor": None,
        "horizon_days": 60.0,
        "sources": (source,),
        "dead_letters": letters,
    }
    return LedgerTopicOptions(**{**defaults, **changes})  # type: ignore[arg-type]  # named as the class does


def test_a_missing_topic_is_created_as_it_has_to_be(kafka: Broker) -> None:
    """Whoever has the right needs to do nothing; a second replica finds it in order."""
    told = _topic(kafka)
    assert open_ledger_topic(told) == (PARTITIONS, ())
    assert open_ledger_topic(told) == (PARTITIONS, ())


def test_a_missing_topic_that_may_not_be_created_stops_the_start(kafka: Broker) -> None:
    """The message has the settings with which an operator creates it."""
    (problem,) = open_ledger_topic(_topic(kafka, is_created=False)).problems
    assert (problem.setting, problem.may_pass) == ("ledger.topic", False)
    assert "cleanup.policy=compact" in problem.message
    assert "3 partitions" in problem.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cleanup.policy": "delete"}, "is not compacted (cleanup.policy is delete)"),
        ({"cleanup.policy": "compact,delete"}, "deletes by age besides being compacted"),
        ({"max.message.bytes": "1048588"}, "Raise it to 1572882"),
    ],
)
def test_a_topic_that_would_lose_facts_stops_the_start(kafka: Broker, changes: dict[str, str], message: str) -> None:
    """By age, or because the largest would not fit."""
    topic = kafka.create_topic(unique_topic("ledger"), PARTITIONS, {**COMPACTED, **changes})
    (problem,) = open_ledger_topic(_topic(kafka, topic=topic)).problems
    assert (problem.setting, problem.may_pass) == ("ledger.topic", False)
    assert message in problem.message


def test_a_topic_that_compacts_at_once_is_warned_of(kafka: Broker) -> None:
    """An entry that is gone before every replica has read it cannot be judged; most of the time it is there."""
    topic = kafka.create_topic(unique_topic("ledger"), PARTITIONS, {**COMPACTED, "min.compaction.lag.ms": "0"})
    (problem,) = open_ledger_topic(_topic(kafka, topic=topic)).problems
    assert (problem.setting, problem.may_pass) == ("ledger.topic", True)
    assert "Set it to 86400000" in problem.message


def test_the_horizon_must_outlast_what_can_be_replayed(kafka: Broker) -> None:
    """Seven days in the source and thirty as a dead letter are 37 days."""
    (problem,) = open_ledger_topic(_topic(kafka, horizon_days=36.9)).problems
    assert (problem.setting, problem.may_pass) == ("ledger.horizon_days", False)
    assert "37 days together" in problem.message
    assert "Raise it to 37" in problem.message
    assert open_ledger_topic(_topic(kafka, horizon_days=37.0)).problems == ()


def test_topics_without_an_end_are_warned_of(kafka: Broker) -> None:
    """No horizon outlasts them; what comes too late is a dead letter, and that is said before it happens."""
    letters = kafka.create_topic(unique_topic("letters"), 1, {"retention.ms": "-1"})
    (problem,) = open_ledger_topic(_topic(kafka, dead_letters=letters)).problems
    assert (problem.setting, problem.may_pass) == ("ledger.horizon_days", True)
    assert "keeps its records for ever" in problem.message


async def test_a_ledger_is_not_handed_over_by_a_group_that_still_lives(kafka: Broker) -> None:
    """Its members would go on telling; when they are gone, it is."""
    told = _topic(kafka)
    reading = options(kafka, told.sources[0])
    taking = _topic(kafka, hand_over_from=reading.group_id)
    async with member(reading) as running:
        await eventually(lambda: running.intake.starts, 30)
        (problem,) = (await asyncio.to_thread(open_ledger_topic, taking)).problems
        assert (problem.setting, problem.may_pass) == ("ledger.hand_over_from", False)
        assert "has 1 member(s) still" in problem.message
    assert (await asyncio.to_thread(open_ledger_topic, taking)).problems == ()
