# SPDX-License-Identifier: Apache-2.0
"""Rules of what Button's answers mean."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from connector.domain.orders import Operation
from connector.domain.responses import (
    AlreadyApplied,
    Ambiguous,
    Answer,
    Applied,
    Halt,
    NoAnswer,
    NotSent,
    Refused,
    Retry,
    interpret,
)
from tests.support.commerce import published

CREATE, UPDATE, CANCEL, LOOKUP = Operation.CREATE, Operation.UPDATE, Operation.CANCEL, Operation.LOOKUP
_OPERATIONS = {"create": CREATE, "update": UPDATE, "delete": CANCEL}


def _meta_status(body: object) -> str | None:
    meta = body.get("meta") if isinstance(body, dict) else None
    status = meta.get("status") if isinstance(meta, dict) else None
    return status if isinstance(status, str) else None


def _answer(published_answer: dict[str, Any]) -> Answer:
    raw = published_answer.get("raw")
    try:
        body = published_answer["body"] if raw is None else json.loads(raw)
    except json.JSONDecodeError:
        body = None
    return Answer(published_answer["status"], _meta_status(body), is_empty=raw == "")


def test_the_good_answers_of_button_s_own_client_are_acknowledgements() -> None:
    """Create, update and cancel, the latter without an object."""
    answers = cast("list[dict[str, Any]]", published("button_client_answers"))
    good = [answer for answer in answers if answer["call"] in _OPERATIONS]
    assert len(good) == 3
    for answer in good:
        assert interpret(_OPERATIONS[answer["call"]], _answer(answer)) == Applied()


def test_the_malformed_answers_of_button_s_own_client_acknowledge_nothing() -> None:
    """HTTP 200 alone is not enough: the body must be Button's and say ok."""
    answers = cast("list[dict[str, Any]]", published("button_client_answers"))
    bad = [answer for answer in answers if answer["call"].startswith("malformed")]
    assert len(bad) == 7
    for answer in bad:
        expected = Refused if "HTTP 200" in answer["call"] else Ambiguous
        assert isinstance(interpret(CREATE, _answer(answer)), expected), answer


def test_the_published_errors_are_judged_by_their_status() -> None:
    """A bad key halts, bad content is refused, and a missing approval is the account's matter."""
    answers = cast("list[dict[str, Any]]", published("button_other_answers"))
    expected = {400: Refused, 401: Halt, 403: Retry, 404: Refused}
    assert {answer["status"] for answer in answers} == set(expected)
    for answer in answers:
        assert isinstance(interpret(CREATE, _answer(answer)), expected[answer["status"]])


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_with_ok_is_an_acknowledgement(status: int) -> None:
    """A 202 has no id of Button's."""
    assert interpret(CREATE, Answer(status, "ok")) == Applied()


@pytest.mark.parametrize("answer", [Answer(204), Answer(200, is_empty=True)])
def test_no_body_acknowledges_a_cancel_and_nothing_else(answer: Answer) -> None:
    """There is nothing left to say of a cancelled order, but there is of a new one."""
    assert interpret(CANCEL, answer) == Applied()
    assert isinstance(interpret(CREATE, answer), Ambiguous)


def test_an_error_under_a_2xx_is_refused_with_button_s_words() -> None:
    """Both HTTP and meta.status must say yes."""
    outcome = interpret(CREATE, Answer(200, "error", message="no such thing"))
    assert isinstance(outcome, Refused)
    assert outcome.reason == "error_in_success"
    assert "no such thing" in outcome.message


@pytest.mark.parametrize("operation", [CREATE, CANCEL])
def test_an_unreadable_2xx_is_ambiguous(operation: Operation) -> None:
    """Nobody knows who wrote it."""
    outcome = interpret(operation, Answer(200))
    assert isinstance(outcome, Ambiguous)
    assert outcome.reason == "unreadable_answer"


@pytest.mark.parametrize(
    ("operation", "status", "reason"),
    [
        (CREATE, 409, "already_exists"),
        (CANCEL, 404, "already_cancelled"),
        (CANCEL, 409, "already_cancelled"),
        (CANCEL, 410, "already_cancelled"),
    ],
)
def test_what_a_repetition_would_get_counts_as_applied_before(operation: Operation, status: int, reason: str) -> None:
    """A record that is read again must not become a dead letter."""
    assert interpret(operation, Answer(status, "error")) == AlreadyApplied(reason)


@pytest.mark.parametrize(("operation", "status"), [(CREATE, 404), (CREATE, 410), (UPDATE, 404), (UPDATE, 409)])
def test_the_same_answers_to_other_calls_are_refusals(operation: Operation, status: int) -> None:
    """Nothing to change is not the same as changed already."""
    outcome = interpret(operation, Answer(status, "error"))
    assert isinstance(outcome, Refused)
    assert outcome.reason == f"http_{status}"


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("status", [404, 405, 410])
@pytest.mark.parametrize("is_empty", [True, False])
def test_nothing_is_lost_by_a_wrong_address(operation: Operation, status: int, *, is_empty: bool) -> None:
    """Without Button's envelope somebody else said so; the order waits for the right address."""
    outcome = interpret(operation, Answer(status, is_empty=is_empty, message="no such page"))
    assert isinstance(outcome, Retry)
    assert outcome.reason == "not_button"
    assert "button.base_url" in outcome.message


def test_an_envelope_with_a_status_of_its_own_is_button_s_word() -> None:
    """It is the envelope that tells Button from a proxy, whatever stands in it."""
    assert interpret(CANCEL, Answer(404, "gone")) == AlreadyApplied("already_cancelled")
    assert isinstance(interpret(CREATE, Answer(404, "gone")), Refused)


@pytest.mark.parametrize("operation", list(Operation))
def test_a_refused_key_halts_and_blames_no_order(operation: Operation) -> None:
    """[25] [27] Nothing becomes a dead letter for the key."""
    outcome = interpret(operation, Answer(401, "error", message="Invalid api_key"))
    assert isinstance(outcome, Halt)
    assert "Invalid api_key" in outcome.message


def test_forbidden_is_the_account_s_matter_for_a_new_order_and_the_order_s_for_a_change() -> None:
    """[25] A new order cannot be final; one that is final cannot be changed however often it is tried."""
    assert isinstance(interpret(CREATE, Answer(403, "error")), Retry)
    assert isinstance(interpret(CANCEL, Answer(403, "error")), Refused)
    assert isinstance(interpret(UPDATE, Answer(403, "error")), Refused)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_the_other_side_could_not_serve_is_tried_again_not_before_the_time_it_named(status: int) -> None:
    """Nothing is known against the order."""
    outcome = interpret(CREATE, Answer(status, retry_after_seconds=7.5))
    assert isinstance(outcome, Retry)
    assert (outcome.reason, outcome.after_seconds) == (f"http_{status}", 7.5)


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
def test_a_redirect_is_a_wrong_address_and_loses_nothing(status: int) -> None:
    """Every order would be redirected; they wait until the address is right."""
    outcome = interpret(CREATE, Answer(status))
    assert isinstance(outcome, Retry)
    assert outcome.reason == "redirected"
    assert "address" in outcome.message


@pytest.mark.parametrize("status", [400, 405, 413, 422])
def test_what_button_does_not_want_is_refused_with_its_words(status: int) -> None:
    """It would not want it the next time either."""
    outcome = interpret(CREATE, Answer(status, "error", message="order_id is required"))
    assert isinstance(outcome, Refused)
    assert outcome.reason == f"http_{status}"
    assert "order_id is required" in outcome.message


def test_what_was_not_sent_is_simply_sent_again() -> None:
    """Button cannot have read it."""
    assert interpret(CREATE, NotSent("refused")) == Retry("not_sent", "refused")


def test_what_got_no_answer_is_ambiguous() -> None:
    """[48] Button may have applied it before the connection was cut."""
    assert interpret(CREATE, NoAnswer("timed out")) == Ambiguous("no_answer", "timed out")


def test_an_answer_that_is_none_is_ambiguous() -> None:
    """An interim status is no end, and no HTTP at all is no refusal."""
    assert isinstance(interpret(CREATE, Answer(102)), Ambiguous)
    assert isinstance(interpret(CREATE, Answer(0, "ok")), Ambiguous)
