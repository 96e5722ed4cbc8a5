# SPDX-License-Identifier: Apache-2.0
"""The order of commits, and what their answers mean."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaTopicPartition

from connector.engine.ports import CommitResult, TopicPartition
from connector.kafka.commits import Asked, CommitRequest, Commits, result_of
from connector.kafka.standing import Standing

FIRST, SECOND = TopicPartition("orders", 0), TopicPartition("orders", 1)


class Group:
    """Keeps what it is sent; ``epochs`` says what is owned."""

    def __init__(self) -> None:
        """Own both partitions, under epoch 1."""
        self.sent: list[list[tuple[int, int, str | None]]] = []
        self.epochs = {FIRST: 1, SECOND: 1}
        self.noted: dict[TopicPartition, int] = {}
        self.answers: list[CommitResult] = []
        self.refuses: KafkaError | None = None
        self.now = 0.0
        self.proofs: list[float] = []
        self.standing = Standing(30.0, 300.0, self.proofs.append, lambda _reason: None)
        self.commits = Commits(self._send, self._metadata, self.noted.__setitem__, self.standing, lambda: self.now)

    def ask(self, offsets: dict[TopicPartition, int], epoch: int = 1, *, is_wanted: bool = True) -> None:
        """Ask for a commit."""
        asked = {each: Asked(offset, epoch) for each, offset in offsets.items()}
        self.commits.ask(CommitRequest(asked, self.answers.append, lambda: is_wanted))

    def answer(self, offsets: dict[TopicPartition, int]) -> None:
        """Take the request that is out."""
        self.commits.answered(None, [KafkaTopicPartition(*each, offset) for each, offset in offsets.items()])

    def _send(self, elements: list[KafkaTopicPartition]) -> None:
        if self.refuses is not None:
            raise KafkaException(self.refuses)
        self.sent.append([(each.partition, each.offset, each.metadata) for each in elements])

    def _metadata(self, topic_partition: TopicPartition, asked: Asked) -> str | None:
        return "birth" if self.epochs.get(topic_partition) == asked.epoch else None


def test_one_request_is_out_at_a_time() -> None:
    """Two could be repeated in the wrong order, and the group would go back [24]."""
    group = Group()
    group.ask({FIRST: 5})
    group.ask({FIRST: 9})
    assert group.sent == [[(0, 5, "birth")]]
    assert not group.answers
    group.answer({FIRST: 5})
    assert group.sent == [[(0, 5, "birth")], [(0, 9, "birth")]]
    assert group.answers == [({FIRST: 5}, {})]
    assert group.noted == {FIRST: 5}


def test_a_commit_of_an_assignment_that_is_over_is_not_sent() -> None:
    """Also when the partition has come back since: that is another assignment [2, 8, 19, 22]."""
    group = Group()
    group.ask({SECOND: 1})
    group.ask({FIRST: 5, SECOND: 2})
    group.epochs[FIRST] = 2
    group.answer({SECOND: 1})
    assert group.sent[1:] == [[(1, 2, "birth")]]
    group.answer({SECOND: 2})
    assert group.answers[1].committed == {SECOND: 2}
    assert set(group.answers[1].failed) == {FIRST}
    group.ask({FIRST: 5})
    assert len(group.sent) == 2
    assert set(group.answers[2].failed) == {FIRST}


def test_a_request_that_nobody_waits_for_any_more_is_not_sent() -> None:
    """After an outage only what is still wanted goes out."""
    group = Group()
    group.ask({FIRST: 5})
    group.ask({FIRST: 6}, is_wanted=False)
    group.ask({FIRST: 9})
    group.answer({FIRST: 5})
    assert [sent[0][1] for sent in group.sent] == [5, 9]


def test_a_client_that_refuses_is_an_answer() -> None:
    """A commit never raises, and does not block those behind it [16]."""
    group = Group()
    group.refuses = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)
    group.ask({FIRST: 5})
    assert group.answers[0].failed[FIRST].startswith("UNKNOWN_MEMBER_ID")
    group.refuses = None
    group.ask({FIRST: 5})
    assert len(group.sent) == 1


def test_only_what_the_group_named_without_an_error_is_committed() -> None:
    """An error for all, and silence, are no commit [67, 68]."""
    answer = [KafkaTopicPartition(*FIRST, 5)]
    assert result_of({FIRST: 5, SECOND: 6}, None, answer).committed == {FIRST: 5}
    refused = result_of({FIRST: 5}, KafkaError(KafkaError.ILLEGAL_GENERATION), answer)
    assert not refused.committed
    assert refused.failed[FIRST].startswith("ILLEGAL_GENERATION")


def test_the_end_answers_everything() -> None:
    """Nobody is left waiting when the source stops."""
    group = Group()
    group.ask({FIRST: 5})
    group.ask({SECOND: 6})
    group.commits.end("stopped")
    assert [set(each.failed) for each in group.answers] == [{FIRST}, {SECOND}]


def test_an_answer_proves_that_we_were_a_member_when_its_commit_was_sent() -> None:
    """Not when it was read: in between the process may have been frozen for longer than its session [17]."""
    group = Group()
    group.now = 100.0
    group.ask({FIRST: 5})
    group.now = 160.0
    group.answer({FIRST: 5})
    assert group.proofs == [100.0]


def test_a_commit_that_is_sent_puts_the_next_renewal_off() -> None:
    """Under load the commits of every second are proof enough."""
    group = Group()
    assert group.standing.is_due(100.0)
    group.now = 100.0
    group.ask({FIRST: 5})
    assert not group.standing.is_due(109.9)
    assert group.standing.is_due(110.0)


def test_what_the_group_refused_proves_nothing() -> None:
    """Neither an error for all nor one for each partition [17, 53]."""
    group = Group()
    refusal = KafkaError(KafkaError.UNKNOWN_MEMBER_ID)
    group.ask({FIRST: 5})
    group.commits.answered(refusal, [])
    assert group.proofs == []
    assert group.standing.is_ended
