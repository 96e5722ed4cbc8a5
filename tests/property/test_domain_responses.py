# SPDX-License-Identifier: Apache-2.0
"""Every answer that HTTP can give means something; played through whole instead of drawn."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from connector.domain.orders import Operation
from connector.domain.responses import AlreadyApplied, Ambiguous, Answer, Applied, Halt, Refused, Retry, interpret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.domain.responses import Outcome

_METAS = ("ok", "error", "???", "", None)


def _all() -> Iterator[tuple[Operation, Answer, Outcome]]:
    for operation, status, meta, is_empty in product(Operation, range(100, 600), _METAS, (False, True)):
        answer = Answer(status, meta, retry_after_seconds=3.0, message="said", is_empty=is_empty)
        yield operation, answer, interpret(operation, answer)


def test_only_a_2xx_acknowledges_and_only_with_ok_or_after_a_cancel_without_a_body() -> None:
    """P1: nothing else may let an offset pass as delivered for the first time."""
    for operation, answer, outcome in _all():
        is_ok = answer.meta_status == "ok"
        is_silent_cancel = operation is Operation.CANCEL and (answer.is_empty or answer.status == 204)
        says_nothing = answer.meta_status is None
        expected = 200 <= answer.status < 300 and (is_ok or (is_silent_cancel and says_nothing))
        assert isinstance(outcome, Applied) == expected, (operation, answer, outcome)


def test_applied_before_is_believed_only_where_a_repetition_would_be_told_so() -> None:
    """Four answers in all; any other would drop an order or a refund."""
    believed = {(operation, answer.status) for operation, answer, out in _all() if isinstance(out, AlreadyApplied)}
    assert believed == {
        (Operation.CREATE, 409),
        (Operation.CANCEL, 404),
        (Operation.CANCEL, 409),
        (Operation.CANCEL, 410),
    }


def test_an_outage_refuses_nothing() -> None:
    """P5: what the other side, the way to it or the credentials cannot do is never held against an order."""
    for _, answer, outcome in _all():
        if answer.status in (401, 407, 408, 425, 429) or 300 <= answer.status < 400 or answer.status >= 500:
            assert not isinstance(outcome, Refused), (answer, outcome)
        assert isinstance(outcome, Halt) == (answer.status == 401)


def test_every_outcome_has_a_bounded_name_and_says_what_was_answered() -> None:
    """Names become metrics, messages dead letters; the time that Button named is kept."""
    names = set()
    for operation, answer, outcome in _all():
        if isinstance(outcome, Applied):
            continue
        names.add(outcome.reason)
        assert re.fullmatch(r"[a-z_]+[0-9]{0,3}", outcome.reason)
        if isinstance(outcome, Retry | Ambiguous | Refused | Halt):
            assert str(answer.status) in outcome.message
            assert operation in outcome.message
            assert "said" in outcome.message
        if isinstance(outcome, Retry):
            assert outcome.after_seconds == 3.0
    assert len(names) < 250
