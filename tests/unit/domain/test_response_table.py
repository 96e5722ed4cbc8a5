# SPDX-License-Identifier: Apache-2.0
"""The whole table of answers, written down a second time, so that no row comes, goes or changes unnoticed."""

from __future__ import annotations

import pytest

from connector.domain.orders import Operation
from connector.domain.outcomes import Answer, Knowledge
from connector.domain.responses import interpret

CREATE, UPDATE, CANCEL, LOOKUP = Operation.CREATE, Operation.UPDATE, Operation.CANCEL, Operation.LOOKUP
BLIND, NOTHING, WAITING, OPEN, CANCELLED = Knowledge
EVERY_PAIR = [(operation, knowledge) for operation in Operation for knowledge in Knowledge]
GONE = (404, 405, 410)


def _of_the_order(  # noqa: C901, PLR0911  one branch for each meaning
    operation: Operation,
    status: int,
    knowledge: Knowledge,
) -> str | None:
    """Return what an answer means whose meaning depends on the call and on what the ledger knows."""
    match operation, status, knowledge:
        case Operation.CREATE, 409, Knowledge.NOTHING | Knowledge.WAITING:
            return "LookUp"
        case Operation.CREATE, 409, _:
            return "AlreadyApplied"
        case Operation.UPDATE, 404 | 409 | 410, Knowledge.NO_LEDGER:
            return "Refused"
        case Operation.CANCEL, 404 | 409 | 410, Knowledge.NO_LEDGER:
            return "AlreadyApplied"
        case Operation.UPDATE | Operation.CANCEL, 404 | 409 | 410, Knowledge.CANCELLED:
            return "AlreadyApplied"
        case Operation.UPDATE | Operation.CANCEL, 404 | 409 | 410, _:
            return "LookUp"
        case Operation.LOOKUP, 404 | 410, _:
            return "NotFound"
        case Operation.UPDATE | Operation.CANCEL, 403, Knowledge.NO_LEDGER:
            return "Refused"
        case _, 403, Knowledge.NO_LEDGER:
            return "Retry"
        case _, 403, _:
            return "LookUp"
    return None


def _with_envelope(operation: Operation, status: int, knowledge: Knowledge) -> str:
    """Return what an error of Button's own means."""
    if status == 401:
        return "Halt"
    if (of_the_order := _of_the_order(operation, status, knowledge)) is not None:
        return of_the_order
    if status in (407, 408, 425, 429):
        return "Retry"
    unknown = "Retry" if operation is LOOKUP else "Ambiguous"
    return {2: "Refused", 3: "Retry", 4: "Refused", 5: "Retry"}.get(status // 100, unknown)


def _without_envelope(operation: Operation, status: int, knowledge: Knowledge) -> str:
    """Return what an answer means that may come from anybody on the way."""
    if status in GONE:
        return "Retry"
    if status // 100 == 2:
        is_silent_cancel = operation is CANCEL and status == 204
        return "Applied" if is_silent_cancel else "Retry" if operation is LOOKUP else "Ambiguous"
    return _with_envelope(operation, status, knowledge)


@pytest.mark.parametrize(("operation", "knowledge"), EVERY_PAIR)
def test_every_error_of_button_s_is_judged_as_listed(operation: Operation, knowledge: Knowledge) -> None:
    """A new answer of the API is a row in the code and a line here."""
    judged = {status: interpret(operation, Answer(status, "error"), knowledge) for status in range(100, 600)}
    listed = {status: _with_envelope(operation, status, knowledge) for status in range(100, 600)}
    assert {status: type(outcome).__name__ for status, outcome in judged.items()} == listed


@pytest.mark.parametrize(("operation", "knowledge"), EVERY_PAIR)
def test_every_answer_without_button_s_envelope_is_judged_as_listed(operation: Operation, knowledge: Knowledge) -> None:
    """The same for pages of proxies and for silence."""
    judged = {status: interpret(operation, Answer(status), knowledge) for status in range(100, 600)}
    listed = {status: _without_envelope(operation, status, knowledge) for status in range(100, 600)}
    assert {status: type(outcome).__name__ for status, outcome in judged.items()} == listed


def test_what_the_ledger_knows_changes_no_other_answer() -> None:
    """A refusal, an outage and a success mean the same to everybody; only 403, 404, 409 and 410 are asked about."""
    depends = {
        (operation, status)
        for operation in Operation
        for status in range(100, 600)
        if len({interpret(operation, Answer(status, "error"), each) for each in Knowledge}) > 1
    }
    changes = {(operation, status) for operation in (UPDATE, CANCEL) for status in (403, 404, 409, 410)}
    assert depends == changes | {(CREATE, 403), (CREATE, 409), (LOOKUP, 403)}
