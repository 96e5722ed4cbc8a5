# SPDX-License-Identifier: Apache-2.0
"""The switches' names, defaults and values."""

from __future__ import annotations

import pytest

from connector.sandbox.switches import SwitchError, Switches, active, catalogue, changed, shown

FAVOURED_BY_THE_EVIDENCE = {
    "create_of_known_id": "409",
    "create_of_cancelled_id": "409",
    "create_answers": "200",
    "update_of_unknown_id": "404",
    "update_of_cancelled_id": "404",
    "update_missing_fields": "merge",
    "finalization_seconds": 0,
    "after_finalization": "403",
    "cancel_of_unknown_id": "404",
    "second_cancel": "404",
    "cancel_answers": "200_null",
    "get_of_cancelled": "404",
    "get_includes_lines": "yes",
    "get_shows": "all",
    "visible_after_ms": 0,
    "negative_line_total": "accept",
    "zero_line_total": "accept",
    "line_sum_mismatch": "accept",
    "bad_order_id": "400",
    "path_slash": "decode",
    "absent_customer": "accept",
    "absent_line_items": "accept",
    "first_purchase_flag": "is_new",
    "other_order_channel": "400",
    "error_body": "message",
    "forbidden_order_ids": "",
    "rate_limit_per_second": 0,
    "availability": "up",
}


def test_defaults_are_what_the_evidence_favours() -> None:
    """A sandbox without switches is the best guess at Button, and plays no fault."""
    defaults = {name: row.default for name, row in catalogue().items()}
    assert FAVOURED_BY_THE_EVIDENCE.items() <= defaults.items()
    assert [name for name, value in defaults.items() if name.endswith("_share") and value != 0] == []


def test_every_switch_takes_its_own_default_as_text() -> None:
    """What the command line reads is what the code holds."""
    assert changed(Switches(), {name: str(row.default) for name, row in catalogue().items()}) == Switches()


def test_every_switch_says_what_it_takes_and_means() -> None:
    """No row of the table is empty, and a default is one of the values."""
    for name, row in catalogue().items():
        assert row.meaning, name
        assert row.values, name
        assert not row.choices or row.default in row.choices, name


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "inf", "nan", None, [], True])
def test_a_number_out_of_its_range_is_refused_by_name(value: object) -> None:
    """A share is from 0 to 1 and nothing else."""
    with pytest.raises(SwitchError, match=r"^fail_share="):
        changed(Switches(), {"fail_share": value})


def test_keys_are_masked_wherever_switches_are_shown() -> None:
    """A key is named as changed, and never shown."""
    switches = changed(Switches(), {"api_key": "sk-secret", "seed": 5})
    assert active(switches) == {"api_key": "***", "seed": 5}
    assert "sk-secret" not in str(shown(switches))
