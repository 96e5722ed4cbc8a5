# SPDX-License-Identifier: Apache-2.0
"""What the engine owes the order ledger, in simulated time."""

from __future__ import annotations

import asyncio
from random import Random

from connector.domain.events import CommerceEvent, Product
from connector.domain.facts import OrderFacts, Purchase, Refund, UnreadableFactError
from connector.domain.money import Amount
from connector.domain.orders import Order, Reject
from connector.domain.outcomes import Answer
from connector.engine.engine import EngineOptions
from connector.engine.observations import AdmissionChanged, EventSkipped, FactUnclean
from connector.engine.ports import Origin, TopicPartition
from tests.simulation.bench import Bench
from tests.support.fakes import OK, purchase
from tests.support.polling import eventually
from tests.support.simulated_button import Fault, Kept, SimulatedButton
from tests.support.simulated_ledger import Delays, SimulatedLedger, SimulatedLog
from tests.support.virtual_time import run_in_virtual_time

P0 = TopicPartition("orders", 0)
FAST = Delays(append=(0.001, 0.001), follow=(0.001, 0.001))
SLOW = Delays(append=(10.0, 10.0), follow=(0.001, 0.001))
SHIRT, MUG = ("shirt", 2, 500), ("mug", 1, 300)


def bought(order_id: str, *products: tuple[str, int, int], message: str = "bought", at_ms: int = 0) -> CommerceEvent:
    """Return a purchase; products are SKU, pieces and the price of one in cents."""
    return _event("purchase", order_id, products, message, at_ms)


def returned(order_id: str, *products: tuple[str, int, int], message: str = "returned") -> CommerceEvent:
    """Return a refund of products, or of the whole order."""
    return _event("refund", order_id, products, message, 1_000)


def _event(
    action: str,
    order_id: str,
    products: tuple[tuple[str, int, int], ...],
    message: str,
    at_ms: int,
) -> CommerceEvent:
    event = purchase(order_id, action=action, total_amount=None, source_message_id=f"{order_id}/{message}")
    lines = tuple(
        Product(sku, None, None, Amount(price, 2), Amount(pieces, 0), None, None, {}) for sku, pieces, price in products
    )
    return event._replace(products=lines, occurred_at_ms=event.occurred_at_ms + at_ms)


class Rig(Bench):
    """An engine with a ledger, and a Button that keeps orders."""

    def __init__(
        self,
        delays: Delays = FAST,
        options: EngineOptions | None = None,
        log: SimulatedLog | None = None,
    ) -> None:
        """Put it together; ``log`` may hold what others wrote."""
        self.ledger = SimulatedLedger(log or SimulatedLog(), Random(3), delays)  # noqa: S311  not cryptography
        self.api = SimulatedButton(Random(5), latency_seconds=(0.01, 0.02))  # noqa: S311  not cryptography
        super().__init__(options, ledger=self.ledger, orders=self.api)

    def calls(self) -> list[str]:
        """Return the calls that Button took, in order."""
        return [type(call).__name__.lower() for _, call, _ in self.api.told]

    def at_button(self, order_id: str) -> tuple[int, dict[str, int]] | str:
        """Return an order's total and the pieces of its lines, or that it is not open."""
        kept = self.api.orders.get(order_id)
        if kept is None or kept.is_cancelled:
            return "absent" if kept is None else "cancelled"
        return kept.order.total, {line.identifier: line.quantity for line in kept.order.line_items}


def test_a_record_is_complete_only_when_its_fact_was_read_back() -> None:
    """Acknowledged by Button is not enough: a crash would not know of the order [1]."""

    async def main() -> None:
        rig = Rig(SLOW)
        rig.emit(0, bought("o-1", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await asyncio.sleep(9.0)
            assert (rig.calls(), rig.committed(0)) == (["create"], 0)
            await rig.at_rest()
        assert rig.committed(0) == 1
        assert rig.calls() == ["create"]

    run_in_virtual_time(main())


def test_nobody_waits_for_the_fact_of_another_order() -> None:
    """The only slot is free again while the first order's fact is on its way."""

    async def main() -> None:
        rig = Rig(SLOW, EngineOptions(concurrency=1))
        for number in range(5):
            rig.emit(0, bought(f"o-{number}", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await asyncio.sleep(5.0)
            assert rig.calls() == ["create"] * 5
            assert rig.committed(0) == 0
            await rig.at_rest()

    run_in_virtual_time(main())


def test_the_next_event_of_an_order_waits_for_the_fact_before_it() -> None:
    """It is decided on all that is known, so that a part that comes back leaves the rest as it was told (P2)."""

    async def main() -> None:
        rig = Rig(SLOW)
        rig.emit(0, bought("o-1", SHIRT, MUG))
        rig.emit(0, returned("o-1", ("shirt", 1, 500)))
        async with rig.running():
            rig.source.assign(0)
            await asyncio.sleep(9.0)
            assert rig.calls() == ["create"]
            await rig.at_rest()
        assert rig.calls() == ["create", "update"]
        assert rig.at_button("o-1") == (800, {"shirt": 1, "mug": 1})

    run_in_virtual_time(main())


def test_after_an_assignment_nothing_is_decided_before_the_ledger_has_read_what_was_written_until_then() -> None:
    """What a former owner wrote last is known before the first decision."""

    async def main() -> None:
        log = SimulatedLog()
        heir = Rig(Delays(append=(0.001, 0.001), follow=(30.0, 30.0)), log=log)
        former = Rig(log=log)
        former.emit(0, bought("o-1", SHIRT))
        heir.emit(0, bought("o-1", SHIRT))
        async with heir.running():
            async with former.running():
                former.source.assign(0)
                await former.at_rest()
            heir.source.assign(0)
            await asyncio.sleep(20.0)
            assert heir.seen.of(EventSkipped) == []
            await heir.at_rest()
        assert heir.calls() == []
        assert heir.seen.of(EventSkipped) == [EventSkipped("already_told")]

    run_in_virtual_time(main())


def test_what_somebody_else_told_meanwhile_is_told_once_more_with_everything() -> None:
    """A fact that is not clean is not believed: Button is told all that is known by then."""

    async def main() -> None:
        rig = Rig()
        verdicts = iter((True, False))
        rig.ledger.judge = lambda is_clean: is_clean and next(verdicts, True)
        rig.emit(0, bought("o-1", SHIRT, MUG))
        rig.emit(0, returned("o-1", ("shirt", 1, 500)))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
        assert rig.calls() == ["create", "update", "update"]
        assert rig.seen.of(FactUnclean) == [FactUnclean()]
        assert rig.at_button("o-1") == (800, {"shirt": 1, "mug": 1})

    run_in_virtual_time(main())


def test_an_event_that_is_not_read_back_when_the_drain_ends_stays_incomplete() -> None:
    """Its heir finds the fact, or does it again; nothing is decided again during a revoke [9] [11]."""

    async def main() -> None:
        rig = Rig(SLOW, EngineOptions(drain_seconds=5.0))
        rig.emit(0, bought("o-1", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await asyncio.sleep(1.0)
            await rig.source.revoke(0)
            await asyncio.sleep(20.0)
        assert rig.calls() == ["create"]
        assert rig.committed(0) == 0

    run_in_virtual_time(main())


def test_nothing_is_decided_again_during_a_revoke() -> None:
    """What is read back as not clean while its partition is drained is for the heir [13] [17]."""

    async def main() -> None:
        rig = Rig(SLOW, EngineOptions(drain_seconds=15.0))
        rig.ledger.judge = lambda _is_clean: False
        rig.emit(0, bought("o-1", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await asyncio.sleep(1.0)
            await rig.source.revoke(0)
            await asyncio.sleep(60.0)
        assert rig.calls() == ["create"]
        assert rig.committed(0) == 0

    run_in_virtual_time(main())


def test_a_drain_waits_for_the_fact_of_what_was_told() -> None:
    """What is done within the budget is committed, so that the heir has nothing to do again [9] [11]."""

    async def main() -> None:
        rig = Rig(SLOW, EngineOptions(drain_seconds=15.0))
        rig.emit(0, bought("o-1", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await asyncio.sleep(1.0)
            await rig.source.revoke(0)
        assert rig.committed(0) == 1

    run_in_virtual_time(main())


def test_a_refund_that_comes_first_waits_and_is_folded_into_its_purchase() -> None:
    """Button is asked once, the record is complete, and the purchase is told without what came back."""

    async def main() -> None:
        rig = Rig()
        rig.emit(0, returned("o-1", ("shirt", 1, 500)))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            assert rig.calls() == ["lookup"]
            rig.emit(0, bought("o-1", SHIRT, MUG))
            await rig.at_rest()
        assert rig.calls() == ["lookup", "create"]
        assert rig.at_button("o-1") == (800, {"shirt": 1, "mug": 1})

    run_in_virtual_time(main())


def test_what_button_shows_becomes_a_fact_before_a_refund_is_computed_from_it() -> None:
    """An order that somebody else reported loses only what came back."""

    async def main() -> None:
        rig = Rig()
        elsewhere = Rig()
        elsewhere.emit(0, bought("o-1", SHIRT, MUG))
        async with elsewhere.running():
            elsewhere.source.assign(0)
            await elsewhere.at_rest()
        rig.api.orders = elsewhere.api.orders
        rig.emit(0, returned("o-1", ("shirt", 1, 500)))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
        assert rig.calls() == ["lookup", "update"]
        assert rig.at_button("o-1") == (800, {"shirt": 1, "mug": 1})
        assert set(rig.ledger.read("o-1").facts) == {"observed:1300", "m:o-1/returned"}

    run_in_virtual_time(main())


def test_an_order_that_was_told_by_one_who_died_before_writing_it_down_is_not_told_twice() -> None:
    """An order that exists is looked up; the same total means that it was this very purchase [48]."""

    async def main() -> None:
        rig = Rig()
        rig.api.orders["o-1"] = Kept(Order("o-1", 1000, "USD", "2023-11-14T22:13:20Z", ()))
        rig.emit(0, bought("o-1", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
        assert rig.calls() == ["create", "lookup"]
        assert isinstance(rig.ledger.read("o-1").facts["m:o-1/bought"].said, Purchase)
        assert rig.letters.letters == []

    run_in_virtual_time(main())


def test_an_update_of_which_an_attempt_got_no_answer_is_confirmed_before_the_lane_moves_on() -> None:
    """The lost attempt may land late, on top of what is told next: Button is asked after a moment [48]."""

    async def main() -> None:
        rig = Rig()
        rig.emit(0, bought("o-1", SHIRT, MUG))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
            rig.api.faults = {Fault.LOST: 1.0}
            rig.emit(0, returned("o-1", ("shirt", 1, 500)))
            await eventually(lambda: len(rig.api.told) == 2, deadline_seconds=60.0)
            rig.api.faults = {}
            await rig.at_rest()
        assert rig.calls() == ["create", "update", "update", "lookup"]
        (_, _, _), (_, _, _), (again, _, _), (asked, _, _) = rig.api.told
        assert asked - again >= 1.0
        assert rig.at_button("o-1") == (800, {"shirt": 1, "mug": 1})

    run_in_virtual_time(main())


def test_a_refund_whose_purchase_is_a_dead_letter_is_parked_behind_it() -> None:
    """Whoever replays them finds both, in their order, and the refund says why it is there."""

    async def main() -> None:
        rig = Rig()
        rig.emit(0, bought("o-1", SHIRT)._replace(currency="US$"))
        rig.emit(0, returned("o-1", ("shirt", 1, 500)))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
        assert [letter.reason for _, letter in rig.letters.letters] == ["unknown_currency", "order_parked"]
        assert rig.calls() == []

    run_in_virtual_time(main())


def test_an_order_whose_purchase_was_sent_anew_is_not_parked_any_more() -> None:
    """A corrected purchase is told like any other, and the refunds after it."""

    async def main() -> None:
        rig = Rig()
        rig.emit(0, bought("o-1", SHIRT)._replace(currency="US$"))
        rig.emit(0, bought("o-1", SHIRT, message="corrected"))
        rig.emit(0, returned("o-1", ("shirt", 1, 500)))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
        assert [letter.reason for _, letter in rig.letters.letters] == ["unknown_currency"]
        assert rig.at_button("o-1") == (500, {"shirt": 1})

    run_in_virtual_time(main())


def test_a_refund_that_waited_too_long_is_a_dead_letter_once_and_by_one_owner() -> None:
    """Only the owner of the first partition sweeps; the letter holds the record, and the refund is given up."""

    async def main() -> None:
        options = EngineOptions(first_topic="orders", sweep_interval_seconds=60.0)
        rig = Rig(options=options)
        rig.ledger.is_impatient = True
        rig.origins["orders"] = Origin("cluster when it was read", "id when it was read")
        record = rig.emit(1, returned("o-1", ("shirt", 1, 500)))
        async with rig.running():
            rig.source.assign(1)
            await rig.at_rest()
            rig.origins.clear()  # the topic is none of ours any more
            await asyncio.sleep(600.0)
            assert rig.letters.letters == []
            rig.source.assign(0)
            await eventually(lambda: bool(rig.letters.letters), deadline_seconds=120.0)
            await asyncio.sleep(600.0)
        (letter,) = rig.letters.letters
        assert (letter[1].cluster, letter[1].topic_id) == ("cluster when it was read", "id when it was read")
        assert (letter[0].value, letter[0].offset, letter[1].reason) == (record.value, 0, "refund_without_purchase")
        assert not isinstance(rig.ledger.read("o-1").facts["m:o-1/returned"].said, Refund)

    run_in_virtual_time(main())


def test_an_order_with_a_fact_that_nobody_can_read_is_a_dead_letter_and_the_others_go_on() -> None:
    """What another program wrote into the topic ends no process in front of all other orders (P4)."""

    async def main() -> None:
        rig = Rig()
        read = rig.ledger.read

        def refusing(order_id: str) -> OrderFacts:
            if order_id == "o-1":
                message = "the ledger's fact of event 'x' cannot be read"
                raise UnreadableFactError(message)
            return read(order_id)

        rig.ledger.read = refusing  # type: ignore[method-assign]  # as the real one does
        rig.emit(0, bought("o-1", SHIRT))
        rig.emit(0, bought("o-2", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
        ((_, letter),) = rig.letters.letters
        assert (letter.order_id, letter.reason) == ("o-1", "unreadable_fact")
        assert "event 'x' cannot be read" in letter.message
        assert (rig.at_button("o-1"), rig.at_button("o-2")) == ("absent", (1000, {"shirt": 2}))

    run_in_virtual_time(main())


def test_a_bad_record_beside_a_ledger_still_is_a_dead_letter_of_its_own() -> None:
    """What names no order parks none (P4)."""

    async def main() -> None:
        rig = Rig()
        rig.emit(0, Reject("truncated_avro", "the value ends early"))
        rig.emit(0, bought("o-1", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await rig.at_rest()
        assert [letter.reason for _, letter in rig.letters.letters] == ["truncated_avro"]
        assert rig.at_button("o-1") == (1000, {"shirt": 2})

    run_in_virtual_time(main())


def test_an_account_that_may_not_report_halts_once_and_no_order_is_to_blame() -> None:
    """A 403 on every call is not answered by more calls, nor said once per order [25] [27]."""

    async def main() -> None:
        ledger = SimulatedLedger(SimulatedLog(), Random(3), FAST)  # noqa: S311  not cryptography
        rig = Bench(EngineOptions(concurrency=8), ledger=ledger)
        is_allowed = False
        rig.button.answer = lambda _call, _attempt: OK if is_allowed else Answer(403, "error", message="not allowed")
        for number in range(40):
            rig.emit(0, bought(f"o-{number}", SHIRT))
        async with rig.running():
            rig.source.assign(0)
            await asyncio.sleep(120.0)
            assert [each.state for each in rig.seen.of(AdmissionChanged)] == ["halted"]
            assert len(rig.button.calls) < 100
            is_allowed = True
            await rig.at_rest()
        assert [each.state for each in rig.seen.of(AdmissionChanged)] == ["halted", "running"]
        assert rig.letters.letters == []

    run_in_virtual_time(main())
