# SPDX-License-Identifier: Apache-2.0
"""Rules of the settings of what answers mean, and of what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.domain.answer_policy import DEFAULT_ANSWERS, AnswerPolicy
from connector.domain.orders import Operation
from connector.domain.outcomes import (
    AlreadyApplied,
    Answer,
    Finalized,
    Halt,
    Knowledge,
    LookUp,
    NotFound,
    Question,
    Refused,
    Retry,
)
from connector.domain.responses import interpret
from connector.settings import SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

    from connector.domain.outcomes import Outcome

_SKELETON = "kafka:\n  bootstrap_servers: localhost:9092\nbutton:\n  api_key: sk-x\n"


def _policy(tmp_path: Path, text: str, **environ: str) -> AnswerPolicy:
    file = tmp_path / "connector.yaml"
    file.write_text(_SKELETON + text, encoding="utf-8")
    return load(file, environ).button.to_answers()


def _judged(policy: AnswerPolicy, operation: str, status: int, error_type: str | None = None) -> Outcome:
    return interpret(Operation(operation), Answer(status, "error", error_type=error_type), Knowledge.OPEN, policy)


def test_the_defaults_are_the_domain_s(tmp_path: Path) -> None:
    """One place decides; the settings only show it."""
    assert _policy(tmp_path, "") == DEFAULT_ANSWERS


def test_an_answer_means_what_the_settings_say(tmp_path: Path) -> None:
    """By type before status, by status before class, and only for the call that is named."""
    policy = _policy(
        tmp_path,
        "  responses:\n"
        "    cancel: {404: Already_Applied, 4xx: finalized, AlreadyPaid: dead_letter}\n"
        "    create: {409: already_applied, 403: halt, 2xx: retry}\n"
        "    update: {422: lookup}\n"
        "    lookup: {400: not_found}\n",
    )
    assert _judged(policy, "cancel", 404) == AlreadyApplied("already_cancelled")
    assert isinstance(_judged(policy, "cancel", 422), Finalized)
    assert isinstance(_judged(policy, "cancel", 404, "ALREADYPAID"), Refused)
    assert isinstance(_judged(policy, "cancel", 429, "AlreadyPaid"), Retry)
    assert isinstance(_judged(policy, "cancel", 401), Halt)
    assert isinstance(_judged(policy, "create", 403), Halt)
    assert isinstance(_judged(policy, "create", 200), Retry)
    assert interpret(Operation.CREATE, Answer(409, "error"), Knowledge.NOTHING, policy) == AlreadyApplied(
        "already_exists",
    )
    asked = _judged(policy, "update", 422)
    assert isinstance(asked, LookUp)
    assert asked.question is Question.GONE
    assert _judged(policy, "lookup", 400) == NotFound()
    assert isinstance(_judged(policy, "lookup", 422), Refused)


def test_an_answer_without_button_s_envelope_follows_the_settings_too(tmp_path: Path) -> None:
    """Where Button's own 404 turns out to be empty, that can be said."""
    policy = _policy(tmp_path, "  responses: {cancel: {404: already_applied}}\n")
    bare = Answer(404, is_empty=True)
    assert interpret(Operation.CANCEL, bare, Knowledge.OPEN, policy) == AlreadyApplied("already_cancelled")
    assert isinstance(interpret(Operation.CANCEL, bare, Knowledge.OPEN), Retry)


def test_a_choice_can_come_from_the_environment(tmp_path: Path) -> None:
    """A status is a part of the variable's name; the environment wins."""
    policy = _policy(
        tmp_path,
        "  responses: {cancel: {404: finalized}}\n",
        BUTTON_CONNECTOR__BUTTON__RESPONSES__CANCEL__404="dead_letter",
        BUTTON_CONNECTOR__BUTTON__AMBIGUOUS__UPDATE="lookup",
    )
    assert isinstance(_judged(policy, "cancel", 404), Refused)
    assert tuple(map(str, policy.ambiguous)) == ("retry", "lookup", "retry")


def test_times_and_ambiguous_calls_can_be_set(tmp_path: Path) -> None:
    """None of the settings is lost on the way."""
    policy = _policy(
        tmp_path,
        "  ambiguous: {create: DEAD_LETTER, cancel: lookup}\n  visibility_seconds: 5\n  settle_seconds: 0.5\n",
    )
    assert tuple(map(str, policy.ambiguous)) == ("dead_letter", "retry", "lookup")
    assert (policy.visibility_seconds, policy.settle_seconds) == (5.0, 0.5)


_WAITED = "What is down, slow or locked (3xx, 401, 407, 408, 425, 429, 5xx) is always waited for; remove it."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "responses: {delete: {404: retry}}",
            (
                "button.responses.delete: is no call of the Order API (line 5). "
                "The calls are create, update, cancel, lookup."
            ),
        ),
        (
            "responses: {cancel: {4040: retry}}",
            (
                "button.responses.cancel.4040: is no status (line 5). "
                "Give three digits (404), or a class of statuses (4xx)."
            ),
        ),
        (
            "responses: {cancel: {'no such order': retry}}",
            (
                "button.responses.cancel.no such order: is neither a status nor the type of an error (line 5). "
                "Give a status (404), a class (4xx), or a type (OrderFinalized)."
            ),
        ),
        (
            "responses: {cancel: {503: dead_letter}}",
            f"button.responses.cancel.503: has a meaning that cannot be changed (line 5). {_WAITED}",
        ),
        (
            "responses: {create: {5xx: dead_letter}}",
            f"button.responses.create.5xx: has a meaning that cannot be changed (line 5). {_WAITED}",
        ),
        (
            "responses: {create: {401: dead_letter}}",
            f"button.responses.create.401: has a meaning that cannot be changed (line 5). {_WAITED}",
        ),
        (
            "responses: {update: {404: already_applied}}",
            (
                "button.responses.update.404: cannot mean 'already_applied' (line 5). "
                "An answer to update can mean retry, lookup, dead_letter, finalized, halt."
            ),
        ),
        (
            "responses: {create: {409: finalized}}",
            (
                "button.responses.create.409: cannot mean 'finalized' (line 5). "
                "An answer to create can mean already_applied, retry, lookup, dead_letter, halt."
            ),
        ),
        (
            "ambiguous: {lookup: retry}",
            "button.ambiguous.lookup: is no call that writes (line 5). The calls are create, update, cancel.",
        ),
        (
            "ambiguous: {create: maybe}",
            "button.ambiguous.create: cannot be 'maybe' (line 5). Choose one of retry, lookup, dead_letter.",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_named_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    """Key, what is wrong, where, what to do; an outage can never be held against an order."""
    with pytest.raises(SettingsError) as caught:
        _policy(tmp_path, f"  {text}\n")
    (problem,) = caught.value.problems
    assert str(problem).replace(f"{tmp_path / 'connector.yaml'}, ", "") == said
