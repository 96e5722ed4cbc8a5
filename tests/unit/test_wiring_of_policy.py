# SPDX-License-Identifier: Apache-2.0
"""What is set reaches the parts that it is for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from connector import preflight, wiring
from connector.avro.writers import Elsewhere, MappingError
from connector.domain.policy import MissingToken
from connector.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def _settings(**areas: Any) -> Settings:  # noqa: ANN401  any area
    base: dict[str, Any] = {"kafka": {"bootstrap_servers": "127.0.0.1:1"}, "button": {"api_key": "sk-x"}}
    return Settings.model_validate({**base, **areas})


def test_the_policy_reaches_the_engine() -> None:
    """What the engine decides by is what was set."""
    options = wiring.engine_options(_settings(policy={"missing_token": "skip"}))
    assert options.policy.missing_token is MissingToken.SKIP


def test_nothing_is_mapped_unless_it_is_set() -> None:
    """And only a default currency relieves writers of theirs."""
    assert wiring.elsewhere(_settings()) == Elsewhere(None, frozenset())
    relieved = wiring.elsewhere(_settings(policy={"default_currency": "USD"}))
    assert relieved == Elsewhere(None, frozenset({"currency_code"}))


def test_what_is_mapped_is_checked_against_events_and_batches() -> None:
    """Or against the schema that the settings name, instead of both."""
    found = wiring.elsewhere(_settings(mapping={"fields": {"mpid": "session_uuid"}}))
    assert found.mapping is not None
    assert found.supplied == {"mpid"}


def test_a_schema_of_one_s_own_is_checked_against_where_it_is_named(tmp_path: Path) -> None:
    """Its fields may be asked for; what it lacks may not."""
    file = tmp_path / "event.avsc"
    own = {"type": "record", "name": "E", "fields": [{"name": "shop_order", "type": "string"}]}
    file.write_text(json.dumps(own), encoding="utf-8")
    fields = {"product_action.transaction_id": "shop_order"}
    assert wiring.elsewhere(_settings(mapping={"fields": fields, "schema_file": file})).mapping is not None
    with pytest.raises(MappingError):
        wiring.elsewhere(_settings(mapping={"fields": fields}))
    file.write_text('{"type": "nothing"}', encoding="utf-8")
    with pytest.raises(MappingError, match=r"mapping\.schema_file: the writer's schema"):
        wiring.elsewhere(_settings(mapping={"fields": fields, "schema_file": file}))


def test_a_mapping_that_is_wrong_refuses_the_start_by_name() -> None:
    """Setting, expression, position and what was meant, before anything is connected."""
    settings = _settings(mapping={"fields": {"mpid": "custom_atributes.x", "btn_ref": "mpid."}})
    problems = preflight.refused_settings(settings, wiring.connection(settings.kafka))
    assert [problem.setting for problem in problems] == ["mapping.fields.mpid", "mapping.fields.btn_ref"]
    assert problems[0].message == (
        "'custom_atributes.x', character 1: there is no field 'custom_atributes'; did you mean custom_attributes?"
    )
    assert "character 6" in problems[1].message
    assert not any(problem.may_pass for problem in problems)
