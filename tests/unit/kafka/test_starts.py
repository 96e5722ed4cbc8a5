# SPDX-License-Identifier: Apache-2.0
"""When a group counts as born."""

from __future__ import annotations

import pytest

from connector.kafka.starts import Committed, birth_of_group, metadata_of, partitions_at_birth, topic_id_of

NOTHING = Committed(None, None)


def test_a_group_without_commits_is_born_now() -> None:
    """All partitions that are there count as older than the group."""
    assert birth_of_group([NOTHING, NOTHING], 2) == 2


def test_a_birth_is_carried_on_by_any_commit() -> None:
    """Partitions added since do not change it."""
    assert birth_of_group([NOTHING, Committed(7, 2), NOTHING, Committed(9, None)], 4) == 2


def test_where_commits_differ_more_counts_as_added() -> None:
    """The smaller birth reads more from the beginning, and so skips nothing."""
    assert birth_of_group([Committed(1, 6), Committed(1, 3)], 8) == 3


def test_an_unknown_birth_makes_everything_added() -> None:
    """Commits of another tool say nothing; nothing may be skipped for that."""
    assert birth_of_group([Committed(0, None), NOTHING], 2) == 0


def test_metadata_says_the_birth() -> None:
    """What is written is what is read."""
    assert partitions_at_birth(metadata_of(12)) == 12


def test_metadata_says_the_topic_where_it_is_known() -> None:
    """What is written is what is read, and nothing is made up."""
    assert topic_id_of(metadata_of(12, "an-id")) == "an-id"
    assert partitions_at_birth(metadata_of(12, "an-id")) == 12
    assert topic_id_of(metadata_of(12)) is None


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        "NULL",
        "12",
        "[]",
        "{}",
        '{"partitions_at_birth":-1}',
        '{"partitions_at_birth":true}',
        "\x00",
        '"x"',
        '{"topic_id":7}',
    ],
)
def test_foreign_metadata_says_nothing(metadata: str | None) -> None:
    """Whatever another tool wrote there is passed over."""
    assert partitions_at_birth(metadata) is None
    assert topic_id_of(metadata) is None
