# SPDX-License-Identifier: Apache-2.0
"""What the merchant knows of Button's answers better than the tables do.

Owns the choices, which of them are allowed, and their defaults. Applies none: that is done where answers are judged.
Two things cannot be chosen: that a success acknowledges, and that what is down, slow or locked (3xx, 401, 407, 408,
425, 429, 5xx) is waited for. Either would lose orders in an outage.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from connector.domain.orders import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS_KEY = re.compile(r"[1-5](?:[0-9]{2}|xx)")
"""A status, or a class of them."""
_WAITED_FOR = frozenset({401, 407, 408, 425, 429})
OVERRIDABLE = frozenset({*range(200, 300), *range(400, 500)} - _WAITED_FOR)
"""The statuses whose meaning may be chosen; a 2xx only where its ``meta.status`` says error."""


class Choice(StrEnum):
    """What an answer may be made to mean."""

    ALREADY_APPLIED = "already_applied"
    RETRY = "retry"
    LOOKUP = "lookup"
    DEAD_LETTER = "dead_letter"
    FINALIZED = "finalized"
    HALT = "halt"
    NOT_FOUND = "not_found"


CHOICES: Mapping[Operation, tuple[Choice, ...]] = {
    Operation.CREATE: (Choice.ALREADY_APPLIED, Choice.RETRY, Choice.LOOKUP, Choice.DEAD_LETTER, Choice.HALT),
    # An update that is taken for applied would leave the old state at Button, unseen.
    Operation.UPDATE: (Choice.RETRY, Choice.LOOKUP, Choice.DEAD_LETTER, Choice.FINALIZED, Choice.HALT),
    Operation.CANCEL: (
        Choice.ALREADY_APPLIED,
        Choice.RETRY,
        Choice.LOOKUP,
        Choice.DEAD_LETTER,
        Choice.FINALIZED,
        Choice.HALT,
    ),
    Operation.LOOKUP: (Choice.NOT_FOUND, Choice.RETRY, Choice.DEAD_LETTER, Choice.HALT),
}


class Override(NamedTuple):
    """One answer whose meaning was chosen; ``key`` is a status, a class (``4xx``) or an error's type in lower case."""

    operation: Operation
    key: str
    choice: Choice


class OnAmbiguous(StrEnum):
    """What follows a call that was sent and got no answer that can be read."""

    RETRY = "retry"
    LOOKUP = "lookup"
    DEAD_LETTER = "dead_letter"


class AmbiguousPolicy(NamedTuple):
    """The choice for each call that writes; calls are idempotent, so the default is to repeat them."""

    create: OnAmbiguous = OnAmbiguous.RETRY
    update: OnAmbiguous = OnAmbiguous.RETRY
    cancel: OnAmbiguous = OnAmbiguous.RETRY

    def of(self, operation: Operation) -> OnAmbiguous:
        """Return the choice for a call; a lookup writes nothing and is repeated."""
        match operation:
            case Operation.CREATE:
                return self.create
            case Operation.UPDATE:
                return self.update
            case Operation.CANCEL:
                return self.cancel
            case Operation.LOOKUP:
                return OnAmbiguous.RETRY


class AnswerPolicy(NamedTuple):
    """The merchant's choices about answers.

    ``visibility_seconds`` is how long two answers about one order may contradict each other before the event is a dead
    letter; ``settle_seconds`` is how long a call without answer is given to land before a lookup is believed.
    """

    overrides: tuple[Override, ...] = ()
    ambiguous: AmbiguousPolicy = AmbiguousPolicy()
    visibility_seconds: float = 30.0
    settle_seconds: float = 1.0


def chosen(
    overrides: tuple[Override, ...],
    operation: Operation,
    status: int,
    error_type: str | None,
) -> Choice | None:
    """Return what an answer was made to mean: by its type before its status, by its status before its class."""
    if status not in OVERRIDABLE:
        return None
    choices = {key: choice for each, key, choice in overrides if each is operation}
    keys = ((error_type or "").lower(), str(status), f"{status // 100}xx")
    return next((choices[key] for key in keys if key in choices), None)


DEFAULT_ANSWERS = AnswerPolicy()
