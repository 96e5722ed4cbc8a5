# SPDX-License-Identifier: Apache-2.0
"""What is said of an order: from the ledger's records, the dead letters' headers and Button's answer."""

from __future__ import annotations

import pytest

from connector.domain.dead_letter import DeadLetter, Stage
from connector.domain.facts import Fact, Mark, MarkKind, Purchase, WaitingRecord
from connector.domain.folding import UNKNOWN, fold
from connector.domain.orders import LineItem, Order
from connector.engine.ports import RawRecord, TopicPartition
from connector.kafka.letters import Note, Place, State
from connector.orders_view.at_button import compared
from connector.orders_view.history import OrderHistory
from connector.orders_view.letters import letters_of
from connector.orders_view.view import OrderView, facts_of, order_view, stand_of
from connector.orders_view.words import money, time_of
from connector.tables.fact_codec import encode_fact, key_of
from connector.tables.ledger_rows import NewerFactError
from tests.support.order_facts import DAY_MS, PURCHASED_AT_MS, bought, fact, line, order, refund, refunded, waiting

SHOES = order(line("shoe", 2000, 2))
HORIZON_MS = 100 * DAY_MS
PLACE = TopicPartition("ledger", 0)


def record(offset: int, written: Fact | None, key: bytes | None = None, order_id: str = "1994") -> RawRecord:
    """Return a record of the ledger's topic."""
    key = key or (key_of(order_id, written) if written is not None else None)
    value = None if written is None else encode_fact(written)
    return RawRecord(PLACE, offset, key, value, (), PURCHASED_AT_MS + offset)


def view_of(*records: RawRecord, now_ms: int = PURCHASED_AT_MS) -> OrderView:
    """Return what these records say of the order 1994."""
    history = OrderHistory("1994", HORIZON_MS)
    history.take(records)
    facts = facts_of("1994", history)
    newest_ms = history.entries[-1].written_at_ms if facts else 0
    return order_view("1994", "ledger/0", history, facts, stand_of(facts, newest_ms, now_ms, HORIZON_MS))


def states(view: OrderView) -> dict[str, str]:
    """Return how each fact stands."""
    return {each.event_id: each.state for each in view.facts}


PURCHASE = fact("p", bought(SHOES), call="create")._replace(base=-1)
REFUND = fact("r", refund(refunded("shoe", 1)), at=5)._replace(told=("p", "r"), base=0)


def test_other_orders_tombstones_and_foreign_keys_are_passed_over() -> None:
    """Only the order's own records are kept."""
    foreign = record(3, None, b"not a key")
    view = view_of(record(0, PURCHASE), record(1, REFUND, order_id="other"), foreign, record(4, None, b'["ledger"]'))
    assert [each.event_id for each in view.facts] == ["p"]
    assert view_of(record(0, PURCHASE), record(1, None, key_of("1994", PURCHASE))).facts == []


def test_an_entry_is_clean_if_it_told_all_that_was_known_at_its_place() -> None:
    """One whose writer did not know of the purchase is told again."""
    assert states(view_of(record(0, PURCHASE), record(1, REFUND))) == {"p": "clean", "r": "clean"}
    crossed = REFUND._replace(told=("r",), base=-1)
    assert states(view_of(record(0, PURCHASE), record(1, crossed)))["r"] == "not clean: its event is decided again"


def test_a_refund_says_what_it_waits_for_and_with_what_it_was_told() -> None:
    """Before its purchase, and after it."""
    early = waiting("r", refund(refunded("shoe", 1)))
    assert states(view_of(record(0, early))) == {"r": "waits for its purchase"}
    told = PURCHASE._replace(told=("p", "r"), base=0)
    view = view_of(record(0, early), record(1, told))
    assert (view.status, view.total) == ("open", 1000)
    assert states(view) == {"p": "clean", "r": "told with p"}


def test_a_refund_without_a_place_in_its_order_is_said_to_be_left_out() -> None:
    """With the reason."""
    early = waiting("r", refund(refunded("hat", 1)))
    view = view_of(record(0, early), record(1, PURCHASE._replace(told=("p", "r"), base=0)))
    assert states(view)["r"].startswith("left out: the refund names the product 'hat'")
    assert view.total == 2000


def test_marks_are_shown_and_park_an_order_until_its_purchase_is_told() -> None:
    """Replayed, the order is parked no more."""
    mark = Fact("p", Mark(MarkKind.PARKED, "bad_total"), PURCHASED_AT_MS)
    view = view_of(record(0, mark))
    assert (view.status, view.is_parked) == ("unknown", True)
    assert states(view) == {"p": "waits for its dead letter to be replayed or dropped"}
    assert not view_of(record(0, mark), record(1, PURCHASE)).is_parked
    given_up = Fact("r", Mark(MarkKind.GIVEN_UP, "refund_without_purchase"), PURCHASED_AT_MS)
    assert view_of(record(0, given_up)).facts[0].said == "given up: it is a dead letter (refund_without_purchase)"


def test_an_order_past_the_horizon_is_shown_as_forgotten() -> None:
    """The connector would take it for one that it never saw."""
    view = view_of(record(0, PURCHASE), now_ms=PURCHASED_AT_MS + HORIZON_MS + 1)
    assert (view.is_forgotten, view.status, len(view.facts)) == (True, "unknown", 1)


def test_a_fact_of_a_newer_connector_stops_the_view() -> None:
    """Half understood, it would be shown wrongly; one of another order is nobody's business here."""
    newer = RawRecord(PLACE, 0, key_of("1994", PURCHASE), b'{"v":99,"p":1}', (), 0)
    OrderHistory("1995", HORIZON_MS).take([newer])
    with pytest.raises(NewerFactError, match="ledger/0 offset 0: it was written by a newer connector"):
        OrderHistory("1994", HORIZON_MS).take([newer])


def test_neither_a_waiting_record_nor_a_line_s_attributes_are_shown() -> None:
    """A customer's words may be in them."""
    secret = WaitingRecord(b"k", b"jane@example.com", (), 0)
    early = waiting("r", refund(refunded("shoe", 1)))._replace(record=secret)
    engraved = order(LineItem("ring", 100, 1, "ring", attributes={"engraving": "For Jane"}))
    shown = str(view_of(record(0, early), record(1, fact("p", Purchase(engraved, None), call="create"))).as_json())
    assert "jane" not in shown.lower()
    assert "amFuZUBl" not in shown


def test_dead_letters_are_those_whose_own_header_or_unread_key_is_the_order() -> None:
    """The newest letter's header counts, where a letter became one again."""

    def letter(order_id: str, key: bytes = b"k", before: str | None = None) -> RawRecord:
        own = DeadLetter("events", 2, 7, 0, Stage.MAP, "over_refund", "too much", 3, 1_700_000_000_000, order_id)
        earlier = [] if before is None else [("button-connector.order-id", before.encode())]
        return RawRecord(TopicPartition("dead", 0), 5, key, b"", [*earlier, *own.headers()], 0)

    others = [letter("M-2"), letter("M-2", before="M-1"), letter("M-2", b"M-1")]
    (found,) = letters_of("M-1", "dead", [[*(each._replace(offset=6) for each in others), letter("M-1")]])
    assert tuple(found) == (
        "dead/0 at offset 5",
        "events/2 at offset 7, event 0",
        "map",
        "over_refund",
        "too much",
        3,
        "2023-11-14T22:13:20Z",
        "open",
    )
    assert len(letters_of("M-1", "dead", [[letter("", b"M-1"), letter("", b"M-2")._replace(offset=6)]])) == 1
    assert letters_of("M-1", "dead", [[RawRecord(PLACE, 0, b"M-1", b"", (), 0)]]) == []


def test_a_dead_letter_that_was_replayed_or_dropped_says_so() -> None:
    """By a note behind it, in the same partition."""
    place = TopicPartition("dead", 0)
    own = DeadLetter("events", 2, 7, 0, Stage.MAP, "over_refund", "too much", 3, 1_700_000_000_000, "M-1")
    letter = RawRecord(place, 5, b"M-1", b"", own.headers(), 0)
    other = letter._replace(offset=6)
    note = RawRecord(place, 9, b"M-1", None, Note(Place(0, 5), State.REPLAYED, 1).headers(), 0)
    assert [each.state for each in letters_of("M-1", "dead", [[letter, other], [note]])] == ["replayed", "open"]


def _with_lines(*lines: LineItem, total: int, currency: str = "USD") -> Order:
    return order(*lines, total=total, currency=currency)


@pytest.mark.parametrize(
    ("facts", "shown", "status", "agrees", "words"),
    [
        ([PURCHASE], SHOES, "open", True, "as the ledger says, total and lines"),
        ([PURCHASE], _with_lines(total=2000), "open", True, "the total is the ledger's; Button shows no lines"),
        ([PURCHASE], _with_lines(total=1999), "open", False, "the ledger says 20.00 USD, Button says 19.99 USD"),
        ([PURCHASE], _with_lines(total=2000, currency="EUR"), "open", False, "Button says 20.00 EUR"),
        ([PURCHASE], order(line("hat", 2000)), "open", False, "the total is the ledger's, the lines are not"),
        ([PURCHASE], None, "open", None, "cannot be read"),
        ([PURCHASE], None, "absent", False, "the ledger says open, Button says absent"),
        ([PURCHASE], SHOES, "cancelled", False, "the ledger says open, Button says cancelled"),
        ([fact("c", refund(), call="cancel")], None, "absent", True, "as the ledger says"),
        ([fact("c", refund(), call="cancel")], SHOES, "open", False, "the ledger says cancelled, Button says open"),
        ([waiting("r", refund())], None, "absent", True, "Button is right to have no order"),
        ([waiting("r", refund())], SHOES, "open", False, "the ledger says waiting, Button says open"),
        ([], SHOES, "open", None, "nothing to compare"),
    ],
)
def test_button_s_view_is_compared_with_the_ledger_s(
    facts: list[Fact],
    shown: Order | None,
    status: str,
    agrees: bool | None,  # noqa: FBT001  pytest passes it by name
    words: str,
) -> None:
    """Plainly."""
    view = compared(fold(facts) if facts else UNKNOWN, shown, status)
    assert view.agrees is agrees
    assert words in view.comparison
    assert view.comparison.startswith("DIFFERS") is (agrees is False)


@pytest.mark.parametrize(
    ("minor_units", "currency", "shown"),
    [(6500, "USD", "65.00 USD"), (5, "USD", "0.05 USD"), (700, "JPY", "700 JPY"), (1, "KWD", "0.001 KWD")],
)
def test_money_is_shown_with_all_decimals_of_its_currency(minor_units: int, currency: str, shown: str) -> None:
    """ISO 4217 says how many."""
    assert money(minor_units, currency) == shown


def test_a_time_that_is_none_is_shown_as_its_number() -> None:
    """Producers write what they like."""
    assert time_of(10**18) == f"{10**18} ms"
