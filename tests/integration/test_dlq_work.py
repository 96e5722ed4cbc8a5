# SPDX-License-Identifier: Apache-2.0
"""What a replay and a drop write and what they leave alone: with the real clients, on a Kafka in memory."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from connector.demo.parts import start_kafka
from connector.demo.topics import read_all
from connector.dlq import work
from connector.dlq.asking import asking_of
from connector.dlq.choosing import Filter
from connector.dlq.content import original_of
from connector.dlq.work import Wishes
from connector.domain.dead_letter import HEADER_PREFIX
from connector.domain.facts import Fact, Mark, MarkKind, Position
from connector.domain.replays import Replay, replay_of
from connector.engine.ports import RawRecord, TopicPartition
from connector.kafka.dead_letters import KafkaDeadLetters
from connector.kafka.group_progress import GroupProgress
from connector.kafka.letters import State
from connector.kafka.options import DeadLetterOptions, KafkaConnection
from connector.kafka.origins import named
from connector.settings import Settings
from connector.tables.fact_codec import encode_fact, key_of, partition_of
from tests.support.command_line import call, settings_file
from tests.support.letters import letter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from connector.dlq.asking import Asking
    from connector.domain.dead_letter import DeadLetter
    from tests.support.command_line import Done

EVENTS, LETTERS, LEDGER = "orders", "dead-letters", "ledger"
PARTITIONS = {EVENTS: 2, LETTERS: 1, LEDGER: 4}
ALL = Filter()
NOBODY_WAITS = Wishes(wait_seconds=None)
TRACE = ("trace", b"t")


class Topics:
    """The topics of a test: what a shop, a connector and somebody with a command write there."""

    def __init__(self, address: str, folder: Path) -> None:
        """Take where they are."""
        self._address, self._folder = address, folder
        self._producer = Producer({"bootstrap.servers": address, "log_level": 0, "linger.ms": 0})

    def areas(self, address: str | None = None) -> dict[str, dict[str, object]]:
        """Return settings."""
        return {
            "kafka": {"bootstrap_servers": address or self._address, "topics": [EVENTS], "group_id": "group"},
            "button": {"api_key": "sk-1"},
            "dead_letters": {"topic": LETTERS},
            "ledger": {"topic": LEDGER, "horizon_days": 3_650},
        }

    def asking(self, address: str | None = None, silence_seconds: float = 20.0) -> Asking:
        """Return whom the commands ask."""
        return asking_of(Settings.model_validate(self.areas(address)), silence_seconds, lambda _: None)

    def call(self, *arguments: str) -> Done:
        """Call ``dlq``."""
        return call("dlq", *arguments, "-c", settings_file(self._folder, self.areas()))

    def produce(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> int:
        """Write a record; return its offset."""
        offsets: list[int] = []
        self._producer.produce(
            topic,
            value,
            key,
            partition,
            headers=[TRACE],
            on_delivery=lambda _, message: offsets.append(message.offset() or 0),
        )
        assert self._producer.flush(20) == 0
        return offsets[0]

    def bury(self, said: DeadLetter, value: bytes, *, is_reference: bool = False) -> None:
        """Make a record a dead letter, as the connector does."""
        options = DeadLetterOptions(KafkaConnection(self._address), LETTERS, is_reference)
        record = RawRecord(
            TopicPartition(said.topic, said.partition),
            said.offset,
            said.order_id.encode(),
            value,
            [TRACE],
            1,
        )

        async def write() -> None:
            letters = KafkaDeadLetters(options, lambda _: None)
            await letters.write(record, said)
            assert await letters.close(20) == 0

        asyncio.run(write())

    def park(self, order_id: str, event: Position) -> None:
        """Write the mark of a dead letter into the ledger."""
        mark = Fact(f"event-{event.offset}", Mark(MarkKind.PARKED, "broken"), 1, source=event)
        self.produce(LEDGER, partition_of(order_id, PARTITIONS[LEDGER]), key_of(order_id, mark), encode_fact(mark))

    def marks(self) -> set[bytes]:
        """Return the keys of the marks that are in the ledger."""
        newest = {each.key: each.value for each in read_all(self._address, {LEDGER: PARTITIONS[LEDGER]})}
        return {key for key, value in newest.items() if key is not None and value is not None}

    def written(self) -> list[tuple[int, int, bytes | None, bytes | None, dict[str, str]]]:
        """Return what is in the events' topic: partition, offset, key, value and headers."""
        return [tuple(each)[1:] for each in read_all(self._address, {EVENTS: PARTITIONS[EVENTS]})]  # type: ignore[misc]  # a record's own parts

    def states(self) -> list[State]:
        """Return what became of the letters."""
        return [each.state for each in self.asking().letters()]


@pytest.fixture
def topics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topics]:
    """Give topics of one's own."""
    # A Kafka in memory does not know what ids its topics have.
    monkeypatch.setattr(work, "origins_of", lambda _, names: named(names))
    with ExitStack() as stack:
        _, address = start_kafka(stack, tmp_path, PARTITIONS)
        yield Topics(address, tmp_path)


def event(offset: int, partition: int = 0) -> Position:
    """Return where an event came from."""
    return Position("", EVENTS, EVENTS, partition, offset, 0)


def broken(offset: int, partition: int = 0, order_id: str = "M-1") -> DeadLetter:
    """Return what is said of the event there."""
    return letter(offset=offset, partition=partition, event_index=0, order_id=order_id, record_time_ms=offset + 1)


def test_a_reference_is_replayed_with_the_record_that_it_refers_to(topics: Topics) -> None:
    """Key, value and the producer's headers, read again where the record lies, and none of another's."""
    topics.produce(EVENTS, 1, b"other", b"not this one")
    offset = topics.produce(EVENTS, 1, b"key", b"an event")
    topics.bury(broken(offset, 1), b"an event", is_reference=True)
    report = work.replay(ALL, topics.asking(), NOBODY_WAITS)
    assert (len(report.result.replayed), report.result.failed, report.result.is_done) == (1, [], None)
    *_, (partition, at, key, value, headers) = topics.written()
    assert (partition, at, key, value) == (1, 2, b"key", b"an event")
    assert {name: said for name, said in headers.items() if not name.startswith(HEADER_PREFIX)} == {"trace": "t"}
    replay = replay_of([(name, said.encode()) for name, said in headers.items()])
    assert isinstance(replay, Replay)
    assert (replay.topic, replay.partition, replay.offset, replay.event_index) == (EVENTS, 1, offset, 0)
    assert topics.states() == [State.REPLAYED]


def test_a_reference_whose_record_is_gone_is_left_alone_with_the_way_out(topics: Topics) -> None:
    """The shop has to send it anew; so where another record lies in its place."""
    offset = topics.produce(EVENTS, 0, b"key", b"another event")
    topics.bury(broken(offset), b"an event", is_reference=True)
    topics.bury(broken(77, order_id="M-2"), b"an event", is_reference=True)
    topics.bury(broken(3, partition=9, order_id="M-3"), b"an event", is_reference=True)
    report = work.replay(ALL, topics.asking(), NOBODY_WAITS)
    assert (report.result.replayed, topics.states()) == ([], [State.OPEN] * 3)
    another, beyond, nowhere = (why for _, why in sorted(report.result.failed))
    assert "orders/0 holds another record at offset 0" in another
    assert "orders/0 does not hold its record at offset 77 any more" in beyond
    assert "orders/9 does not hold its record at offset 3 any more" in nowhere
    for why in (another, beyond, nowhere):
        assert why.endswith("send the event anew from the shop, then drop the letter")


def test_a_reference_that_cannot_be_read_now_is_not_said_to_be_gone(topics: Topics) -> None:
    """Who dropped the letter then would lose an order that is still there."""
    offset = topics.produce(EVENTS, 0, b"key", b"an event")
    topics.bury(broken(offset), b"an event", is_reference=True)
    (found,) = topics.asking().letters()
    why = original_of(found, None, topics.asking("127.0.0.1:1", 0.5))
    assert isinstance(why, str)
    assert "its record at offset 0 of orders/0 cannot be read now: orders/0 cannot be read: " in why
    assert "(_TRANSPORT)" in why
    assert "any more" not in why
    assert "Only if the record is gone for good" in why


def test_a_record_of_a_partition_that_is_no_more_goes_where_its_key_belongs(topics: Topics) -> None:
    """Topics that were made anew may have fewer."""
    topics.bury(broken(0, partition=7, order_id="M-2"), b"an event")
    report = work.replay(ALL, topics.asking(), NOBODY_WAITS)
    (replayed,) = report.result.replayed
    # The one that Kafka's own clients choose for this key: murmur2 of "M-2", positive, modulo two.
    assert (replayed.partition, replayed.offset) == (1, 0)
    assert [each[3] for each in topics.written()] == [b"an event"]


def test_who_does_not_wait_writes_all_at_once_and_claims_nothing(topics: Topics) -> None:
    """Also from one partition to another; nobody looks at what came back."""
    for offset, partition in enumerate((0, 1, 0)):
        topics.bury(broken(offset, partition), b"an event")
    done = topics.call("replay", "--all", "--no-wait")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Replayed 3 dead letters of 1 order" in done.stdout
    assert "came to their end" not in done.stdout
    assert sorted(each[0] for each in topics.written()) == [0, 0, 1]


class _Busy(GroupProgress):
    """A group that is done with everything, and meanwhile has made another refund of the order a dead letter."""

    topics: Topics
    parked = 0

    def members(self) -> int:
        return 1

    def committed(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        type(self).parked += 1
        self.topics.bury(broken(100 + self.parked), b"a refund")
        return dict.fromkeys(places, 1_000_000)


def test_what_is_left_after_the_last_round_is_no_success(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop that goes on refunding an order keeps it parked; whoever replays is told, not sent home."""
    monkeypatch.setattr(_Busy, "topics", topics, raising=False)
    monkeypatch.setattr(work, "GroupProgress", _Busy)
    topics.bury(broken(0), b"a purchase")
    done = topics.call("replay", "--all")
    assert (done.returncode, done.stderr) == (1, "")
    assert "Replayed 5 dead letters" in done.stdout
    assert "1 letters more are meant: give the command again" in done.stdout
    assert "came to their end" not in done.stdout
    assert topics.states() == [State.REPLAYED] * 5 + [State.OPEN]


def test_a_mark_without_a_letter_goes_when_its_order_is_named_and_somebody_said_yes(topics: Topics) -> None:
    """Retention took the letter; without the mark, the order's next refund is told to Button."""
    topics.park("M-1", event(5))
    topics.park("M-2", event(6))
    before = topics.marks()
    assert len(before) == 2
    dry = topics.call("drop", "--order", "M-1", "--dry-run")
    assert "order M-1, of orders/0 at offset 5, event 0" in dry.stdout
    assert "M-2" not in dry.stdout
    unasked = topics.call("drop", "--order", "M-1")
    assert unasked.returncode == 2
    assert unasked.stderr.startswith("error: Drop 0 dead letter(s) and 1 mark(s) without a letter for good?")
    assert topics.marks() == before
    done = topics.call("drop", "--order", "M-1", "--yes", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    source = {"topic": EVENTS, "partition": 0, "offset": 5, "event_index": 0}
    assert json.loads(done.stdout)["marks_without_letters"] == [{"order_id": "M-1", "source": source}]
    (left,) = topics.marks()
    assert b"M-2" in left


def test_a_mark_that_belongs_to_a_new_letter_meanwhile_stays(topics: Topics) -> None:
    """While somebody is asked, the shop may send the event anew."""
    topics.park("M-1", event(5))
    asking = topics.asking()
    meant = work.drop(Filter(orders=frozenset({"M-1"})), asking)
    assert [each.order_id for each in meant.orphans] == ["M-1"]
    topics.park("M-1", event(5)._replace(partition=1))
    work.drop_these(meant, asking)
    assert len(topics.marks()) == 1


def test_a_mark_whose_letter_is_being_replayed_or_stays_open_is_no_orphan(topics: Topics) -> None:
    """Its event is on its way: the connector takes the mark out when it is told, and refunds wait for that."""
    for offset in (5, 6):
        topics.bury(broken(offset), b"an event")
        topics.park("M-1", event(offset))
    before = topics.marks()
    assert topics.call("replay", "0/0", "--no-wait").returncode == 0
    topics.bury(broken(7), b"a refund")
    topics.park("M-1", event(7))
    assert topics.call("drop", "--order", "M-1", "--reason", "something else", "--yes").returncode == 0
    assert len(topics.marks()) == 3
    dropped = topics.call("drop", "--order", "M-1", "--yes")
    assert "Dropped 1 dead letter" in dropped.stdout
    assert topics.marks() == before
    assert topics.states() == [State.REPLAYED, State.REPLAYED, State.DROPPED]
