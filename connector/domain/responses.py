# SPDX-License-Identifier: Apache-2.0
"""What one answer of Button's means.

Owns the judgement of a reply: the rows of :mod:`connector.domain.response_table`, and the settings that go before them.
:func:`interpret` is pure and total. The absence of an answer is a reply, too: what was certainly not sent may simply be
sent again, what may have been read is ambiguous. What an answer and the lookup after it mean together is said by
:mod:`connector.domain.lookups`.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never

from connector.domain.answer_policy import DEFAULT_ANSWERS, Choice, chosen
from connector.domain.orders import Operation
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
    Outcome,
    Question,
    Refused,
    Reply,
    Retry,
)
from connector.domain.response_table import OTHERWISE, ROWS, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain.answer_policy import AnswerPolicy, Override
    from connector.domain.response_table import Body, Row

__all__ = [
    "AlreadyApplied",
    "Ambiguous",
    "Answer",
    "Applied",
    "Finalized",
    "Found",
    "Halt",
    "Knowledge",
    "LookUp",
    "NoAnswer",
    "NotFound",
    "NotSent",
    "Outcome",
    "Refused",
    "Reply",
    "Retry",
    "interpret",
]

_CHOSEN = {
    Choice.ALREADY_APPLIED: Verdict.ALREADY_APPLIED,
    Choice.RETRY: Verdict.RETRY,
    Choice.LOOKUP: Verdict.LOOK_UP,
    Choice.DEAD_LETTER: Verdict.REFUSED,
    Choice.FINALIZED: Verdict.FINALIZED,
    Choice.HALT: Verdict.HALT,
    Choice.NOT_FOUND: Verdict.NOT_FOUND,
}

_SUCCESS = 2
_APPLIED = Applied()
_ENDS: Mapping[Verdict, type[Refused | Finalized | Halt]] = {
    Verdict.REFUSED: Refused,
    Verdict.FINALIZED: Finalized,
    Verdict.HALT: Halt,
}


def interpret(
    operation: Operation,
    reply: Reply,
    knowledge: Knowledge = Knowledge.NO_LEDGER,
    policy: AnswerPolicy = DEFAULT_ANSWERS,
) -> Outcome:
    """Return what a reply to a call means, given what the ledger knows of the order as it is judged."""
    match reply:
        case Answer():
            return _judge(operation, reply, knowledge, policy)
        case NotSent():
            return Retry("not_sent", reply.message)
        case NoAnswer() if operation is Operation.LOOKUP:
            return Retry("no_answer", reply.message)
        case NoAnswer():
            return Ambiguous("no_answer", reply.message)
        case _:
            assert_never(reply)


def _judge(  # noqa: PLR0911  one for each kind of outcome
    operation: Operation,
    answer: Answer,
    knowledge: Knowledge,
    policy: AnswerPolicy,
) -> Outcome:
    row = _row(operation, answer.status, _body(answer), knowledge, answer.error_type, policy.overrides)
    if row.verdict is Verdict.APPLIED:
        return _APPLIED
    said = _message(operation, answer, row)
    match row.verdict:
        case Verdict.ALREADY_APPLIED:
            return AlreadyApplied(row.reason)
        case Verdict.AMBIGUOUS if operation is not Operation.LOOKUP:
            return Ambiguous(row.reason, said)
        case Verdict.RETRY | Verdict.AMBIGUOUS:
            return Retry(row.reason, said, answer.retry_after_seconds)
        case Verdict.LOOK_UP:
            return LookUp(Question(row.reason), said)
        case Verdict.FOUND | Verdict.NOT_FOUND:
            return NotFound() if answer.order is None or row.verdict is Verdict.NOT_FOUND else Found(*answer.order)
        case Verdict.REFUSED | Verdict.FINALIZED | Verdict.HALT:
            return _ENDS[row.verdict](row.reason, said)
        case _:
            assert_never(row.verdict)


@lru_cache(maxsize=1024)
def _row(  # noqa: PLR0913, PLR0917  the key of a cache
    operation: Operation,
    status: int,
    body: Body,
    knowledge: Knowledge,
    error_type: str | None,
    overrides: tuple[Override, ...],
) -> Row:
    row = _row_of_the_table(operation, status, body, knowledge)
    choice = chosen(overrides, operation, status, error_type)
    is_acknowledged = row.verdict in {Verdict.APPLIED, Verdict.FOUND}
    is_nobody_s = status // 100 == _SUCCESS and body != "error"
    if choice is None or is_acknowledged or is_nobody_s:
        return row
    if choice is Choice.LOOKUP and knowledge is Knowledge.NO_LEDGER:
        return row
    return row._replace(verdict=_CHOSEN[choice], reason=_reason(operation, status, choice))


def _row_of_the_table(operation: Operation, status: int, body: Body, knowledge: Knowledge) -> Row:
    for row in ROWS:
        if operation in row.operations and status in row.statuses and body in row.bodies and knowledge in row.knowledge:
            return row._replace(reason=row.reason.format(status=status))
    return OTHERWISE


def _reason(operation: Operation, status: int, choice: Choice) -> str:
    """Return the reason of a choice: the same as where the table says so by itself."""
    is_create = operation is Operation.CREATE
    match choice:
        case Choice.ALREADY_APPLIED:
            return "already_exists" if is_create else "already_cancelled"
        case Choice.LOOKUP if status == HTTPStatus.FORBIDDEN:
            return Question.PROBE if is_create else Question.FORBIDDEN
        case Choice.LOOKUP:
            return Question.EXISTS if is_create else Question.GONE
        case Choice.FINALIZED | Choice.NOT_FOUND:
            return choice.value
        case _:
            return f"http_{status}"


def _body(answer: Answer) -> Body:
    match answer.meta_status:
        case "ok":
            return "ok"
        case "error":
            return "error"
        case None:
            return "empty" if answer.is_empty or answer.status == HTTPStatus.NO_CONTENT else "unreadable"
        case _:
            return "other"


def _message(operation: Operation, answer: Answer, row: Row) -> str:
    said = f": {answer.message}" if answer.message else ""
    remedy = f"; {row.remedy}" if row.remedy else ""
    return f"Button answered {operation.value} with HTTP {answer.status}{said}{remedy}"
