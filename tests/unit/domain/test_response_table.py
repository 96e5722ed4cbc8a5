# SPDX-License-Identifier: Apache-2.0
"""The whole table of answers, written down a second time, so that no row comes, goes or changes unnoticed."""

from __future__ import annotations

import pytest

from connector.domain.orders import Operation
from connector.domain.responses import Answer, interpret

CHANGES = (Operation.UPDATE, Operation.CANCEL)
GONE = (404, 405, 410)


def _with_envelope(operation: Operation, status: int) -> str:
    """Return what an error of Button's own means."""
    match operation, status:
        case _, 401:
            return "Halt"
        case Operation.CREATE, 409:
            return "AlreadyApplied"
        case Operation.CANCEL, 404 | 409 | 410:
            return "AlreadyApplied"
        case _, 403:
            return "Refused" if operation in CHANGES else "Retry"
        case _, 407 | 408 | 425 | 429:
            return "Retry"
    by_hundreds = {2: "Refused", 3: "Retry", 4: "Refused", 5: "Retry"}
    return by_hundreds.get(status // 100, "Ambiguous")


def _without_envelope(operation: Operation, status: int) -> str:
    """Return what an answer means that may come from anybody on the way."""
    if status in GONE:
        return "Retry"
    if status // 100 == 2:
        return "Applied" if operation is Operation.CANCEL and status == 204 else "Ambiguous"
    return _with_envelope(operation, status)


@pytest.mark.parametrize("operation", list(Operation))
def test_every_error_of_button_s_is_judged_as_listed(operation: Operation) -> None:
    """A new answer of the API is a row in the code and a line here."""
    judged = {status: type(interpret(operation, Answer(status, "error"))).__name__ for status in range(100, 600)}
    assert judged == {status: _with_envelope(operation, status) for status in range(100, 600)}


@pytest.mark.parametrize("operation", list(Operation))
def test_every_answer_without_button_s_envelope_is_judged_as_listed(operation: Operation) -> None:
    """The same for pages of proxies and for silence."""
    judged = {status: type(interpret(operation, Answer(status))).__name__ for status in range(100, 600)}
    assert judged == {status: _without_envelope(operation, status) for status in range(100, 600)}
