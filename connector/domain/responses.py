# SPDX-License-Identifier: Apache-2.0
"""What Button's answers mean.

Owns the judgement of a reply, which is the table ``_ROWS`` below; :func:`interpret` is pure and total. Judges by HTTP
status *and* ``meta.status``, never by an error's type or text, because Button documents neither for the Order API. The
absence of an answer is a reply, too: what was certainly not sent may simply be sent again, what may have been read is
ambiguous.

Why the rows that could be otherwise are as they are:

- An error under a 2xx is a refusal: Button's own clients take ``meta.status`` at its word. What was refused by mistake
  is in a dead letter, which can be replayed.
- A 2xx without Button's envelope may come from a proxy's page, so it acknowledges nothing; repeating the call tells.
- A redirect, a proxy's 407 and a 403 on a create blame nobody's order: they say that the address, the proxy or the
  account is not set up, and every order would be refused alike. Nothing is lost while they are retried.
- A 403 on an update or cancel is about that order: it is final at Button and cannot be changed any more.
- A cancel finds nothing to cancel (404, 409, 410): without a memory of orders that is what its repetition looks like.
- "There is no such thing" (404, 405, 410) without Button's envelope is a wrong address or a proxy speaking: it says
  nothing of the order, neither that it cannot be taken nor that it is gone already.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, NamedTuple, assert_never, get_args

from connector.domain.orders import Operation

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. ``meta_status`` is ``None`` where the body has none that can be read.

    ``is_empty`` says that there is no body at all, which is a good answer to a cancel. ``retry_after_seconds`` is
    what the headers ask for, already turned into seconds from now. ``message`` is the error's text for people,
    shortened, never parsed.
    """

    status: int
    meta_status: str | None = None
    retry_after_seconds: float | None = None
    message: str = ""
    button_order_id: str | None = None
    is_empty: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request certainly did not reach Button (refused, unresolvable, no TLS)."""

    message: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may have reached Button, and no complete answer came back."""

    message: str


Reply = Answer | NotSent | NoAnswer


@dataclass(frozen=True, slots=True)
class Applied:
    """Button acknowledged the call."""


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """Button's answer says that the call had been applied before; ``reason`` is counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The other side could not serve the call; try again, not before ``after_seconds`` where Button named a time."""

    reason: str
    message: str
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The call may or may not have been applied."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Button will never accept this call; the event becomes a dead letter."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Button does not accept our credentials; nothing may be sent until a probe succeeds. Says nothing of the event."""

    reason: str
    message: str


Outcome = Applied | AlreadyApplied | Retry | Ambiguous | Refused | Halt


_Body = Literal["ok", "error", "other", "empty", "unreadable"]
"""What the body says: ``meta.status`` (``other`` is one that Button does not document), or that there is none."""


class _Verdict(Enum):
    APPLIED = auto()
    ALREADY_APPLIED = auto()
    RETRY = auto()
    AMBIGUOUS = auto()
    REFUSED = auto()
    HALT = auto()


class _Row(NamedTuple):
    """The first row that fits an answer judges it; ``{status}`` in a reason is filled in."""

    operations: Collection[Operation]
    statuses: Collection[int]
    bodies: Collection[str]
    verdict: _Verdict
    reason: str
    remedy: str = ""


_ANY = frozenset(Operation)
_CREATE = (Operation.CREATE,)
_CANCEL = (Operation.CANCEL,)
_CHANGE = (Operation.UPDATE, Operation.CANCEL)
_2XX, _3XX, _4XX, _5XX = range(200, 300), range(300, 400), range(400, 500), range(500, 600)
_ALL = frozenset(get_args(_Body))
_NOT_BUTTON_S = ("empty", "unreadable")

_CORRECT = "correct what it names and send the order again"
_ADDRESS = "check button.base_url, and whether something between here and Button answers in its place"
_IN_BETWEEN = "see whether something between here and Button answers in its place"

# fmt: off
_ROWS = (
    _Row(_ANY,    _2XX,            ("ok",),    _Verdict.APPLIED,         "applied"),
    _Row(_CANCEL, _2XX,            ("empty",), _Verdict.APPLIED,         "applied"),
    _Row(_ANY,    _2XX,            ("error",), _Verdict.REFUSED,         "error_in_success", _CORRECT),
    _Row(_ANY,    _2XX,            _ALL,       _Verdict.AMBIGUOUS,       "unreadable_answer", _IN_BETWEEN),
    _Row(_ANY,    (404, 405, 410), _NOT_BUTTON_S, _Verdict.RETRY,        "not_button", _ADDRESS),
    _Row(_CREATE, (409,),          _ALL,       _Verdict.ALREADY_APPLIED, "already_exists"),
    _Row(_CANCEL, (404, 409, 410), _ALL,       _Verdict.ALREADY_APPLIED, "already_cancelled"),
    _Row(_CHANGE, (403,),          _ALL,       _Verdict.REFUSED,         "forbidden",
         "if the order is final at Button already, agree on the change with Button by hand"),
    _Row(_ANY,    (403,),          _ALL,       _Verdict.RETRY,           "forbidden",
         "ask Button whether the API key's organisation may report orders"),
    _Row(_ANY,    (401,),          _ALL,       _Verdict.HALT,            "unauthorized", "check the API key"),
    _Row(_ANY,    (407,),          _ALL,       _Verdict.RETRY,           "http_{status}",
         "check the proxy's credentials"),
    _Row(_ANY,    (408, 425, 429), _ALL,       _Verdict.RETRY,           "http_{status}"),
    _Row(_ANY,    _3XX,            _ALL,       _Verdict.RETRY,           "redirected",
         "redirects are never followed; check the address of Button's API"),
    _Row(_ANY,    _4XX,            _ALL,       _Verdict.REFUSED,         "http_{status}", _CORRECT),
    _Row(_ANY,    _5XX,            _ALL,       _Verdict.RETRY,           "http_{status}"),
)
_OTHERWISE = _Row(_ANY, (),        _ALL,       _Verdict.AMBIGUOUS,       "unknown_status", _IN_BETWEEN)
# fmt: on

_APPLIED = Applied()


def interpret(operation: Operation, reply: Reply) -> Outcome:
    """Return what a reply to a call means."""
    match reply:
        case Answer():
            return _judge(operation, reply)
        case NotSent():
            return Retry("not_sent", reply.message)
        case NoAnswer():
            return Ambiguous("no_answer", reply.message)
        case _:
            assert_never(reply)


def _judge(operation: Operation, answer: Answer) -> Outcome:
    row = _row(operation, answer.status, _body(answer))
    match row.verdict:
        case _Verdict.APPLIED:
            return _APPLIED
        case _Verdict.ALREADY_APPLIED:
            return AlreadyApplied(row.reason)
        case _Verdict.RETRY:
            return Retry(row.reason, _message(operation, answer, row), answer.retry_after_seconds)
        case _Verdict.AMBIGUOUS:
            return Ambiguous(row.reason, _message(operation, answer, row))
        case _Verdict.REFUSED:
            return Refused(row.reason, _message(operation, answer, row))
        case _Verdict.HALT:
            return Halt(row.reason, _message(operation, answer, row))
        case _:
            assert_never(row.verdict)


@lru_cache(maxsize=1024)
def _row(operation: Operation, status: int, body: _Body) -> _Row:
    for row in _ROWS:
        if operation in row.operations and status in row.statuses and body in row.bodies:
            return row._replace(reason=row.reason.format(status=status))
    return _OTHERWISE


def _body(answer: Answer) -> _Body:
    match answer.meta_status:
        case "ok":
            return "ok"
        case "error":
            return "error"
        case None:
            return "empty" if answer.is_empty or answer.status == HTTPStatus.NO_CONTENT else "unreadable"
        case _:
            return "other"


def _message(operation: Operation, answer: Answer, row: _Row) -> str:
    said = f": {answer.message}" if answer.message else ""
    remedy = f"; {row.remedy}" if row.remedy else ""
    return f"Button answered {operation.value} with HTTP {answer.status}{said}{remedy}"
