# SPDX-License-Identifier: Apache-2.0
"""Which dead letters are meant."""

from __future__ import annotations

from typing import Any

import pytest

from connector.dlq.choosing import Filter, Misspelt, SourceFilter, place_from, source_from, time_from
from connector.kafka.letters import Letter, Place, State, read
from tests.support.letters import letter, letter_record

NOW_MS = 1_700_000_100_000


def _letter(offset: int = 12, **changes: Any) -> Letter:  # noqa: ANN401  any field of a letter
    found = read(letter_record(offset, letter(**changes)))
    assert isinstance(found, Letter)
    return found


@pytest.mark.parametrize(
    ("chosen", "takes"),
    [
        (Filter(), True),
        (Filter(reasons=frozenset({"over_refund", "other"})), True),
        (Filter(reasons=frozenset({"other"})), False),
        (Filter(orders=frozenset({"M-1"})), True),
        (Filter(orders=frozenset({"M-2"})), False),
        (Filter(since_ms=1_700_000_000_000), True),
        (Filter(since_ms=1_700_000_000_001), False),
        (Filter(until_ms=1_700_000_000_000), False),
        (Filter(until_ms=1_700_000_000_001), True),
        (Filter(source=SourceFilter("orders")), True),
        (Filter(source=SourceFilter("orders", 3, 77)), True),
        (Filter(source=SourceFilter("orders", 0)), False),
        (Filter(source=SourceFilter("orders", 3, 78)), False),
        (Filter(source=SourceFilter("other")), False),
        (Filter(places=frozenset({Place(0, 12)})), True),
        (Filter(places=frozenset({Place(1, 12)})), False),
        (Filter(states=frozenset({State.DROPPED})), False),
    ],
)
def test_each_part_of_a_filter_counts(chosen: Filter, takes: bool) -> None:  # noqa: FBT001  a case's expectation
    """All of them together."""
    assert chosen.takes(_letter()) is takes


def test_only_open_letters_are_meant_unless_others_are_asked_for() -> None:
    """What was settled is done with."""
    replayed = _letter()._replace(state=State.REPLAYED)
    assert not Filter().takes(replayed)
    assert Filter(states=frozenset(State)).takes(replayed)
    assert Filter(states=frozenset(State)).is_any
    assert not Filter(orders=frozenset({"M-1"})).is_any


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("orders", SourceFilter("orders")),
        ("orders/3", SourceFilter("orders", 3)),
        ("orders/3/1041", SourceFilter("orders", 3, 1041)),
    ],
)
def test_a_source_is_written_as_messages_write_it(text: str, meant: SourceFilter) -> None:
    """Topic, partition, offset."""
    assert source_from(text) == meant


@pytest.mark.parametrize("text", ["", "/3", "orders/x", "orders/3/1/2", "orders/-1", "orders//2"])
def test_a_misspelt_source_says_how_it_is_written(text: str) -> None:
    """With an example."""
    with pytest.raises(Misspelt, match="like orders/3/1041"):
        source_from(text)


def test_a_letter_is_named_by_its_place() -> None:
    """As the list shows it."""
    assert place_from("2/17") == Place(2, 17)
    assert str(Place(2, 17)) == "2/17"


@pytest.mark.parametrize("text", ["", "17", "a/b", "1/-2", "1/2/3", "1/"])
def test_a_misspelt_letter_says_how_it_is_written(text: str) -> None:
    """With an example."""
    with pytest.raises(Misspelt, match="like 0/12"):
        place_from(text)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90m", NOW_MS - 90 * 60_000),
        ("2w", NOW_MS - 14 * 86_400_000),
        ("2023-11-14", 1_699_920_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
    ],
)
def test_times_are_ages_or_dates(text: str, ms: int) -> None:
    """A date without a zone is in UTC."""
    assert time_from(text, NOW_MS) == ms


@pytest.mark.parametrize("text", ["", "soon", "12", "1y", "2023-13-01"])
def test_a_misspelt_time_says_how_it_is_written(text: str) -> None:
    """With examples."""
    with pytest.raises(Misspelt, match="90m, 24h, 7d"):
        time_from(text, NOW_MS)
