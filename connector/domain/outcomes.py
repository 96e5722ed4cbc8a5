# SPDX-License-Identifier: Apache-2.0
"""What may come back from Button, and what may follow from it.

Owns the data: replies on one side, outcomes on the other. Holds no rule; which reply has which outcome is said by the
tables in :mod:`connector.domain.responses` and :mod:`connector.domain.lookups`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from connector.domain.facts import Observed
    from connector.domain.orders import Order


class ObservedOrder(NamedTuple):
    """An order as Button showed it; ``order`` is ``None`` where there is one that cannot be read."""

    order: Order | None
    is_cancelled: bool = False


class Answer(NamedTuple):
    """An HTTP answer. ``meta_status`` is ``None`` where the body has none that can be read.

    ``is_empty`` says that there is no body at all, which is a good answer to a cancel. ``retry_after_seconds`` is
    what the headers ask for, already turned into seconds from now. ``message`` is the error's text for people,
    shortened, never parsed. ``error_type`` is the error's ``type``, which Button does not document and a setting may
    name. ``order`` is what the answer to a lookup shows, ``None`` for nothing.
    """

    status: int
    meta_status: str | None = None
    retry_after_seconds: float | None = None
    message: str = ""
    button_order_id: str | None = None
    is_empty: bool = False
    error_type: str | None = None
    order: ObservedOrder | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request certainly did not reach Button (refused, unresolvable, no TLS)."""

    message: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may have reached Button, and no complete answer came back."""

    message: str


Reply = Answer | NotSent | NoAnswer


class Knowledge(Enum):
    """What the ledger knows of an order when an answer is judged.

    ``WAITING``: refunds that wait for their purchase, and nothing that Button was told. ``OPEN``: Button was told of
    the order, or showed it. ``NO_LEDGER``: there is no ledger to ask.
    """

    NO_LEDGER = "no ledger"
    NOTHING = "nothing"
    WAITING = "only refunds that wait"
    OPEN = "the order as open"
    CANCELLED = "the order as cancelled"


class Question(StrEnum):
    """Why Button is asked for an order before anything else is decided.

    ``PROBE`` asks whether Button serves us at all, so it is for an order that nobody ever reported. ``UNCONFIRMED``
    follows a write that was acknowledged after one of its attempts had got no answer.
    """

    EXISTS = "already_exists"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    PROBE = "forbidden_probe"
    NO_ANSWER = "no_answer"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Applied:
    """Button acknowledged the call."""


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """Button's answer says that the call had been applied before; ``reason`` is counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The call could not be served; try again, not before ``after_seconds`` where Button named a time.

    ``is_of_the_order`` says that Button serves calls all right and only this order has to wait.
    """

    reason: str
    message: str
    after_seconds: float | None = None
    is_of_the_order: bool = False


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
class Finalized:
    """The order is final at Button and cannot be changed any more; the event becomes a dead letter of its own kind."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Button does not accept our credentials; nothing may be sent until a probe succeeds. Says nothing of the event."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask Button for the order, not before ``after_seconds``, and judge both answers together.

    ``message`` is what the first answer said.
    """

    question: Question
    message: str
    after_seconds: float = 0.0

    @property
    def reason(self) -> str:
        """Return the question's name, as it is counted."""
        return self.question.value

    @property
    def is_probe(self) -> bool:
        """Return whether to ask for :data:`connector.domain.lookups.PROBE_ORDER_ID` instead of the order."""
        return self.question is Question.PROBE


@dataclass(frozen=True, slots=True)
class Found:
    """The lookup shows an order; ``order`` is ``None`` where it cannot be read."""

    order: Order | None
    is_cancelled: bool
    reason: ClassVar[str] = "found"


@dataclass(frozen=True, slots=True)
class NotFound:
    """Button knows no such order, or shows none."""

    reason: ClassVar[str] = "not_found"


@dataclass(frozen=True, slots=True)
class Observe:
    """Write what Button shows into the ledger, and decide about the event again."""

    observed: Observed
    reason: ClassVar[str] = "observed"


Outcome = Applied | AlreadyApplied | Retry | Ambiguous | Refused | Finalized | Halt | LookUp | Found | NotFound
"""What one answer means. ``Found`` and ``NotFound`` are for lookups only, and then there is no ``Applied``."""

Settled = Applied | AlreadyApplied | Retry | Refused | Finalized | Halt | LookUp | Observe
"""What an answer and a lookup mean together; a further ``LookUp`` is always a probe."""
