# SPDX-License-Identifier: Apache-2.0
"""The table of Button's answers: which call, status, body and knowledge of the ledger has which outcome.

Owns the rows; applies none, that is :mod:`connector.domain.responses`'. Judges by HTTP status *and* ``meta.status``,
never by an error's type or text, because Button documents neither for the Order API.

Why the rows that could be otherwise are as they are:

- An error under a 2xx is a refusal: Button's own clients take ``meta.status`` at its word. What was refused by mistake
  is in a dead letter, which can be replayed.
- A 2xx without Button's envelope may come from a proxy's page, so it acknowledges nothing; repeating the call tells.
- A redirect and a proxy's 407 blame nobody's order: they say that the address or the proxy is not set up, and every
  order would be refused alike. Nothing is lost while they are retried.
- A 403 has three meanings: the organisation may not do this, this one order is not allowed, or the order is final. Only
  a lookup tells them apart. Without a ledger it is the account's matter for a create and the order's for a change.
- A create finds the order there (409), or a cancel nothing to cancel (404, 409, 410): where the ledger agrees, and
  where there is none, that is what a repetition looks like. Where it does not, Button is asked first.
- "There is no such thing" (404, 405, 410) without Button's envelope is a wrong address or a proxy speaking: it says
  nothing of the order, neither that it cannot be taken nor that it is gone already.
- A lookup changes nothing, so none is ever ambiguous.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from connector.domain.orders import Operation
from connector.domain.outcomes import Knowledge, Question

if TYPE_CHECKING:
    from collections.abc import Collection

Body = Literal["ok", "error", "other", "empty", "unreadable"]
"""What the body says: ``meta.status`` (``other`` is one that Button does not document), or that there is none."""


class Verdict(Enum):
    """What a row says."""

    APPLIED = auto()
    ALREADY_APPLIED = auto()
    RETRY = auto()
    AMBIGUOUS = auto()
    REFUSED = auto()
    FINALIZED = auto()
    HALT = auto()
    LOOK_UP = auto()
    FOUND = auto()
    NOT_FOUND = auto()


class Row(NamedTuple):
    """The first row that fits an answer judges it; ``{status}`` in a reason is filled in.

    ``knowledge`` is what the ledger must know for the row to fit. The reason of a ``LOOK_UP`` is its question.
    """

    operations: Collection[Operation]
    statuses: Collection[int]
    bodies: Collection[str]
    knowledge: Collection[Knowledge]
    verdict: Verdict
    reason: str
    remedy: str = ""


_ANY = frozenset(Operation)
_CREATE, _UPDATE, _CANCEL, _LOOKUP = ((each,) for each in Operation)
_CHANGE = (Operation.UPDATE, Operation.CANCEL)
_2XX, _3XX, _4XX, _5XX = range(200, 300), range(300, 400), range(400, 500), range(500, 600)
_GONE = (404, 409, 410)
_ALL = frozenset(get_args(Body))
_NOBODY_S = ("empty", "unreadable")
_WHATEVER = frozenset(Knowledge)
_BLIND = (Knowledge.NO_LEDGER,)
_CALLED_OFF = (Knowledge.CANCELLED,)
_BLIND_OR_OFF = (Knowledge.NO_LEDGER, Knowledge.CANCELLED)
_NEVER_TOLD = (Knowledge.NOTHING, Knowledge.WAITING)

_CORRECT = "correct what it names and send the order again"
_ADDRESS = "check button.base_url, and whether something between here and Button answers in its place"
_IN_BETWEEN = "see whether something between here and Button answers in its place"
_BY_HAND = "if the order is final at Button already, agree on the change with Button by hand"
_KEY = "check the API key"
_RIGHTS = "ask Button whether the API key's organisation may report orders"
_NO_REDIRECTS = "redirects are never followed; check the address of Button's API"

# fmt: off
ROWS = (
    #   calls    statuses         bodies     the ledger knows  verdict                  reason
    Row(_LOOKUP, _2XX,            ("ok",),    _WHATEVER,     Verdict.FOUND,           "found"),
    Row(_ANY,    _2XX,            ("ok",),    _WHATEVER,     Verdict.APPLIED,         "applied"),
    Row(_CANCEL, _2XX,            ("empty",), _WHATEVER,     Verdict.APPLIED,         "applied"),
    Row(_ANY,    _2XX,            ("error",), _WHATEVER,     Verdict.REFUSED,         "error_in_success", _CORRECT),
    Row(_ANY,    _2XX,            _ALL,       _WHATEVER,     Verdict.AMBIGUOUS,       "unreadable_answer", _IN_BETWEEN),
    Row(_ANY,    (404, 405, 410), _NOBODY_S,  _WHATEVER,     Verdict.RETRY,           "not_button", _ADDRESS),
    Row(_LOOKUP, (404, 410),      _ALL,       _WHATEVER,     Verdict.NOT_FOUND,       "not_found"),
    Row(_CREATE, (409,),          _ALL,       _NEVER_TOLD,   Verdict.LOOK_UP,         Question.EXISTS),
    Row(_CREATE, (409,),          _ALL,       _WHATEVER,     Verdict.ALREADY_APPLIED, "already_exists"),
    Row(_CANCEL, _GONE,           _ALL,       _BLIND_OR_OFF, Verdict.ALREADY_APPLIED, "already_cancelled"),
    Row(_UPDATE, _GONE,           _ALL,       _CALLED_OFF,   Verdict.ALREADY_APPLIED, "already_cancelled"),
    Row(_UPDATE, _GONE,           _ALL,       _BLIND,        Verdict.REFUSED,         "http_{status}", _CORRECT),
    Row(_CHANGE, _GONE,           _ALL,       _WHATEVER,     Verdict.LOOK_UP,         Question.GONE),
    Row(_CHANGE, (403,),          _ALL,       _BLIND,        Verdict.REFUSED,         "forbidden", _BY_HAND),
    Row(_CHANGE, (403,),          _ALL,       _WHATEVER,     Verdict.LOOK_UP,         Question.FORBIDDEN),
    Row(_ANY,    (403,),          _ALL,       _BLIND,        Verdict.RETRY,           "forbidden", _RIGHTS),
    Row(_ANY,    (403,),          _ALL,       _WHATEVER,     Verdict.LOOK_UP,         Question.PROBE),
    Row(_ANY,    (401,),          _ALL,       _WHATEVER,     Verdict.HALT,            "unauthorized", _KEY),
    Row(_ANY,    (407,),          _ALL,       _WHATEVER,     Verdict.RETRY,           "http_{status}",
        "check the proxy's credentials"),
    Row(_ANY,    (408, 425, 429), _ALL,       _WHATEVER,     Verdict.RETRY,           "http_{status}"),
    Row(_ANY,    _3XX,            _ALL,       _WHATEVER,     Verdict.RETRY,           "redirected", _NO_REDIRECTS),
    Row(_ANY,    _4XX,            _ALL,       _WHATEVER,     Verdict.REFUSED,         "http_{status}", _CORRECT),
    Row(_ANY,    _5XX,            _ALL,       _WHATEVER,     Verdict.RETRY,           "http_{status}"),
)
OTHERWISE = Row(_ANY, (),         _ALL,       _WHATEVER,     Verdict.AMBIGUOUS,       "unknown_status", _IN_BETWEEN)
# fmt: on
