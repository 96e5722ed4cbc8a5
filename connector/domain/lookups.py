# SPDX-License-Identifier: Apache-2.0
"""What an answer and the lookup that followed it mean together.

Owns the second table, :data:`PAIRS`. Pure and total; time enters as how long the event has been looked up for.

The course of a call: its answer is judged (:func:`connector.domain.responses.interpret`). For as long as the outcome
is a :class:`LookUp`, Button is asked for the order, that answer is judged as a lookup's, and :func:`after_lookup` says
what follows. Two lookups at most: the second is a probe. Whatever keeps a lookup from being answered (an outage, a
refused key) is an outcome of its own; the call is then simply made again.

Why the rows are as they are:

- Two answers that contradict each other ("exists" and "not found", "not found" and open) may only be a moment apart at
  Button, so the call is repeated within ``visibility_seconds``. After that it is for people to see.
- An update of an order that is cancelled at Button waits as well: another replica may have cancelled it and not have
  written that down yet. What is decided again then knows of it.
- An order that Button shows just as an update would have it needs no update, whatever the answer to it was.
- The probe of a 403 asks for an order that nobody reported. If the lookup of the very order were asked instead, one
  order that may not be touched would halt everything, again and again.
- A confirmation comes after an acknowledgement: only an order that is shown otherwise says anything against it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple, assert_never

from connector.domain.answer_policy import DEFAULT_ANSWERS
from connector.domain.facts import Observed
from connector.domain.orders import Cancel, Create, Lookup, Operation, Update
from connector.domain.outcomes import (
    AlreadyApplied,
    Ambiguous,
    Applied,
    Finalized,
    Found,
    Halt,
    LookUp,
    NotFound,
    Observe,
    Question,
    Refused,
    Retry,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from connector.domain.answer_policy import AnswerPolicy
    from connector.domain.orders import Call, Order
    from connector.domain.outcomes import Outcome, Settled

PROBE_ORDER_ID = "button-connector-probe"
"""An order that nobody reports: its lookup tells whether Button serves us, and nothing else."""


class Shown(Enum):
    """What a lookup shows. ``AS_TOLD`` is an open order that has just what an update would tell."""

    AS_TOLD = auto()
    OPEN = auto()
    CANCELLED = auto()
    UNREADABLE = auto()
    ABSENT = auto()
    FORBIDDEN = auto()


class PairVerdict(Enum):
    """What a pair says. ``WAIT`` is a retry within ``visibility_seconds``, and a dead letter after that."""

    APPLIED = auto()
    ALREADY_APPLIED = auto()
    OBSERVE = auto()
    RETRY = auto()
    WAIT = auto()
    REFUSED = auto()
    FINALIZED = auto()
    PROBE = auto()
    HALT = auto()


class Pair(NamedTuple):
    """The first row that fits judges the pair."""

    operations: Collection[Operation]
    question: Question
    shown: Collection[Shown]
    verdict: PairVerdict
    reason: str
    remedy: str = ""


_ANY = frozenset(Operation)
_CREATE, _UPDATE, _CANCEL, _ = ((each,) for each in Operation)
_CHANGE = (Operation.UPDATE, Operation.CANCEL)
_READABLE = (Shown.AS_TOLD, Shown.OPEN, Shown.CANCELLED)
_SEEN = (Shown.AS_TOLD, Shown.OPEN, Shown.UNREADABLE)
_OFF = (Shown.CANCELLED, Shown.ABSENT)
_ALL = frozenset(Shown)
_ANSWERED = _ALL - {Shown.FORBIDDEN}

_BY_HAND = "correct the order at Button by hand"
_AGREE = "agree on the change with Button by hand"
_RIGHTS = "ask Button whether the API key's organisation may report orders"
_THIS_ONE = "ask Button why this one order is not allowed"
_COMPARE = "compare it with the event by hand, or set button.responses to create: {409: already_applied}"

# fmt: off
PAIRS = (
    #    calls    asked because         Button shows         verdict                      reason
    Pair(_CREATE, Question.EXISTS,      _READABLE,           PairVerdict.OBSERVE,         "observed"),
    Pair(_CREATE, Question.EXISTS,      (Shown.UNREADABLE,), PairVerdict.REFUSED,         "unreadable_order", _COMPARE),
    Pair(_CREATE, Question.EXISTS,      (Shown.ABSENT,),     PairVerdict.WAIT,            "order_absent", _BY_HAND),
    Pair(_CANCEL, Question.GONE,        _OFF,                PairVerdict.ALREADY_APPLIED, "already_cancelled"),
    Pair(_CANCEL, Question.GONE,        _SEEN,               PairVerdict.WAIT,            "gone_but_open", _BY_HAND),
    Pair(_UPDATE, Question.GONE,        (Shown.AS_TOLD,),    PairVerdict.ALREADY_APPLIED, "already_updated"),
    Pair(_UPDATE, Question.GONE,        (Shown.CANCELLED,),  PairVerdict.WAIT,            "order_cancelled", _BY_HAND),
    Pair(_UPDATE, Question.GONE,        (Shown.ABSENT,),     PairVerdict.WAIT,            "order_absent", _BY_HAND),
    Pair(_UPDATE, Question.GONE,        _SEEN,               PairVerdict.WAIT,            "gone_but_open", _BY_HAND),
    Pair(_CANCEL, Question.FORBIDDEN,   (Shown.CANCELLED,),  PairVerdict.ALREADY_APPLIED, "already_cancelled"),
    Pair(_UPDATE, Question.FORBIDDEN,   (Shown.AS_TOLD,),    PairVerdict.ALREADY_APPLIED, "already_updated"),
    Pair(_UPDATE, Question.FORBIDDEN,   (Shown.CANCELLED,),  PairVerdict.WAIT,            "order_cancelled", _BY_HAND),
    Pair(_CHANGE, Question.FORBIDDEN,   _ANSWERED,           PairVerdict.FINALIZED,       "finalized", _AGREE),
    Pair(_ANY,    Question.PROBE,       (Shown.FORBIDDEN,),  PairVerdict.HALT,            "forbidden", _RIGHTS),
    Pair(_ANY,    Question.PROBE,       _ALL,                PairVerdict.REFUSED,         "forbidden", _THIS_ONE),
    Pair(_CREATE, Question.NO_ANSWER,   _READABLE,           PairVerdict.OBSERVE,         "observed"),
    Pair(_UPDATE, Question.NO_ANSWER,   (Shown.AS_TOLD,),    PairVerdict.APPLIED,         "applied"),
    Pair(_UPDATE, Question.NO_ANSWER,   (Shown.CANCELLED,),  PairVerdict.WAIT,            "order_cancelled", _BY_HAND),
    Pair(_CANCEL, Question.NO_ANSWER,   _OFF,                PairVerdict.APPLIED,         "applied"),
    Pair(_ANY,    Question.NO_ANSWER,   _ALL,                PairVerdict.RETRY,           "no_answer"),
    Pair(_CHANGE, Question.UNCONFIRMED, (Shown.OPEN,),       PairVerdict.RETRY,           "unconfirmed"),
    Pair(_ANY,    Question.UNCONFIRMED, _ALL,                PairVerdict.APPLIED,         "applied"),
    Pair(_ANY,    Question.EXISTS,      (Shown.FORBIDDEN,),  PairVerdict.PROBE,           Question.PROBE),
    Pair(_ANY,    Question.GONE,        (Shown.FORBIDDEN,),  PairVerdict.PROBE,           Question.PROBE),
    Pair(_ANY,    Question.FORBIDDEN,   (Shown.FORBIDDEN,),  PairVerdict.PROBE,           Question.PROBE),
)
# fmt: on
_OVER = frozenset({"order_cancelled", "order_absent"})
_NEVER_ASKED = Pair(_ANY, Question.EXISTS, _ALL, PairVerdict.RETRY, "unsettled")
"""Questions that no answer to such a call raises; calls that have another answer by then are made again."""


def operation_of(call: Call) -> Operation:
    """Return which call of the API this is."""
    match call:
        case Create():
            return Operation.CREATE
        case Update():
            return Operation.UPDATE
        case Cancel():
            return Operation.CANCEL
        case Lookup():
            return Operation.LOOKUP
        case _:
            assert_never(call)


def after_lookup(
    call: Call,
    asked: LookUp,
    shown: Outcome,
    waited_seconds: float,
    policy: AnswerPolicy = DEFAULT_ANSWERS,
) -> Settled:
    """Return what a call's answer (which led to ``asked``) and the lookup's outcome mean together.

    ``waited_seconds`` is how long ago the event was looked up for the first time.
    """
    match shown:
        case Found() | NotFound() | LookUp():
            return _settle(call, asked, shown, waited_seconds, policy)
        case Halt() | Retry():
            return shown
        case Refused():
            return Applied() if asked.question is Question.UNCONFIRMED else shown
        case Applied() | AlreadyApplied() | Ambiguous() | Finalized():
            message = f"{shown} is no outcome of a lookup"
            raise TypeError(message)
        case _:
            assert_never(shown)


def is_over(refused: Refused) -> bool:
    """Return whether the call was for an order that is not at Button any more, which is for ever.

    Of an event that was told before, that is no news: whoever cancelled the order since has yet to write it down.
    """
    return refused.reason in _OVER


def _settle(  # noqa: PLR0911  one for each kind of outcome
    call: Call,
    asked: LookUp,
    outcome: Found | NotFound | LookUp,
    waited_seconds: float,
    policy: AnswerPolicy,
) -> Settled:
    shown = _shown(call, outcome)
    pair = _pair(operation_of(call), asked.question, shown)
    said = f"{asked.message}; a lookup then showed: {_WORDS[shown]}" + (f"; {pair.remedy}" if pair.remedy else "")
    match pair.verdict:
        case PairVerdict.APPLIED:
            return Applied()
        case PairVerdict.ALREADY_APPLIED:
            return AlreadyApplied(pair.reason)
        case PairVerdict.OBSERVE:
            return _observe(outcome, said)
        case PairVerdict.PROBE:
            return LookUp(Question.PROBE, said)
        case PairVerdict.RETRY:
            return Retry(pair.reason, said, is_of_the_order=True)
        case PairVerdict.WAIT:
            is_over = waited_seconds >= policy.visibility_seconds
            return Refused(pair.reason, said) if is_over else Retry(pair.reason, said, is_of_the_order=True)
        case PairVerdict.REFUSED | PairVerdict.FINALIZED | PairVerdict.HALT:
            return _ENDS[pair.verdict](pair.reason, said)
        case _:
            assert_never(pair.verdict)


def _pair(operation: Operation, question: Question, shown: Shown) -> Pair:
    for pair in PAIRS:
        if operation in pair.operations and question is pair.question and shown in pair.shown:
            return pair
    return _NEVER_ASKED


def _shown(call: Call, outcome: Found | NotFound | LookUp) -> Shown:
    match outcome:
        case NotFound():
            return Shown.ABSENT
        case LookUp():
            return Shown.FORBIDDEN
        case Found(is_cancelled=True):
            return Shown.CANCELLED
        case Found():
            return _shown_open(call, outcome.order)
        case _:
            assert_never(outcome)


def _shown_open(call: Call, order: Order | None) -> Shown:
    if order is None:
        return Shown.UNREADABLE
    return Shown.AS_TOLD if isinstance(call, Update) and _is_as_told(call.order, order) else Shown.OPEN


def _is_as_told(told: Order, shown: Order) -> bool:
    """Compare what an update tells; an order may be shown without its lines."""
    if told.total != shown.total:
        return False
    return not shown.line_items or _amounts(told) == _amounts(shown)


def _amounts(order: Order) -> list[tuple[str, int, int]]:
    return sorted((line.identifier, line.total, line.quantity) for line in order.line_items)


def _observe(outcome: Found | NotFound | LookUp, said: str) -> Observe | Refused:
    if isinstance(outcome, Found) and outcome.order is not None:
        return Observe(Observed(outcome.order, outcome.is_cancelled))
    return Refused("unreadable_order", said)


_ENDS: Mapping[PairVerdict, type[Refused | Finalized | Halt]] = {
    PairVerdict.REFUSED: Refused,
    PairVerdict.FINALIZED: Finalized,
    PairVerdict.HALT: Halt,
}
_WORDS = {
    Shown.AS_TOLD: "the order, just as it was told",
    Shown.OPEN: "the order, open",
    Shown.CANCELLED: "the order, cancelled",
    Shown.UNREADABLE: "an order that cannot be read",
    Shown.ABSENT: "no such order",
    Shown.FORBIDDEN: "that the lookup is forbidden, too",
}
