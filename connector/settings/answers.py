# SPDX-License-Identifier: Apache-2.0
"""Settings of what Button's answers mean.

Owns how the merchant's choices are written, and what is said of those that cannot be. Which are allowed, and what they
do, is the domain's (:mod:`connector.domain.answer_policy`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from connector.domain.answer_policy import (
    CHOICES,
    OVERRIDABLE,
    STATUS_KEY,
    AmbiguousPolicy,
    Choice,
    OnAmbiguous,
    Override,
)
from connector.domain.orders import Operation
from connector.settings.base import refusal

_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_WRITES = tuple(operation.value for operation in Operation if operation is not Operation.LOOKUP)


def _plain(value: object) -> object:
    """Take keys and words in any case, and statuses as the numbers that YAML makes of them."""
    if not isinstance(value, Mapping):
        return value.lower() if isinstance(value, str) else value
    return {str(key).lower(): _plain(each) for key, each in value.items()}


def _can_be_overridden(responses: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    for operation, answers in responses.items():
        if operation not in set(Operation):
            what = "is no call of the Order API"
            raise refusal(what, f"The calls are {_listed(Operation)}.", key=operation)
        for key, choice in answers.items():
            _check_key(operation, key)
            allowed = CHOICES[Operation(operation)]
            if choice not in set(allowed):
                what = f"cannot mean {choice!r}"
                raise refusal(what, f"An answer to {operation} can mean {_listed(allowed)}.", key=f"{operation}.{key}")
    return responses


def _check_key(operation: str, key: str) -> None:
    where = f"{operation}.{key}"
    if not key[:1].isdecimal():
        if _TYPE.fullmatch(key) is None:
            what = "is neither a status nor the type of an error"
            raise refusal(what, "Give a status (404), a class (4xx), or a type (OrderFinalized).", key=where)
    elif STATUS_KEY.fullmatch(key) is None:
        what = "is no status"
        raise refusal(what, "Give three digits (404), or a class of statuses (4xx).", key=where)
    elif not any(key in {str(status), f"{status // 100}xx"} for status in OVERRIDABLE):
        what = "has a meaning that cannot be changed"
        remedy = "What is down, slow or locked (3xx, 401, 407, 408, 425, 429, 5xx) is always waited for; remove it."
        raise refusal(what, remedy, key=where)


def _are_writes(ambiguous: dict[str, str]) -> dict[str, str]:
    for operation, choice in ambiguous.items():
        if operation not in _WRITES:
            what = "is no call that writes"
            raise refusal(what, f"The calls are {_listed(_WRITES)}.", key=operation)
        if choice not in set(OnAmbiguous):
            what = f"cannot be {choice!r}"
            raise refusal(what, f"Choose one of {_listed(OnAmbiguous)}.", key=operation)
    return ambiguous


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


Responses = Annotated[
    dict[str, dict[str, str]],
    BeforeValidator(_plain),
    AfterValidator(_can_be_overridden),
]
Ambiguous = Annotated[dict[str, str], BeforeValidator(_plain), AfterValidator(_are_writes)]


def overrides_of(responses: Mapping[str, Mapping[str, str]]) -> tuple[Override, ...]:
    """Return the choices as the domain takes them."""
    return tuple(
        Override(Operation(operation), key, Choice(choice))
        for operation, answers in responses.items()
        for key, choice in answers.items()
    )


def ambiguous_of(ambiguous: Mapping[str, str]) -> AmbiguousPolicy:
    """Return the policy for calls without answer; calls that are not named keep the default."""
    chosen: dict[str, Any] = {operation: OnAmbiguous(choice) for operation, choice in ambiguous.items()}
    return AmbiguousPolicy(**chosen)
