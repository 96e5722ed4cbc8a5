# SPDX-License-Identifier: Apache-2.0
"""What is never asked of the client, what it must be able to do, and what its oddities must not lead to."""

from __future__ import annotations

import ast
import asyncio
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import confluent_kafka
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.lease import Lease
from connector.engine.ports import TopicPartition
from connector.kafka.loop_side import LoopSide
from connector.kafka.membership import Membership, Owned
from connector.kafka.options import KafkaConnection, SourceOptions
from connector.kafka.poll_thread import PollThread
from connector.kafka.starts import Start, metadata_of, resolve_starts
from connector.kafka.window import Window
from tests.integration.kafka.parts import Observations, ScriptedIntake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
FIRST, SECOND = TopicPartition("orders", 0), TopicPartition("orders", 1)
_LOCKS = {"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "Barrier"}
_SHARED = ("source", "poll_thread", "membership", "commits", "loop_side", "window")
"""The modules of which one side is on the poll thread and the other on the loop."""


def _nodes(*paths: Path) -> Iterator[tuple[str, ast.AST]]:
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path.name, node


def _adapter() -> list[Path]:
    return sorted((ROOT / "connector" / "kafka").glob("*.py"))


def test_no_offset_is_ever_stored_and_no_reader_ever_moved() -> None:
    """One way to commit, one place to read from: nothing is stored that could fail, or skipped [16, 32, 67]."""
    found = [
        (name, node.attr)
        for name, node in _nodes(*_adapter())
        if isinstance(node, ast.Attribute) and node.attr in {"store_offsets", "seek"}
    ]
    assert found == []


def test_every_commit_names_its_offsets() -> None:
    """A commit without offsets would take what the client has stored, and that may lie behind [65, 66, 68]."""
    calls = [
        (name, {each.arg for each in node.keywords})
        for name, node in _nodes(*_adapter())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
        if isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "_consumer"
    ]
    assert len(calls) >= 2
    assert all("offsets" in arguments for _, arguments in calls), calls


def test_the_clients_own_classes_for_asyncio_are_not_used() -> None:
    """They share two threads between polls, commits and callbacks, and stop for good when these meet [55]."""
    names = {
        alias.name
        for _, node in _nodes(*sorted((ROOT / "connector").rglob("*.py")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not {name for name in names if name.startswith("AIO") or "experimental" in name}


def test_the_poll_thread_and_the_loop_share_no_lock() -> None:
    """They send each other messages, and who waits in a callback goes on serving them: no ring of waits [3]."""
    used = {
        (name, node.attr if isinstance(node, ast.Attribute) else node.id)
        for name, node in _nodes(*(ROOT / "connector" / "kafka" / f"{each}.py" for each in _SHARED))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    assert not {(name, used_name) for name, used_name in used if used_name in _LOCKS}


def test_the_client_is_one_in_which_its_known_faults_are_mended() -> None:
    """Assignments lost, records skipped by pauses, fatal answers, endless rebalances [49, 50, 51, 52, 58]."""
    _, version = confluent_kafka.libversion()
    assert version >= 0x020F00FF, "librdkafka 2.15 has the last of these corrections"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (needed,) = (each for each in project["dependencies"] if each.startswith("confluent-kafka"))
    assert tuple(map(int, needed.partition(">=")[2].partition(",")[0].split("."))) >= (2, 16)


def test_what_a_commit_carries_does_not_grow_with_what_is_unfinished() -> None:
    """Which records are done is not written to the group: no map to be too long or read wrongly [34, 35, 66]."""
    assert len(metadata_of(2**31, "x" * 22)) < 100


class _Client:
    """A client that remembers what it was told, and asks nobody."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Callable[[Any, list[KafkaTopicPartition]], None]] = {}
        self.unassigned: list[KafkaTopicPartition] = []

    def subscribe(self, _topics: list[str], **callbacks: Callable[[Any, list[KafkaTopicPartition]], None]) -> None:
        self.callbacks = callbacks

    def incremental_unassign(self, partitions: list[KafkaTopicPartition]) -> None:
        self.unassigned += partitions

    def committed(self, partitions: list[KafkaTopicPartition], **_: float) -> list[_Refused]:
        return [_Refused(each) for each in partitions]


class _Refused:
    """A partition of which the group would not say what is committed."""

    offset, metadata = -1001, None

    def __init__(self, asked: KafkaTopicPartition) -> None:
        self.topic, self.partition = asked.topic, asked.partition
        self.error = KafkaError(KafkaError.STALE_MEMBER_EPOCH)


def _loop_side(intake: ScriptedIntake) -> LoopSide:
    return LoopSide(asyncio.get_running_loop(), intake, Observations(), Lease(10.0))


async def test_a_revoke_of_a_partition_that_is_not_ours_is_only_let_go() -> None:
    """The client may name what it never gave us, or has named before; nothing is drained or committed for it [57]."""
    intake, client = ScriptedIntake(), _Client()
    loop_side = _loop_side(intake)
    settings = SourceOptions(KafkaConnection("127.0.0.1:1"), "group", ("orders",))
    thread = PollThread(settings, loop_side, lambda _: None)
    membership = Membership(cast("Consumer", client), settings, loop_side, Window(10, 1000), thread)
    membership.join()
    membership.owned[FIRST] = Owned(FIRST, 1, Start(7, "birth", is_new=False), is_settled=True)
    gone = [KafkaTopicPartition(*SECOND)]
    client.callbacks["on_revoke"](client, gone)
    client.callbacks["on_lost"](client, gone)
    await asyncio.sleep(0)
    assert client.unassigned == [*gone, *gone]
    assert (intake.names(), list(membership.owned)) == ([], [FIRST])


async def test_what_the_thread_says_arrives_in_the_order_in_which_it_was_said() -> None:
    """An end that is told late, after the partition came back, would end the new assignment [18]."""
    intake = ScriptedIntake()
    loop_side = _loop_side(intake)

    def on_the_thread() -> None:
        loop_side.assign({FIRST: 3}, 1)
        loop_side.fence([FIRST], lost=True)
        loop_side.assign({FIRST: 5}, 2)

    await asyncio.to_thread(on_the_thread)
    assert [name for name in intake.names() if name in {"assign", "lost"}] == ["assign", "lost", "assign"]
    assert loop_side.epochs == {FIRST: 2}


def test_a_refused_question_for_the_committed_offsets_is_no_answer() -> None:
    """Nobody begins at the configured start because the group would not answer; the question is asked again [38]."""
    with pytest.raises(KafkaException, match="STALE_MEMBER_EPOCH"):
        resolve_starts(cast("Consumer", _Client()), [FIRST], "latest", {}, lambda _: 1)
