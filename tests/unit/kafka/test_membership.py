# SPDX-License-Identifier: Apache-2.0
"""What an assignment's epoch is good for, and what is committed for the sake of the answer."""

from __future__ import annotations

import asyncio

from confluent_kafka import Consumer, KafkaError

from connector.engine.lease import Lease
from connector.engine.ports import TopicPartition
from connector.kafka.boot_clock import boot_seconds
from connector.kafka.commits import Asked
from connector.kafka.loop_side import LoopSide
from connector.kafka.membership import Membership, Owned
from connector.kafka.options import KafkaConnection, SourceOptions
from connector.kafka.poll_thread import PollThread
from connector.kafka.standing import Heard
from connector.kafka.starts import Start
from connector.kafka.window import Window
from tests.integration.kafka.parts import Observations, ScriptedIntake

FIRST = TopicPartition("orders", 0)


class Rig:
    """A membership without a cluster, which owns a partition since its assignment 2."""

    def __init__(self) -> None:
        """Put it together."""
        settings = SourceOptions(KafkaConnection("127.0.0.1:1"), "group", ("orders",))
        self.intake, self.observations = ScriptedIntake(), Observations()
        self.loop_side = LoopSide(asyncio.get_running_loop(), self.intake, self.observations, Lease(10.0))
        self.consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "group", "log_level": 0})
        window = Window(10, 1000)
        self.thread = PollThread(settings, self.loop_side, lambda _: None)
        self.membership = Membership(self.consumer, settings, self.loop_side, window, self.thread)
        self.thread._membership = self.membership  # noqa: SLF001  it has none before it runs
        self.membership.owned[FIRST] = Owned(FIRST, 2, Start(7, "birth", is_new=False), is_settled=True)
        window.open(FIRST)
        self.loop_side.assign({FIRST: 7}, 2)

    def refuse(self, code: int) -> None:
        """Have the group refuse a commit."""
        self.membership.standing.heard(Heard(1.0, has_taken=False, refusals=(KafkaError(code),)), 1.0)


async def test_a_commit_asked_for_under_an_earlier_assignment_is_known_as_such() -> None:
    """A partition that came back is another assignment: the old one's offset would take the group back [2, 8, 19]."""
    rig = Rig()
    assert rig.membership.metadata(FIRST, Asked(5, epoch=1)) is None
    assert rig.membership.metadata(FIRST, Asked(5, epoch=2)) == "birth"
    del rig.membership.owned[FIRST]
    assert rig.membership.metadata(FIRST, Asked(5, epoch=2)) is None
    rig.consumer.close()


async def test_what_is_committed_for_its_answer_is_the_highest_that_was_asked_for() -> None:
    """A commit whose answer was lost may have been taken: an older one behind it would take the group back [24]."""
    rig = Rig()
    renewal = rig.membership.renewal()
    assert renewal is not None
    assert renewal.offsets == {FIRST: Asked(7, epoch=2)}
    rig.membership.metadata(FIRST, Asked(12, epoch=2))
    rig.membership.metadata(FIRST, Asked(9, epoch=2))
    renewal = rig.membership.renewal()
    assert renewal is not None
    assert renewal.offsets == {FIRST: Asked(12, epoch=2)}
    rig.consumer.close()


async def test_a_proof_is_asked_for_as_soon_as_there_are_partitions() -> None:
    """The answer to their starts' own commit came before the engine held anything: a new group would wait for long."""
    rig = Rig()
    rig.membership.standing.sent(boot_seconds())
    assert rig.membership.renewal() is None
    rig.membership._take_over({TopicPartition("orders", 1): Start(0, "birth", is_new=True)}, set())  # noqa: SLF001  what the client's callback ends with
    assert rig.membership.renewal() is not None
    rig.consumer.close()


async def test_nothing_is_committed_once_the_group_does_not_know_us() -> None:
    """What we own is the new owner's to commit; only what the client calls back with counts again [17, 53]."""
    rig = Rig()
    rig.refuse(KafkaError.UNKNOWN_MEMBER_ID)
    assert rig.membership.metadata(FIRST, Asked(12, epoch=2)) is None
    assert rig.membership.renewal() is None
    rig.consumer.close()


async def test_partitions_that_are_taken_back_in_good_order_are_lost_if_the_group_does_not_know_us() -> None:
    """The client may have dropped that they are: draining and committing would undo their new owner's work [53]."""
    rig = Rig()
    rig.refuse(KafkaError.FENCED_INSTANCE_ID)
    rig.intake.to_commit = {FIRST: 12}
    await asyncio.to_thread(rig.membership.give_back_all)
    assert rig.intake.names() == ["assign", "lost"]
    rig.consumer.close()
