# SPDX-License-Identifier: Apache-2.0
"""What an assignment's epoch is good for."""

from __future__ import annotations

import asyncio

from confluent_kafka import Consumer

from connector.engine.lease import Lease
from connector.engine.ports import TopicPartition
from connector.kafka.commits import Asked
from connector.kafka.loop_side import LoopSide
from connector.kafka.membership import Membership, Owned
from connector.kafka.options import KafkaConnection, SourceOptions
from connector.kafka.poll_thread import PollThread
from connector.kafka.starts import Start
from connector.kafka.window import Window
from tests.integration.kafka.parts import Observations, ScriptedIntake

FIRST = TopicPartition("orders", 0)


async def test_a_commit_asked_for_under_an_earlier_assignment_is_known_as_such() -> None:
    """A partition that came back is another assignment: the old one's offset would take the group back [2, 8, 19]."""
    settings = SourceOptions(KafkaConnection("127.0.0.1:1"), "group", ("orders",))
    consumer = Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "group", "log_level": 0})
    loop_side = LoopSide(asyncio.get_running_loop(), ScriptedIntake(), Observations(), Lease(10.0))
    thread = PollThread(settings, loop_side, lambda _: None)
    membership = Membership(consumer, settings, loop_side, Window(10, 1000), thread)
    assert membership.metadata(FIRST, Asked(5, epoch=1)) is None
    membership.owned[FIRST] = Owned(FIRST, 2, Start(7, "birth", is_new=False), is_settled=True)
    assert membership.metadata(FIRST, Asked(5, epoch=1)) is None
    assert membership.metadata(FIRST, Asked(5, epoch=2)) == "birth"
    consumer.close()
