# SPDX-License-Identifier: Apache-2.0
"""Every answer that HTTP can give means something; played through whole instead of drawn."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.answer_policy import CHOICES, AnswerPolicy, Override
from connector.domain.lookups import after_lookup
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
    NoAnswer,
    NotFound,
    NotSent,
    Observe,
    ObservedOrder,
    Question,
    Refused,
    Retry,
)
from connector.domain.responses import interpret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.domain.orders import Call
    from connector.domain.outcomes import Outcome

_METAS = ("ok", "error", "???", "", None)
_ORDER = Order("1989", 4000, "USD", "", (LineItem("sku-1", 4000, 2),))
_CALLS: tuple[Call, ...] = (Create(_ORDER), Update(_ORDER), Cancel("1989"), Lookup("1989"))
_WAITED_FOR = {401, 407, 408, 425, 429, *range(300, 400), *range(500, 600)}


def _all() -> Iterator[tuple[Operation, Answer, Knowledge, Outcome]]:
    for operation, status, meta, is_empty, knowledge in product(
        Operation,
        range(100, 600),
        _METAS,
        (False, True),
        Knowledge,
    ):
        answer = Answer(status, meta, retry_after_seconds=3.0, message="said", is_empty=is_empty)
        yield operation, answer, knowledge, interpret(operation, answer, knowledge)


def test_only_a_2xx_acknowledges_and_only_with_ok_or_after_a_cancel_without_a_body() -> None:
    """P1: nothing else may let an offset pass as delivered for the first time, whatever the ledger knows."""
    for operation, answer, _, outcome in _all():
        is_ok = answer.meta_status == "ok" and operation is not Operation.LOOKUP
        is_silent_cancel = operation is Operation.CANCEL and (answer.is_empty or answer.status == 204)
        says_nothing = answer.meta_status is None
        expected = 200 <= answer.status < 300 and (is_ok or (is_silent_cancel and says_nothing))
        assert isinstance(outcome, Applied) == expected, (operation, answer, outcome)


def test_applied_before_is_believed_only_where_a_repetition_would_be_told_so() -> None:
    """Any other answer would drop an order or a refund; with a ledger, only where it agrees."""
    believed = {
        (operation, answer.status, knowledge)
        for operation, answer, knowledge, out in _all()
        if isinstance(out, AlreadyApplied)
    }
    repeated = {
        (Operation.CREATE, 409, each) for each in (Knowledge.NO_LEDGER, Knowledge.OPEN, Knowledge.CANCELLED)
    } | {
        (Operation.CANCEL, status, each)
        for status in (404, 409, 410)
        for each in (Knowledge.NO_LEDGER, Knowledge.CANCELLED)
    }
    overtaken = {(Operation.UPDATE, status, Knowledge.CANCELLED) for status in (404, 409, 410)}
    assert believed == repeated | overtaken


def test_an_outage_refuses_nothing() -> None:
    """P5: what the other side, the way to it or the credentials cannot do is never held against an order."""
    for _, answer, _, outcome in _all():
        if answer.status in _WAITED_FOR:
            assert not isinstance(outcome, Refused | Finalized | AlreadyApplied | LookUp), (answer, outcome)
        assert isinstance(outcome, Halt) == (answer.status == 401)


def test_without_a_ledger_nothing_is_looked_up() -> None:
    """There would be nowhere to write what is seen."""
    for _, _, knowledge, outcome in _all():
        assert not (isinstance(outcome, LookUp) and knowledge is Knowledge.NO_LEDGER)


def test_a_lookup_changes_nothing_so_none_is_ambiguous_or_applied() -> None:
    """And nothing but a lookup finds an order, or none."""
    for operation, _, _, outcome in _all():
        if operation is Operation.LOOKUP:
            assert not isinstance(outcome, Ambiguous | Applied | AlreadyApplied | Finalized)
        else:
            assert not isinstance(outcome, Found | NotFound)


def test_every_outcome_has_a_bounded_name_and_says_what_was_answered() -> None:
    """Names become metrics, messages dead letters; the time that Button named is kept."""
    names = set()
    for operation, answer, _, outcome in _all():
        if isinstance(outcome, Applied):
            continue
        names.add(outcome.reason)
        assert re.fullmatch(r"[a-z_]+[0-9]{0,3}", outcome.reason)
        if isinstance(outcome, Retry | Ambiguous | Refused | Halt | LookUp):
            assert str(answer.status) in outcome.message
            assert operation in outcome.message
            assert "said" in outcome.message
        if isinstance(outcome, Retry):
            assert outcome.after_seconds == 3.0
    assert len(names) < 250


_answers = st.builds(
    Answer,
    st.integers(0, 999),
    st.sampled_from(_METAS),
    st.none() | st.floats(0, 300),
    st.text(max_size=5),
    st.none() | st.text(max_size=5),
    st.booleans(),
    st.none() | st.text(max_size=5),
    st.none() | st.builds(ObservedOrder, st.none() | st.just(_ORDER), st.booleans()),
)
_replies = _answers | st.builds(NotSent, st.text(max_size=5)) | st.builds(NoAnswer, st.text(max_size=5))
_keys = st.integers(200, 499).map(str) | st.sampled_from(["2xx", "4xx", "typed"])
_overrides = st.sampled_from(Operation).flatmap(
    lambda operation: st.builds(Override, st.just(operation), _keys, st.sampled_from(CHOICES[operation])),
)
_policies = st.builds(AnswerPolicy, st.lists(_overrides, max_size=4).map(tuple))


@given(st.sampled_from(Operation), _replies, st.sampled_from(Knowledge), _policies)
def test_no_setting_makes_a_success_of_a_failure_or_a_failure_of_an_outage(
    operation: Operation,
    reply: Answer | NotSent | NoAnswer,
    knowledge: Knowledge,
    policy: AnswerPolicy,
) -> None:
    """Whatever is chosen: an acknowledgement stays one, nothing else becomes one, and what is down is waited for."""
    chosen, listed = interpret(operation, reply, knowledge, policy), interpret(operation, reply, knowledge)
    is_success = isinstance(listed, Applied | Found)
    assert isinstance(chosen, Applied) == isinstance(listed, Applied)
    if is_success or not isinstance(reply, Answer) or reply.status in _WAITED_FOR:
        assert chosen == listed
    if operation is Operation.UPDATE:
        assert isinstance(chosen, AlreadyApplied) <= isinstance(listed, AlreadyApplied)
    assert not (isinstance(chosen, LookUp) and knowledge is Knowledge.NO_LEDGER)


@given(
    st.sampled_from(_CALLS),
    st.builds(LookUp, st.sampled_from(Question), st.text(max_size=5)),
    _replies,
    st.sampled_from(Knowledge),
    st.floats(0, 100),
)
def test_every_pair_of_answers_comes_to_an_end(
    call: Call,
    asked: LookUp,
    reply: Answer | NotSent | NoAnswer,
    knowledge: Knowledge,
    waited_seconds: float,
) -> None:
    """Two lookups at most; an outage during one refuses nothing; only what the order shows acknowledges."""
    shown = interpret(Operation.LOOKUP, reply, knowledge)
    settled = after_lookup(call, asked, shown, waited_seconds)
    if isinstance(settled, LookUp):
        assert settled.question is Question.PROBE
        assert asked.question is not Question.PROBE
    if isinstance(shown, Retry | Halt):
        assert settled == shown
    if isinstance(settled, Applied):
        assert asked.question in {Question.NO_ANSWER, Question.UNCONFIRMED}
    if isinstance(settled, AlreadyApplied):
        assert isinstance(shown, Found | NotFound)
    if isinstance(settled, Observe):
        assert settled.observed.order is _ORDER
    if isinstance(settled, Halt) and shown != settled:
        assert asked.is_probe
        assert isinstance(shown, LookUp)
