# SPDX-License-Identifier: Apache-2.0
"""Every row of the tables of answers, played: the sandbox answers, the real client reads, the row's outcome follows.

A case says which answer it expects to see (status and body), so that it cannot pass by another answer; which row such
an answer belongs to is looked up, and no row may be without a case.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from connector.button.client import ButtonClient
from connector.domain.ambiguity import after_ambiguous, confirmation
from connector.domain.answer_policy import AmbiguousPolicy, AnswerPolicy, OnAmbiguous
from connector.domain.lookups import PAIRS, PROBE_ORDER_ID, Shown, after_lookup, operation_of
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
    Question,
    Refused,
    Retry,
)
from connector.domain.response_table import ROWS
from connector.domain.responses import interpret
from connector.sandbox import Sandbox
from tests.support.transports import DEADLINE_SECONDS, for_each_transport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from connector.domain.orders import Call
    from connector.domain.outcomes import Outcome, Reply, Settled
    from tests.support.transports import Connect

pytestmark = for_each_transport

ORDER = Order("1989", 7000, "USD", "2026-02-03T04:05:06Z", (LineItem("sku-1", 4000, 2), LineItem("sku-2", 3000, 1)))
LESS = ORDER._replace(total=4000, line_items=ORDER.line_items[:1])
CREATE, CREATE_LESS, UPDATE, UPDATE_SAME = Create(ORDER), Create(LESS), Update(LESS), Update(ORDER)
CANCEL, LOOKUP = Cancel("1989"), Lookup("1989")
BLIND, NOTHING, WAITING, OPEN, OFF = Knowledge
KEY = "sk-sandbox"
SANDBOX_S_WORD = {**{each: each.value for each in Operation}, Operation.LOOKUP: "get"}
EXISTS, GONE, FORBIDDEN, PROBE, NO_ANSWER, UNCONFIRMED = Question


@dataclass(frozen=True)
class Case:
    """A call in a situation: what was sent before, how the sandbox is switched, and its faults for this call.

    ``sees`` is the status and the body that the call must meet, by the words of the table.
    """

    call: Call
    sees: tuple[int, str]
    outcome: type[object]
    reason: str = ""
    knowledge: Knowledge = OPEN
    before: tuple[Call, ...] = ()
    switches: Mapping[str, object] = field(default_factory=dict)
    fault: Mapping[str, Any] = field(default_factory=dict)
    key: str = KEY
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Name the case."""
        return f"{operation_of(self.call)}-{self.sees[0]}-{self.sees[1]}-{self.knowledge.name.lower()}"


def failing(status: int) -> dict[str, Any]:
    """Plan that the next call is answered with a status, nothing taken."""
    return {"fault": "fail", "status": status}


BAD = Create(ORDER._replace(currency="dollars"))
HELD, HELD_OFF = (CREATE,), (CREATE, CANCEL)
FINAL = {"finalization_seconds": 1e-9}
HTML = {"error_body": "html"}

ANSWERS = (
    # 2xx
    Case(CREATE, (200, "ok"), Applied),
    Case(CREATE, (202, "ok"), Applied, switches={"create_answers": "202_validated_later"}),
    Case(UPDATE, (200, "ok"), Applied, before=HELD),
    Case(CANCEL, (200, "ok"), Applied, before=HELD),
    Case(CANCEL, (200, "ok"), Applied, before=HELD, switches={"cancel_answers": "200_object"}),
    Case(CANCEL, (204, "empty"), Applied, before=HELD, switches={"cancel_answers": "204"}),
    Case(LOOKUP, (200, "ok"), Found, "found", before=HELD),
    Case(LOOKUP, (200, "ok"), Found, "found", before=HELD, switches={"get_shows": "id"}),
    Case(CREATE, (200, "error"), Refused, "error_in_success", fault={"fault": "meta_error"}),
    Case(CREATE, (200, "unreadable"), Ambiguous, "unreadable_answer", fault={"fault": "page"}),
    Case(CREATE, (200, "unreadable"), Ambiguous, "unreadable_answer", fault={"fault": "huge_body"}),
    Case(LOOKUP, (200, "unreadable"), Retry, "unreadable_answer", before=HELD, fault={"fault": "page"}),
    # "There is no such thing", by somebody or by Button.
    Case(CANCEL, (404, "unreadable"), Retry, "not_button", switches=HTML),
    Case(CANCEL, (404, "empty"), Retry, "not_button", switches={"error_body": "empty"}),
    Case(CANCEL, (404, "unreadable"), Retry, "not_button", switches={"error_body": "malformed"}),
    Case(LOOKUP, (404, "error"), NotFound, "not_found"),
    Case(LOOKUP, (404, "error"), NotFound, "not_found", before=HELD_OFF),
    # A create that finds the order there.
    Case(CREATE, (409, "error"), LookUp, "already_exists", NOTHING, before=HELD),
    Case(CREATE, (409, "error"), LookUp, "already_exists", WAITING, before=HELD),
    Case(CREATE, (409, "error"), AlreadyApplied, "already_exists", OPEN, before=HELD),
    Case(CREATE, (409, "error"), AlreadyApplied, "already_exists", OFF, before=HELD_OFF),
    Case(CREATE, (409, "error"), AlreadyApplied, "already_exists", BLIND, before=HELD),
    Case(CREATE, (200, "ok"), Applied, before=HELD, switches={"create_of_known_id": "200_echo"}),
    Case(CREATE, (200, "ok"), Applied, before=HELD, switches={"create_of_known_id": "200_upsert"}),
    # A cancel, or an update, that finds none.
    Case(CANCEL, (404, "error"), AlreadyApplied, "already_cancelled", BLIND, before=HELD_OFF),
    Case(CANCEL, (409, "error"), AlreadyApplied, "already_cancelled", OFF, HELD_OFF, {"second_cancel": "409"}),
    Case(CANCEL, (410, "error"), LookUp, "gone", OPEN, HELD_OFF, {"second_cancel": "410"}),
    Case(CANCEL, (404, "error"), LookUp, "gone", NOTHING),
    Case(UPDATE, (404, "error"), Refused, "http_404", BLIND),
    Case(UPDATE, (404, "error"), LookUp, "gone", OPEN),
    Case(UPDATE, (410, "error"), LookUp, "gone", OPEN, HELD_OFF, {"update_of_cancelled_id": "410"}),
    Case(UPDATE, (409, "error"), AlreadyApplied, "already_cancelled", OFF, HELD_OFF, {"update_of_cancelled_id": "409"}),
    # The three meanings of a 403.
    Case(CREATE, (403, "error"), LookUp, "forbidden_probe", NOTHING, switches={"forbidden_order_ids": "*"}),
    Case(LOOKUP, (403, "error"), LookUp, "forbidden_probe", NOTHING, switches={"forbidden_order_ids": "*"}),
    Case(UPDATE, (403, "error"), LookUp, "forbidden", OPEN, HELD, FINAL),
    Case(CANCEL, (403, "error"), LookUp, "forbidden", OPEN, HELD, FINAL),
    Case(CREATE, (403, "error"), Retry, "forbidden", BLIND, switches={"forbidden_order_ids": "*"}),
    Case(CANCEL, (403, "error"), Refused, "forbidden", BLIND, HELD, FINAL),
    # The key, the proxy, the address, the load.
    Case(CREATE, (401, "error"), Halt, "unauthorized", key="sk-wrong"),
    Case(LOOKUP, (401, "unreadable"), Halt, "unauthorized", switches=HTML, key="sk-wrong"),
    Case(CREATE, (407, "error"), Retry, "http_407", fault=failing(407)),
    Case(CREATE, (408, "error"), Retry, "http_408", fault=failing(408)),
    Case(UPDATE, (425, "error"), Retry, "http_425", before=HELD, fault=failing(425)),
    Case(CREATE, (307, "error"), Retry, "redirected", fault={"fault": "redirect"}),
    Case(CREATE, (503, "error"), Retry, "http_503", switches={"availability": "503"}),
    Case(CREATE, (500, "error"), Retry, "http_500", fault={"fault": "fail_after", "status": 500}),
    # What Button does not want.
    Case(BAD, (400, "error"), Refused, "http_400"),
    Case(BAD, (400, "unreadable"), Refused, "http_400", switches=HTML),
    Case(UPDATE, (422, "error"), Refused, "http_422", OPEN, HELD, {**FINAL, "after_finalization": "422"}),
    Case(UPDATE, (400, "error"), Refused, "http_400", OPEN, switches={"update_of_unknown_id": "400"}),
    Case(CANCEL, (400, "error"), Refused, "http_400", OPEN, switches={"cancel_of_unknown_id": "400"}),
)


@asynccontextmanager
async def situation(case: Case | Pair, connect: Connect) -> AsyncIterator[tuple[Sandbox, ButtonClient]]:
    """Bring sandbox and client to where the case begins."""
    options = {"max_body_bytes": 100_000, **getattr(case, "options", {})}
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        Sandbox() as sandbox,
        connect(sandbox.url, **options) as transport,
    ):
        good = ButtonClient(transport, lambda: KEY)
        for call in case.before:
            assert isinstance(await good.send(call), Answer)
        sandbox.set(huge_body_bytes=200_000, **case.switches)
        if case.fault:
            sandbox.add_fault("1989", **{"operation": SANDBOX_S_WORD[operation_of(case.call)], **case.fault})
        yield sandbox, ButtonClient(transport, lambda: getattr(case, "key", KEY))


def body_of(answer: Answer) -> str:
    """Return what the table calls the body of an answer."""
    return answer.meta_status or ("empty" if answer.is_empty else "unreadable")


@pytest.mark.parametrize("case", ANSWERS, ids=str)
async def test_each_answer_of_the_table_has_its_outcome(case: Case, connect: Connect) -> None:
    """As the real client reads it, over both transports."""
    async with situation(case, connect) as (_, client):
        reply = await client.send(case.call)
    assert isinstance(reply, Answer), reply
    assert (reply.status, body_of(reply)) == case.sees
    outcome = interpret(operation_of(case.call), reply, case.knowledge)
    assert type(outcome) is case.outcome, outcome
    assert case.reason == getattr(outcome, "reason", "")
    assert KEY not in repr(reply)


def test_every_row_of_the_answers_is_played(connect: Connect) -> None:
    """Whoever adds a row adds its case; the word of an undocumented meta.status has none in the sandbox."""
    del connect
    played = {_row_of(case) for case in ANSWERS} | {_row_of(case) for case in LIMITED}
    assert [row for index, row in enumerate(ROWS) if index not in played] == []


def _row_of(case: Case) -> int:
    status, body = case.sees
    return next(
        index
        for index, row in enumerate(ROWS)
        if operation_of(case.call) in row.operations
        and status in row.statuses
        and body in row.bodies
        and case.knowledge in row.knowledge
    )


LIMITED = tuple(
    Case(CANCEL, (429, "error"), Retry, "http_429", OPEN, HELD, {"rate_limit_headers": shape})
    for shape in ("retry_after_seconds", "retry_after_date", "button", "none")
)


@pytest.mark.parametrize("case", LIMITED, ids=lambda case: case.switches["rate_limit_headers"])
async def test_every_kind_of_limit_is_understood(case: Case, connect: Connect) -> None:
    """Seconds, a date, Button's own header, or none: the wait is what was asked for."""
    async with situation(case, connect) as (sandbox, client):
        sandbox.set(rate_limit_per_second=1)
        replies = [await client.send(CANCEL) for _ in range(3)]
    limited = [reply for reply in replies if isinstance(reply, Answer) and reply.status == 429]
    assert limited
    outcome = interpret(Operation.CANCEL, limited[0], OPEN)
    assert isinstance(outcome, Retry)
    if case.switches["rate_limit_headers"] == "none":
        assert outcome.after_seconds is None
    else:
        assert outcome.after_seconds is not None
        assert 0 <= outcome.after_seconds <= 3


@pytest.mark.parametrize("operation", ["create", "update", "cancel", "get"])
@pytest.mark.parametrize(
    "fault",
    ["drop_before", "drop_after", "no_answer", "no_answer_before", "half_body", "slow_drip"],
)
async def test_what_may_have_been_read_is_ambiguous_and_a_lookup_is_repeated(
    operation: str,
    fault: str,
    connect: Connect,
) -> None:
    """[48] Cut, silent or slow: nobody knows what became of a write; a lookup changes nothing."""
    calls: dict[str, Call] = {"create": CREATE, "update": UPDATE, "cancel": CANCEL, "get": LOOKUP}
    call = calls[operation]
    before = () if operation == "create" else HELD
    case = Case(
        call,
        (0, ""),
        Ambiguous,
        before=before,
        options={"request_timeout_seconds": 0.6, "connect_timeout_seconds": 0.3},
    )
    async with situation(case, connect) as (sandbox, client):
        sandbox.set(slow_drip_ms=200)
        sandbox.add_fault("1989", fault, operation=operation)
        reply = await client.send(call)
    assert isinstance(reply, NoAnswer)
    outcome = interpret(operation_of(call), reply, OPEN)
    assert type(outcome) is (Retry if operation == "get" else Ambiguous)


async def test_what_was_certainly_not_sent_is_simply_sent_again(connect: Connect) -> None:
    """A refused connection leaves nothing open."""
    async with situation(Case(CREATE, (0, ""), Retry), connect) as (sandbox, client):
        sandbox.set(availability="refused")
        async with asyncio.timeout(DEADLINE_SECONDS):
            while isinstance(reply := await client.send(CREATE), Answer):  # until the port is closed
                pass
    outcome = interpret(Operation.CREATE, reply, NOTHING)
    if isinstance(reply, NotSent):
        assert outcome == Retry("not_sent", reply.message)
    else:
        assert isinstance(outcome, Ambiguous)  # an open connection was cut in between


@dataclass(frozen=True)
class Pair:
    """A call whose answer leads to lookups: the last question, what the sandbox shows, and what follows."""

    call: Call
    question: Question
    shown: Shown
    outcome: type[object]
    reason: str = ""
    before: tuple[Call, ...] = HELD
    switches: Mapping[str, object] = field(default_factory=dict)
    fault: Mapping[str, Any] = field(default_factory=dict)
    knowledge: Knowledge = OPEN
    waited_seconds: float = 0.0

    def __str__(self) -> str:
        """Name the case."""
        return f"{operation_of(self.call)}-{self.question.name}-{self.shown.name}-{self.outcome.__name__}".lower()


SHOWN_OFF = {"get_of_cancelled": "200_cancelled"}
BY_ID = {"get_shows": "id"}
LOST, CUT = {"fault": "drop_after", "times": 1}, {"fault": "drop_before", "times": 1}
NOT_US = {"forbidden_order_ids": "*"}
NOT_IT = {"forbidden_order_ids": "1989"}

LOOKUPS = (
    Pair(CREATE_LESS, EXISTS, Shown.OPEN, Observe, "observed", knowledge=NOTHING),
    Pair(CREATE, EXISTS, Shown.CANCELLED, Observe, "observed", HELD_OFF, SHOWN_OFF, knowledge=WAITING),
    Pair(CREATE, EXISTS, Shown.UNREADABLE, Refused, "unreadable_order", switches=BY_ID, knowledge=NOTHING),
    Pair(CREATE, EXISTS, Shown.ABSENT, Retry, "order_absent", switches={"visible_after_ms": 60_000}, knowledge=NOTHING),
    Pair(
        CREATE,
        EXISTS,
        Shown.ABSENT,
        Refused,
        "order_absent",
        switches={"visible_after_ms": 60_000},
        knowledge=NOTHING,
        waited_seconds=30.0,
    ),
    Pair(CANCEL, GONE, Shown.ABSENT, AlreadyApplied, "already_cancelled", HELD_OFF),
    Pair(CANCEL, GONE, Shown.ABSENT, AlreadyApplied, "already_cancelled", ()),
    Pair(CANCEL, GONE, Shown.CANCELLED, AlreadyApplied, "already_cancelled", HELD_OFF, SHOWN_OFF),
    Pair(CANCEL, GONE, Shown.OPEN, Retry, "gone_but_open", fault=failing(404)),
    Pair(CANCEL, GONE, Shown.UNREADABLE, Refused, "gone_but_open", HELD, BY_ID, failing(404), waited_seconds=30.0),
    Pair(UPDATE_SAME, GONE, Shown.AS_TOLD, AlreadyApplied, "already_updated", fault=failing(409)),
    Pair(
        UPDATE_SAME,
        GONE,
        Shown.AS_TOLD,
        AlreadyApplied,
        "already_updated",
        HELD,
        {"get_includes_lines": "no"},
        failing(409),
    ),
    Pair(UPDATE, GONE, Shown.CANCELLED, Retry, "order_cancelled", HELD_OFF, SHOWN_OFF),
    Pair(UPDATE, GONE, Shown.CANCELLED, Refused, "order_cancelled", HELD_OFF, SHOWN_OFF, waited_seconds=30.0),
    Pair(UPDATE, GONE, Shown.ABSENT, Retry, "order_absent", ()),
    Pair(UPDATE, GONE, Shown.ABSENT, Refused, "order_absent", (), waited_seconds=30.0),
    Pair(UPDATE, GONE, Shown.OPEN, Retry, "gone_but_open", fault=failing(410)),
    Pair(CANCEL, FORBIDDEN, Shown.CANCELLED, AlreadyApplied, "already_cancelled", HELD_OFF, SHOWN_OFF, failing(403)),
    Pair(UPDATE_SAME, FORBIDDEN, Shown.AS_TOLD, AlreadyApplied, "already_updated", switches=FINAL),
    Pair(UPDATE, FORBIDDEN, Shown.CANCELLED, Retry, "order_cancelled", HELD_OFF, SHOWN_OFF, failing(403)),
    Pair(UPDATE, FORBIDDEN, Shown.OPEN, Finalized, "finalized", switches=FINAL),
    Pair(CANCEL, FORBIDDEN, Shown.OPEN, Finalized, "finalized", switches=FINAL),
    Pair(CANCEL, FORBIDDEN, Shown.UNREADABLE, Finalized, "finalized", switches={**FINAL, **BY_ID}),
    Pair(CREATE, PROBE, Shown.FORBIDDEN, Halt, "forbidden", (), NOT_US, knowledge=NOTHING),
    Pair(CREATE, PROBE, Shown.ABSENT, Refused, "forbidden", (), NOT_IT, knowledge=NOTHING),
    Pair(UPDATE, PROBE, Shown.FORBIDDEN, Halt, "forbidden", switches=NOT_US),
    Pair(CANCEL, PROBE, Shown.ABSENT, Refused, "forbidden", switches=NOT_IT),
    Pair(CREATE, NO_ANSWER, Shown.OPEN, Observe, "observed", (), fault=LOST, knowledge=NOTHING),
    Pair(CREATE, NO_ANSWER, Shown.ABSENT, Retry, "no_answer", (), fault=CUT, knowledge=NOTHING),
    Pair(UPDATE, NO_ANSWER, Shown.AS_TOLD, Applied, fault=LOST),
    Pair(UPDATE, NO_ANSWER, Shown.OPEN, Retry, "no_answer", fault=CUT),
    Pair(UPDATE, NO_ANSWER, Shown.CANCELLED, Retry, "order_cancelled", HELD_OFF, SHOWN_OFF, CUT),
    Pair(CANCEL, NO_ANSWER, Shown.ABSENT, Applied, fault=LOST),
    Pair(CANCEL, NO_ANSWER, Shown.CANCELLED, Applied, "", HELD, SHOWN_OFF, LOST),
    Pair(CANCEL, NO_ANSWER, Shown.OPEN, Retry, "no_answer", fault=CUT),
)
CONFIRMED = (
    Pair(UPDATE, UNCONFIRMED, Shown.AS_TOLD, Applied, before=(CREATE, UPDATE)),
    Pair(UPDATE, UNCONFIRMED, Shown.OPEN, Retry, "unconfirmed", before=HELD),
    Pair(CANCEL, UNCONFIRMED, Shown.ABSENT, Applied, before=HELD_OFF),
    Pair(CANCEL, UNCONFIRMED, Shown.OPEN, Retry, "unconfirmed", before=HELD),
)
LOOKS = AnswerPolicy(
    ambiguous=AmbiguousPolicy(OnAmbiguous.LOOKUP, OnAmbiguous.LOOKUP, OnAmbiguous.LOOKUP),
    settle_seconds=0.0,
)


async def course_of(client: ButtonClient, pair: Pair) -> tuple[Outcome | Settled, list[Question]]:
    """Make the call and the lookups that follow from it; return what they come to, and what was asked."""
    call, operation = pair.call, operation_of(pair.call)
    outcome: Outcome | Settled = interpret(operation, await client.send(call), pair.knowledge, LOOKS)
    if isinstance(outcome, Ambiguous):
        outcome = after_ambiguous(operation, outcome, pair.knowledge, LOOKS)
    return await followed(client, pair, outcome)


async def followed(
    client: ButtonClient,
    pair: Pair,
    outcome: Outcome | Settled,
) -> tuple[Outcome | Settled, list[Question]]:
    """Make the lookups that an outcome asks for."""
    asked = []
    while isinstance(outcome, LookUp):
        asked.append(outcome.question)
        reply: Reply = await client.send(Lookup(PROBE_ORDER_ID if outcome.is_probe else "1989"))
        shown = interpret(Operation.LOOKUP, reply, pair.knowledge, LOOKS)
        outcome = after_lookup(pair.call, outcome, shown, pair.waited_seconds, LOOKS)
    return outcome, asked


@pytest.mark.parametrize("pair", LOOKUPS, ids=str)
async def test_each_pair_of_answers_has_its_outcome(pair: Pair, connect: Connect) -> None:
    """Answer and lookup as the sandbox gives them, up to the last question; never more than two lookups."""
    async with situation(pair, connect) as (sandbox, client):
        outcome, asked = await course_of(client, pair)
    assert type(outcome) is pair.outcome, outcome
    assert asked[-1] is pair.question
    assert len(asked) <= 2
    assert getattr(outcome, "reason", "") == pair.reason
    assert not any(request.order_id == PROBE_ORDER_ID and request.operation != "get" for request in sandbox.requests)


@pytest.mark.parametrize("pair", CONFIRMED, ids=str)
async def test_each_confirmation_has_its_outcome(pair: Pair, connect: Connect) -> None:
    """An acknowledged change that is shown otherwise is told again."""
    async with situation(pair, connect) as (_, client):
        first = confirmation(operation_of(pair.call), LOOKS)
        assert first is not None
        outcome, asked = await followed(client, pair, first)
    assert type(outcome) is pair.outcome, outcome
    assert asked == [UNCONFIRMED]


def test_every_row_of_the_pairs_is_played(connect: Connect) -> None:
    """But for those that lead to a probe, which are played on the way to it."""
    del connect
    played = {
        next(
            index
            for index, row in enumerate(PAIRS)
            if operation_of(pair.call) in row.operations and pair.question is row.question and pair.shown in row.shown
        )
        for pair in (*LOOKUPS, *CONFIRMED)
    }
    assert [row for index, row in enumerate(PAIRS) if index not in played and row.verdict.name != "PROBE"] == []
