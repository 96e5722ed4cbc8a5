# SPDX-License-Identifier: Apache-2.0
"""Rules of the settings of policy and mapping, and of what reaches the domain of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from connector.domain.policy import DEFAULT_POLICY, InvalidUpc, MissingToken, Policy, TotalFrom, WithoutConsent
from connector.settings import PolicySettings, SettingsError, load

if TYPE_CHECKING:
    from pathlib import Path

_SKELETON = "kafka:\n  bootstrap_servers: localhost:9092\nbutton:\n  api_key: sk-x\n"


def _policy(tmp_path: Path, text: str, **environ: str) -> Policy:
    file = tmp_path / "connector.yaml"
    file.write_text(_SKELETON + text, encoding="utf-8")
    return load(file, environ).policy.to_policy()


def _problem(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        _policy(tmp_path, text)
    (problem,) = caught.value.problems
    return str(problem)


def test_the_defaults_are_the_domain_s() -> None:
    """One place decides; the settings only show it."""
    assert PolicySettings().to_policy() == DEFAULT_POLICY


def test_every_choice_of_the_policy_can_be_set(tmp_path: Path) -> None:
    """And none of the settings is lost on the way."""
    policy = _policy(
        tmp_path,
        "policy:\n"
        "  purchase_actions: Order_Paid, purchase\n"
        "  refund_actions: [ORDER_VOID]\n"
        "  skip_development: false\n"
        "  gdpr: {ads: Strip_Identity}\n"
        "  gdpr_not_asked: skip\n"
        "  ccpa_opt_out: ignore\n"
        "  missing_token: dead_letter\n"
        "  refuse_test_tokens: true\n"
        "  default_currency: usd\n"
        "  total_from: lines\n"
        "  lines_must_add_up: true\n"
        "  invalid_upc: reject\n"
        "  first_purchase_flag: is_new_user\n"
        "  send_finalization_date: true\n"
        "  changed_purchase: skip\n"
        "  changed_after_refund: UPDATE\n"
        "  refund_amount_is: new_total\n"
        "  amount_refund_lines: order_level\n"
        "  over_refund: clamp\n",
    )
    assert policy.purchase_actions == {"order_paid", "purchase"}
    assert policy.refund_actions == {"order_void"}
    assert dict(policy.gdpr) == {"ads": WithoutConsent.STRIP_IDENTITY}
    assert policy.default_currency == "USD"
    assert (policy.missing_token, policy.invalid_upc, policy.total_from) == (
        MissingToken.DEAD_LETTER,
        InvalidUpc.REJECT,
        TotalFrom.LINES,
    )
    for field in dataclasses.fields(Policy):
        value: Any = getattr(policy, field.name)
        assert value != getattr(DEFAULT_POLICY, field.name), field.name


def test_purposes_come_as_json_in_a_variable(tmp_path: Path) -> None:
    """As every mapping does."""
    policy = _policy(tmp_path, "", BUTTON_CONNECTOR__POLICY__GDPR='{"ads": "skip"}')
    assert dict(policy.gdpr) == {"ads": WithoutConsent.SKIP}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policy:\n  default_currency: XAU\n", "policy.default_currency: 'XAU' is not a currency with a minor unit"),
        ("policy:\n  default_currency: dollars\n", "'dollars' is not a currency"),
        ("policy:\n  missing_token: drop\n", "policy.missing_token: 'drop' is not one of 'send_unattributed', 'skip'"),
        ("policy:\n  gdpr: {ads: deny}\n", "'deny' is not one of 'ignore', 'strip_identity' or 'skip'"),
        ("policy:\n  purchase_actions: ''\n", "policy.purchase_actions"),
        (
            "policy:\n  refund_actions: [Purchase]\n",
            "policy.refund_actions: holds purchase, which",
        ),
        ("policy:\n  skip_developement: false\n", "Did you mean policy.skip_development?"),
        ("policy:\n  skip_development: sometimes\n", "'sometimes' is neither true nor false"),
        ("mapping:\n  fields: [mpid]\n", "mapping.fields: a list is not a mapping"),
        ("mapping:\n  schema_file: /nowhere/x.avsc\n", "mapping.schema_file: /nowhere/x.avsc cannot be read"),
    ],
)
def test_a_choice_that_is_none_is_named_with_what_there_is(tmp_path: Path, text: str, said: str) -> None:
    """Key, value and remedy, in one line."""
    assert said in _problem(tmp_path, text).replace("'/nowhere/x.avsc'", "/nowhere/x.avsc")


def test_a_schema_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """Before anything is checked against it."""
    schema = tmp_path / "event.avsc"
    schema.write_text("record", encoding="utf-8")
    assert "does not hold JSON" in _problem(tmp_path, f"mapping:\n  schema_file: {schema}\n")
