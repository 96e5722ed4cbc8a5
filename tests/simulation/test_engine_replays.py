# SPDX-License-Identifier: Apache-2.0
"""What the engine owes the events of dead letters that are replayed, in simulated time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from connector.domain.facts import Mark
from connector.domain.orders import Reject
from connector.domain.replays import PREFIX, Replay
from connector.engine.engine import EngineOptions
from connector.engine.observations import EventSkipped
from tests.simulation.test_engine_with_ledger import SHIRT, SLOW, Rig, bought, returned
from tests.support.polling import eventually
from tests.support.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from connector.domain.dead_letter import DeadLetter
    from connector.domain.events import CommerceEvent
    from connector.engine.ports import RawRecord

ONE_BACK = ("shirt", 1, 500)
FIVE = ("shirt", 5, 500)


def _unpayable(order_id: str) -> CommerceEvent:
    return bought(order_id, FIVE)._replace(currency="US$")


def _replay(rig: Rig, record: RawRecord, letter: DeadLetter, times: int = 1) -> None:
    """Append a letter's record once more, as the command does."""
    headers = Replay(
        letter.cluster,
        letter.topic_id,
        letter.topic,
        letter.partition,
        letter.offset,
        letter.event_index,
        letter.record_time_ms,
        times,
    ).headers()
    rig.source.append(letter.partition, record.value, record.key, [("trace", b"t"), *headers])


def _mend(rig: Rig, record: RawRecord, *events: CommerceEvent | Reject) -> None:
    """Let a record decode as something else, as other settings would."""
    rig.decoder.meanings[record.value or b""] = list(events)


def _marks(rig: Rig, order_id: str) -> list[str]:
    return [name for name, fact in rig.ledger.read(order_id).facts.items() if isinstance(fact.said, Mark)]


def _reasons(rig: Rig) -> list[str]:
    return [letter.reason for _, letter in rig.letters.letters]


def test_a_replayed_order_is_told_in_its_order_and_is_free_with_the_last_letter() -> None:
    """Until then its new refunds become dead letters behind the others, though its purchase is told already (P2)."""

    async def main() -> None:
        rig = Rig()
        broken = rig.emit(0, _unpayable("o-1"))
        rig.emit(0, returned("o-1", ONE_BACK, message="one"))
        rig.emit(0, returned("o-1", ONE_BACK, message="two"))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            first, second, third = rig.letters.letters
            assert len(_marks(rig, "o-1")) == 3
            _mend(rig, broken, bought("o-1", FIVE))
            _replay(rig, *first)
            _replay(rig, *second)
            await rig.at_rest()
            assert rig.at_button("o-1") == (2000, {"shirt": 4})
            rig.emit(0, returned("o-1", ONE_BACK, message="three"))
            await rig.at_rest()
            assert _reasons(rig)[3:] == ["order_parked"]
            _replay(rig, *third)
            _replay(rig, *rig.letters.letters[3])
            await rig.at_rest()
            assert (rig.at_button("o-1"), _marks(rig, "o-1")) == ((1000, {"shirt": 2}), [])
            rig.emit(0, returned("o-1", ONE_BACK, message="four"))
            await rig.at_rest()
        assert rig.at_button("o-1") == (500, {"shirt": 1})
        assert len(rig.letters.letters) == 4
        assert rig.calls() == ["create", "update", "update", "update", "update"]

    run_in_virtual_time(main())


def test_a_replayed_refund_of_an_order_that_button_does_not_show_yet_is_told_when_it_does() -> None:
    """That it was a dead letter for hours is no reason to take it for told (P1)."""

    async def main() -> None:
        rig = Rig()
        broken = rig.emit(0, _unpayable("o-1"))
        rig.emit(0, returned("o-1", ONE_BACK))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            rig.clock.at_ms += 7_200_000
            _mend(rig, broken, bought("o-1", FIVE))
            _replay(rig, *rig.letters.letters[0])
            await rig.at_rest()
            not_shown = rig.api.orders.pop("o-1")
            _replay(rig, *rig.letters.letters[1])
            await asyncio.sleep(5.0)
            rig.api.orders["o-1"] = not_shown
            await rig.at_rest()
        assert rig.at_button("o-1") == (2000, {"shirt": 4})
        assert _reasons(rig) == ["unknown_currency", "order_parked"]

    run_in_virtual_time(main())


def test_a_replay_is_complete_only_when_its_mark_is_gone() -> None:
    """A crash in between would leave an order parked for ever, with no letter to free it [1]."""

    async def main() -> None:
        rig = Rig(SLOW)
        broken = rig.emit(0, _unpayable("o-1"))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            _mend(rig, broken, bought("o-1", FIVE))
            _replay(rig, *rig.letters.letters[0])
            await eventually(lambda: rig.committed(0) == 2, deadline_seconds=600.0, interval_seconds=0.1)
            assert _marks(rig, "o-1") == []

    run_in_virtual_time(main())


def test_only_the_event_that_failed_is_taken_from_a_record_with_several() -> None:
    """The others were told; they are not told again."""

    async def main() -> None:
        rig = Rig()
        record = rig.emit(0, bought("o-1", SHIRT), _unpayable("o-2"), bought("o-3", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            (letter,) = rig.letters.letters
            _mend(rig, record, bought("o-1", SHIRT), bought("o-2", FIVE), bought("o-3", SHIRT))
            _replay(rig, *letter)
            await rig.at_rest()
        assert sorted(rig.api.orders) == ["o-1", "o-2", "o-3"]
        assert rig.calls() == ["create"] * 3
        assert rig.seen.of(EventSkipped) == []

    run_in_virtual_time(main())


def test_an_event_that_is_known_by_its_place_alone_is_still_known_in_a_replay() -> None:
    """It is the event of the original record, wherever the replay lies (P3)."""

    async def main() -> None:
        rig = Rig()
        record = rig.emit(0, bought("o-1", SHIRT)._replace(source_message_id=None))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            letter = rig.engine._letters.letter(record, 0, "map", Reject("why", "not"))  # type: ignore[arg-type]  # noqa: SLF001  as the engine would
            _replay(rig, record, letter)
            await rig.at_rest()
        assert rig.calls() == ["create"]
        assert [each.reason for each in rig.seen.of(EventSkipped)] == ["already_told"]
        assert len(rig.ledger.read("o-1").facts) == 1

    run_in_virtual_time(main())


def test_a_letter_of_a_replay_names_the_original_record_and_keeps_its_order_parked() -> None:
    """So that what always fails can be told, and what is behind it still waits."""

    async def main() -> None:
        rig = Rig()
        rig.emit(0, _unpayable("o-1"))
        rig.emit(0, returned("o-1", ONE_BACK))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            for record, letter in list(rig.letters.letters):
                _replay(rig, record, letter, times=2)
            await rig.at_rest()
        assert _reasons(rig) == ["unknown_currency", "order_parked"] * 2
        for before, after in zip(rig.letters.letters[:2], rig.letters.letters[2:], strict=True):
            assert after[1] == before[1]
            assert (f"{PREFIX}count", b"2") in after[0].headers
        assert len(_marks(rig, "o-1")) == 2

    run_in_virtual_time(main())


def test_a_refund_that_fails_for_itself_keeps_nobody_waiting() -> None:
    """Its order is free, it alone is a dead letter."""

    async def main() -> None:
        rig = Rig()
        broken = rig.emit(0, _unpayable("o-1"))
        rig.emit(0, returned("o-1", ("hat", 1, 500)))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            _mend(rig, broken, bought("o-1", FIVE))
            for record, letter in list(rig.letters.letters):
                _replay(rig, record, letter)
            rig.emit(0, returned("o-1", ONE_BACK, message="later"))
            await rig.at_rest()
        assert _reasons(rig) == ["unknown_currency", "order_parked", "unknown_product"]
        assert (rig.at_button("o-1"), _marks(rig, "o-1")) == ((2000, {"shirt": 4}), [])

    run_in_virtual_time(main())


def test_a_refund_that_was_given_up_is_decided_anew() -> None:
    """That is what it was replayed for."""

    async def main() -> None:
        rig = Rig(options=EngineOptions(first_topic="orders", sweep_interval_seconds=60.0))
        rig.ledger.is_impatient = True
        rig.emit(0, returned("o-1", ONE_BACK))
        async with rig.running():
            rig.source.assign(0)
            await eventually(lambda: bool(rig.letters.letters), deadline_seconds=200.0)
            rig.ledger.is_impatient = False
            rig.emit(0, bought("o-1", FIVE))
            await rig.at_rest()
            assert rig.at_button("o-1") == (2500, {"shirt": 5})
            _replay(rig, *rig.letters.letters[0])
            await rig.at_rest()
        assert rig.at_button("o-1") == (2000, {"shirt": 4})
        assert _reasons(rig) == ["refund_without_purchase"]

    run_in_virtual_time(main())


def test_replay_headers_that_make_no_sense_are_a_dead_letter() -> None:
    """Nothing of the record is told: it may be one event of many that was meant."""

    async def main() -> None:
        rig = Rig()
        record = rig.emit(0, bought("o-1", SHIRT))
        rig.source.log[record.topic_partition][0] = record._replace(headers=[(PREFIX + "count", b"x")])
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            letter = rig.engine._letters.letter(record, 7, "map", Reject("why", "not"))  # type: ignore[arg-type]  # noqa: SLF001  as the engine would
            _replay(rig, record, letter)
            await rig.at_rest()
        assert _reasons(rig) == ["bad_replay", "bad_replay"]
        assert rig.calls() == []

    run_in_virtual_time(main())
