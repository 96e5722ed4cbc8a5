# SPDX-License-Identifier: Apache-2.0
"""What an answer and a lookup mean together, written down a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.domain.ambiguity import after_ambiguous, confirmation
from connector.domain.answer_policy import AmbiguousPolicy, AnswerPolicy, OnAmbiguous
from connector.domain.facts import Observed
from connector.domain.lookups import PAIRS, PROBE_ORDER_ID, after_lookup
from connector.domain.orders import Cancel, Create, LineItem, Lookup, Operation, Order, Update
from connector.domain.outcomes import (
    AlreadyApplied,
    Ambiguous,
    Answer,
    Applied,
    Finalized,
    Found,
    Halt,
    Knowledge,
    LookUp,
    NotFound,
    Observe,
    Question,
    Refused,
    Retry,
)
from connector.domain.responses import interpret

if TYPE_CHECKING:
    from connector.domain.orders import Call
    from connector.domain.outcomes import Outcome, Settled

ORDER = Order("1989", 4000, "USD", "2026-01-01T00:00:00Z", (LineItem("a", 3000, 2), LineItem("b", 1000, 1)))
CREATE, UPDATE, CANCEL, LOOKUP = Create(ORDER), Update(ORDER), Cancel("1989"), Lookup("1989")
AS_TOLD = Found(ORDER._replace(line_items=ORDER.line_items[::-1], purchase_date=""), is_cancelled=False)
WITHOUT_LINES = Found(ORDER._replace(line_items=()), is_cancelled=False)
OTHER = Found(ORDER._replace(total=7000), is_cancelled=False)
OTHER_LINES = Found(ORDER._replace(line_items=(LineItem("a", 4000, 2),)), is_cancelled=False)
CANCELLED = Found(ORDER, is_cancelled=True)
UNREADABLE = Found(None, is_cancelled=False)
FORBIDDEN = LookUp(Question.PROBE, "no")
EXISTS, GONE, NO_ANSWER, UNCONFIRMED = Question.EXISTS, Question.GONE, Question.NO_ANSWER, Question.UNCONFIRMED


def settle(call: Call, question: Question, shown: Outcome, waited_seconds: float = 0.0) -> Settled:
    """Return what comes of a question."""
    return after_lookup(call, LookUp(question, "Button answered"), shown, waited_seconds)


@pytest.mark.parametrize(
    ("call", "question", "shown", "expected"),
    [
        # "It exists", of which the ledger knows nothing: what is there becomes a fact.
        (CREATE, EXISTS, OTHER, Observe),
        (CREATE, EXISTS, CANCELLED, Observe),
        (CREATE, EXISTS, UNREADABLE, Refused),
        (CREATE, EXISTS, Found(None, is_cancelled=True), Refused),
        (CREATE, EXISTS, NotFound(), Retry),
        (CREATE, EXISTS, FORBIDDEN, LookUp),
        # Nothing to cancel, or to change.
        (CANCEL, GONE, NotFound(), AlreadyApplied),
        (CANCEL, GONE, CANCELLED, AlreadyApplied),
        (CANCEL, GONE, OTHER, Retry),
        (CANCEL, GONE, UNREADABLE, Retry),
        (CANCEL, GONE, FORBIDDEN, LookUp),
        (UPDATE, GONE, AS_TOLD, AlreadyApplied),
        (UPDATE, GONE, WITHOUT_LINES, AlreadyApplied),
        (UPDATE, GONE, OTHER, Retry),
        (UPDATE, GONE, OTHER_LINES, Retry),
        (UPDATE, GONE, UNREADABLE, Retry),
        (UPDATE, GONE, NotFound(), Retry),
        (UPDATE, GONE, CANCELLED, Retry),
        # Not allowed to change it: final, unless it is done already.
        (CANCEL, Question.FORBIDDEN, OTHER, Finalized),
        (CANCEL, Question.FORBIDDEN, NotFound(), Finalized),
        (CANCEL, Question.FORBIDDEN, UNREADABLE, Finalized),
        (CANCEL, Question.FORBIDDEN, CANCELLED, AlreadyApplied),
        (UPDATE, Question.FORBIDDEN, OTHER, Finalized),
        (UPDATE, Question.FORBIDDEN, AS_TOLD, AlreadyApplied),
        (UPDATE, Question.FORBIDDEN, CANCELLED, Retry),
        (UPDATE, Question.FORBIDDEN, FORBIDDEN, LookUp),
        # The probe: all of us, or this order alone.
        (CREATE, Question.PROBE, FORBIDDEN, Halt),
        (CANCEL, Question.PROBE, FORBIDDEN, Halt),
        (CREATE, Question.PROBE, NotFound(), Refused),
        (UPDATE, Question.PROBE, NotFound(), Refused),
        (LOOKUP, Question.PROBE, NotFound(), Refused),
        # No answer, and the policy says to look.
        (CREATE, NO_ANSWER, OTHER, Observe),
        (CREATE, NO_ANSWER, NotFound(), Retry),
        (CREATE, NO_ANSWER, UNREADABLE, Retry),
        (UPDATE, NO_ANSWER, AS_TOLD, Applied),
        (UPDATE, NO_ANSWER, OTHER, Retry),
        (UPDATE, NO_ANSWER, NotFound(), Retry),
        (UPDATE, NO_ANSWER, CANCELLED, Retry),
        (CANCEL, NO_ANSWER, CANCELLED, Applied),
        (CANCEL, NO_ANSWER, NotFound(), Applied),
        (CANCEL, NO_ANSWER, OTHER, Retry),
        (CANCEL, NO_ANSWER, FORBIDDEN, Retry),
        # Acknowledged, and an attempt without answer may have landed since.
        (UPDATE, UNCONFIRMED, AS_TOLD, Applied),
        (UPDATE, UNCONFIRMED, OTHER, Retry),
        (UPDATE, UNCONFIRMED, NotFound(), Applied),
        (UPDATE, UNCONFIRMED, UNREADABLE, Applied),
        (UPDATE, UNCONFIRMED, CANCELLED, Applied),
        (UPDATE, UNCONFIRMED, Refused("http_400", ""), Applied),
        (CANCEL, UNCONFIRMED, CANCELLED, Applied),
        (CANCEL, UNCONFIRMED, OTHER, Retry),
    ],
)
def test_each_pair_of_answers_means_what_is_listed(
    call: Call,
    question: Question,
    shown: Outcome,
    expected: type[Settled],
) -> None:
    """A pair that comes to mean something else is a row in the code and a line here."""
    assert type(settle(call, question, shown)) is expected


@pytest.mark.parametrize(
    ("call", "question", "shown", "reason"),
    [
        (CREATE, EXISTS, NotFound(), "order_absent"),
        (CANCEL, GONE, OTHER, "gone_but_open"),
        (UPDATE, GONE, NotFound(), "order_absent"),
        (UPDATE, GONE, CANCELLED, "order_cancelled"),
        (UPDATE, GONE, UNREADABLE, "gone_but_open"),
    ],
)
def test_answers_that_contradict_each_other_are_waited_for_within_the_visibility_timeout(
    call: Call,
    question: Question,
    shown: Outcome,
    reason: str,
) -> None:
    """Button may be a moment behind itself; after 30 s people look, and both answers are in the letter."""
    early, late = settle(call, question, shown, 29.9), settle(call, question, shown, 30.0)
    assert isinstance(early, Retry)
    assert early.is_of_the_order
    assert isinstance(late, Refused)
    assert early.reason == late.reason == reason
    assert late.message.startswith("Button answered; a lookup then showed: ")
    asked = LookUp(question, "")
    assert isinstance(after_lookup(call, asked, shown, 2.0, AnswerPolicy(visibility_seconds=1.0)), Refused)


def test_what_is_there_becomes_a_fact_as_it_is() -> None:
    """A cancelled order is seen as cancelled."""
    assert OTHER.order is not None
    assert settle(CREATE, EXISTS, OTHER) == Observe(Observed(OTHER.order))
    assert settle(CREATE, EXISTS, CANCELLED) == Observe(Observed(ORDER, is_cancelled=True))


@pytest.mark.parametrize("question", Question)
@pytest.mark.parametrize("call", [CREATE, UPDATE, CANCEL, LOOKUP])
def test_an_outage_or_a_refused_key_during_a_lookup_is_what_it_is(call: Call, question: Question) -> None:
    """P5: a lookup that cannot be made decides nothing about the order."""
    for outage in (Retry("http_503", "down", 7.0), Halt("unauthorized", "no")):
        assert settle(call, question, outage, 1_000.0) == outage


def test_a_forbidden_create_halts_only_if_the_probe_is_forbidden_too() -> None:
    """[25] The three meanings of a 403: the organisation, this one order, a final order."""
    first = interpret(Operation.CREATE, Answer(403, "error", message="no"), Knowledge.NOTHING)
    assert isinstance(first, LookUp)
    assert first.is_probe
    too = interpret(Operation.LOOKUP, Answer(403, "error"), Knowledge.NOTHING)
    assert isinstance(after_lookup(CREATE, first, too, 0.0), Halt)
    unknown = interpret(Operation.LOOKUP, Answer(404, "error"), Knowledge.NOTHING)
    assert isinstance(after_lookup(CREATE, first, unknown, 0.0), Refused)
    change = interpret(Operation.UPDATE, Answer(403, "error"), Knowledge.OPEN)
    assert isinstance(change, LookUp)
    assert not change.is_probe
    assert after_lookup(UPDATE, change, too, 0.0) == LookUp(
        Question.PROBE,
        "Button answered update with HTTP 403; a lookup then showed: that the lookup is forbidden, too",
    )
    assert PROBE_ORDER_ID.isascii()


def test_every_row_of_pairs_can_be_reached() -> None:
    """A row that another one hides says nothing, and nobody would notice that it is wrong."""
    seen: list[tuple[Operation, Question, object]] = []
    for pair in PAIRS:
        own = [(each, pair.question, shown) for each in pair.operations for shown in pair.shown]
        assert any(key not in seen for key in own), pair
        seen += own


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.UPDATE, Operation.CANCEL])
@pytest.mark.parametrize(
    ("choice", "expected"),
    [(OnAmbiguous.RETRY, Retry), (OnAmbiguous.LOOKUP, LookUp), (OnAmbiguous.DEAD_LETTER, Refused)],
)
def test_a_call_without_answer_is_treated_as_its_policy_says(
    operation: Operation,
    choice: OnAmbiguous,
    expected: type[Settled],
) -> None:
    """[48] One setting for each call that writes; the others keep the default, which is to repeat."""
    policy = AnswerPolicy(ambiguous=AmbiguousPolicy()._replace(**{operation.value: choice}), settle_seconds=2.0)
    unknown = Ambiguous("no_answer", "timed out")
    for each in Operation:
        outcome = after_ambiguous(each, unknown, Knowledge.OPEN, policy)
        assert type(outcome) is (expected if each is operation else Retry)
        assert outcome.message.startswith("timed out")
        if isinstance(outcome, LookUp):
            assert (outcome.question, outcome.after_seconds) == (NO_ANSWER, 2.0)
    blind = after_ambiguous(operation, unknown, Knowledge.NO_LEDGER, policy)
    assert not isinstance(blind, LookUp)


def test_only_changes_are_confirmed_and_only_after_a_settle_time() -> None:
    """A late create finds the order there; a late update overwrites what was told since."""
    policy = AnswerPolicy(settle_seconds=3.0)
    asked = {each: confirmation(each, policy) for each in Operation}
    assert [each for each, lookup in asked.items() if lookup is not None] == [Operation.UPDATE, Operation.CANCEL]
    for lookup in asked.values():
        assert lookup is None or (lookup.question, lookup.after_seconds) == (UNCONFIRMED, 3.0)
