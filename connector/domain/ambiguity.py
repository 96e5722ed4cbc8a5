# SPDX-License-Identifier: Apache-2.0
"""What follows a call that was sent and got no answer: nobody knows whether it was applied.

Owns when such a call is repeated, looked up or given up. Calls are idempotent, so repeating one does no harm by itself;
but they do not commute, and an attempt without answer may land after the call that follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from connector.domain.answer_policy import DEFAULT_ANSWERS, OnAmbiguous
from connector.domain.orders import Operation
from connector.domain.outcomes import Knowledge, LookUp, Question, Refused, Retry

if TYPE_CHECKING:
    from connector.domain.answer_policy import AnswerPolicy
    from connector.domain.outcomes import Ambiguous


def after_ambiguous(
    operation: Operation,
    unknown: Ambiguous,
    knowledge: Knowledge,
    policy: AnswerPolicy = DEFAULT_ANSWERS,
) -> Retry | LookUp | Refused:
    """Return what follows a call of which nobody knows whether it was applied; without a ledger none is looked up."""
    choice = policy.ambiguous.of(operation)
    if choice is OnAmbiguous.LOOKUP and knowledge is Knowledge.NO_LEDGER:
        choice = OnAmbiguous.RETRY
    match choice:
        case OnAmbiguous.RETRY:
            return Retry(unknown.reason, unknown.message)
        case OnAmbiguous.LOOKUP:
            return LookUp(Question.NO_ANSWER, unknown.message, policy.settle_seconds)
        case OnAmbiguous.DEAD_LETTER:
            remedy = "whether it was applied is not known: look at the order at Button before you send it again"
            return Refused(unknown.reason, f"{unknown.message}; {remedy}")
        case _:
            assert_never(choice)


def confirmation(operation: Operation, policy: AnswerPolicy = DEFAULT_ANSWERS) -> LookUp | None:
    """Return the lookup that an acknowledged call needs one of whose attempts had got no answer, if it needs one.

    Such an attempt may land late, on top of what is told next. A late create finds the order there and changes nothing.
    """
    if operation not in {Operation.UPDATE, Operation.CANCEL}:
        return None
    return LookUp(Question.UNCONFIRMED, f"an attempt at the {operation.value} had got no answer", policy.settle_seconds)
