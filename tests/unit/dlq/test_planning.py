# SPDX-License-Identifier: Apache-2.0
"""What a replay takes, and what it leaves alone."""

from __future__ import annotations

from connector.dlq.choosing import Filter
from connector.dlq.planning import MOST_REPLAYS, Plan, plan
from connector.domain.replays import Replay
from connector.kafka.letters import Letter, State, read
from tests.support.letters import letter, letter_record


def _letter(place: int, order_id: str, reason: str = "order_parked", replays: int = 0, topic: str = "orders") -> Letter:
    before = Replay("", "", topic, 3, place, 0, 1, replays).headers() if replays else []
    said = letter(order_id=order_id, reason=reason, offset=place, record_time_ms=1_000 + place, topic=topic)
    found = read(letter_record(place, said, before=before, key=None))
    assert isinstance(found, Letter)
    return found


def _plan(letters: list[Letter], chosen: Filter, limit: int = 1000, *, forces: bool = False) -> Plan:
    return plan(letters, chosen, ("orders",), limit, forces=forces)


BROKEN = Filter(reasons=frozenset({"broken"}))


def test_a_chosen_letter_takes_its_whole_order_along_in_the_original_order() -> None:
    """Nothing of an order may overtake what is before it (P2)."""
    letters = [_letter(3, "A"), _letter(1, "A", "broken"), _letter(2, "B"), _letter(0, "A")]
    planned = _plan(letters, BROKEN)
    assert [[each.place.offset for each in order] for order in planned.orders] == [[0, 1, 3]]
    assert planned.added == 2


def test_a_letter_without_an_order_is_taken_alone() -> None:
    """There is nothing that it could belong to."""
    planned = _plan([_letter(0, "", "broken"), _letter(1, "")], BROKEN)
    assert [each.place.offset for each in planned.letters] == [0]


def test_what_is_settled_is_not_taken_again() -> None:
    """Neither replayed nor dropped letters."""
    settled = _letter(0, "A", "broken")._replace(state=State.REPLAYED)
    assert [each.place.offset for each in _plan([settled, _letter(1, "A", "broken")], BROKEN).letters] == [1]


def test_what_came_back_too_often_keeps_its_order_until_somebody_insists() -> None:
    """Nothing goes round in circles."""
    letters = [_letter(0, "A", "broken", MOST_REPLAYS), _letter(1, "A"), _letter(2, "B", "broken", MOST_REPLAYS - 1)]
    planned = _plan(letters, BROKEN)
    assert [each.place.offset for each in planned.letters] == [2]
    (refused,) = planned.refused
    assert [each.place.offset for each in refused.letters] == [0, 1]
    assert "letter 0/0 (broken) was replayed 3 times and came back" in refused.why
    assert [each.place.offset for each in _plan(letters, BROKEN, forces=True).letters] == [0, 1, 2]


def test_a_topic_that_nobody_reads_gets_no_replay() -> None:
    """It would wait there for ever."""
    (refused,) = _plan([_letter(0, "A", "broken", topic="former")], BROKEN).refused
    assert "topic 'former', which is not in kafka.topics" in refused.why


def test_the_limit_never_cuts_an_order() -> None:
    """The first order is taken whatever its size, so that there is an end to it."""
    letters = [_letter(place, order, "broken") for place, order in enumerate("AAABBC")]
    planned = _plan(letters, BROKEN, limit=2)
    assert ([len(order) for order in planned.orders], planned.left) == ([3], 3)
    planned = _plan(letters, BROKEN, limit=4)
    assert ([each[0].order_id for each in planned.orders], planned.left) == (["A", "C"], 2)
