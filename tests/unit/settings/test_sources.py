# SPDX-License-Identifier: Apache-2.0
"""Where settings come from, and which source wins."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from connector.settings import ButtonSettings, KafkaSettings, Settings, load

if TYPE_CHECKING:
    from pathlib import Path

SMALLEST = "kafka:\n  bootstrap_servers: broker-1:9092\nbutton:\n  api_key: sk-from-file\n"
REQUIRED = {
    "BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS": "broker-2:9092",
    "BUTTON_CONNECTOR__BUTTON__API_KEY": "sk-from-environment",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the smallest file that is enough."""
    path = tmp_path / "connector.yaml"
    path.write_text(SMALLEST)
    return path


def test_a_file_with_what_is_required_is_enough(config: Path) -> None:
    """Everything but the brokers and the API key has a default, and the defaults do not contradict one another."""
    settings = load(config, {})
    assert settings.kafka.bootstrap_servers == "broker-1:9092"
    assert settings.kafka.topics == ("commerce-events",)
    assert settings.delivery.max_uncommitted_records == 5_000


def test_the_environment_alone_is_enough() -> None:
    """No file is needed."""
    settings = load(None, REQUIRED)
    assert settings.kafka.bootstrap_servers == "broker-2:9092"
    assert settings.button.read_api_key().get_secret_value() == "sk-from-environment"


def test_the_environment_wins_over_the_file_setting_by_setting(config: Path) -> None:
    """A variable replaces one setting and leaves its neighbours as the file has them."""
    config.write_text(SMALLEST + "delivery:\n  max_concurrency: 8\n  drain_seconds: 40\n")
    settings = load(config, {"BUTTON_CONNECTOR__DELIVERY__MAX_CONCURRENCY": "16"})
    assert (settings.delivery.max_concurrency, settings.delivery.drain_seconds) == (16, 40.0)


@pytest.mark.parametrize("text", ["orders-a, orders-b", '["orders-a", "orders-b"]'])
def test_a_list_in_the_environment_is_json_or_has_commas(text: str) -> None:
    """Both ways that people write lists in variables are read."""
    settings = load(None, REQUIRED | {"BUTTON_CONNECTOR__KAFKA__TOPICS": text})
    assert settings.kafka.topics == ("orders-a", "orders-b")


def test_brokers_may_be_a_list_in_the_file(config: Path) -> None:
    """A YAML list of brokers means the same as one text with commas."""
    config.write_text("kafka:\n  bootstrap_servers: [a:1, b:2]\nbutton:\n  api_key: sk-x\n")
    assert load(config, {}).kafka.bootstrap_servers == "a:1,b:2"


def test_an_empty_variable_counts_as_not_set(config: Path) -> None:
    """Templates leave empty variables behind; they change nothing."""
    assert load(config, {"BUTTON_CONNECTOR__KAFKA__GROUP_ID": ""}).kafka.group_id == "button-connector"


def test_an_empty_area_in_the_file_means_its_defaults(config: Path) -> None:
    """An area whose settings are all commented out is no mistake."""
    config.write_text(SMALLEST + "log:\n")
    assert load(config, {}).log.level == "info"


def test_variables_of_kubernetes_services_are_left_alone() -> None:
    """A service called button-connector, or button-connector-ops, puts variables of its own beside ours."""
    environ = REQUIRED | {
        "BUTTON_CONNECTOR_SERVICE_HOST": "10.0.0.1",
        "BUTTON_CONNECTOR_PORT_8080_TCP_ADDR": "10.0.0.1",
        "BUTTON_CONNECTOR_OPS_PORT": "tcp://10.0.0.1:8080",
    }
    assert load(None, environ).ops.port == 8080


def test_merge_keys_and_aliases_of_yaml_are_no_doubles(config: Path) -> None:
    """A key that overrides a merged one is given once."""
    config.write_text(
        "kafka: &base\n  bootstrap_servers: a:1\n"
        "button:\n  api_key: sk-x\n"
        "delivery:\n  <<: {max_concurrency: 3}\n  max_concurrency: 4\n",
    )
    assert load(config, {}).delivery.max_concurrency == 4


def test_a_key_file_is_read_anew_every_time(tmp_path: Path) -> None:
    """A key that was rotated is seen without a restart; the line break at the end is not part of it [27]."""
    key = tmp_path / "key"
    key.write_text("sk-old\n")
    settings = load(
        None,
        {"BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS": "a:1", "BUTTON_CONNECTOR__BUTTON__API_KEY_FILE": str(key)},
    )
    assert settings.button.read_api_key().get_secret_value() == "sk-old"
    key.write_text("sk-new\n")
    assert settings.button.read_api_key().get_secret_value() == "sk-new"


@pytest.mark.parametrize("text", ["2018-02-13", "'2018-02-13'"])
def test_the_api_version_is_a_date_with_or_without_quotes(config: Path, text: str) -> None:
    """YAML turns a bare date into a date by itself."""
    config.write_text(SMALLEST + f"  api_version: {text}\n")
    assert load(config, {}).button.api_version == dt.date(2018, 2, 13)


def test_settings_built_in_code_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test or another program builds is what it gets."""
    monkeypatch.setenv("BUTTON_CONNECTOR__KAFKA__GROUP_ID", "from-environment")
    monkeypatch.setenv("LOG", '{"level": "debug"}')
    kafka = KafkaSettings(bootstrap_servers="a:1")
    button = ButtonSettings.model_validate({"api_key": "sk-x"})
    settings = Settings(kafka=kafka, button=button)
    assert (settings.kafka.group_id, settings.log.level) == ("button-connector", "info")


def test_a_description_masks_the_key(config: Path) -> None:
    """What is shown of the settings has everything but the secrets."""
    described = load(config, {}).describe()
    assert "sk-from-file" not in str(described)
    assert "broker-1:9092" in str(described)


def test_every_setting_has_a_description_that_is_a_sentence() -> None:
    """The reference is generated from them."""
    models = [info.annotation for info in Settings.model_fields.values()]
    texts = [
        (name, info.description)
        for model in models
        if isinstance(model, type)
        for name, info in getattr(model, "model_fields", {}).items()
    ]
    assert len(texts) > 20
    assert [name for name, text in texts if not text or not text.endswith(".")] == []
