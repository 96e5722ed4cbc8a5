# SPDX-License-Identifier: Apache-2.0
"""``config``: what can be set, what is set, and that the documents are current."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.settings import load, reference
from tests.support.command_line import call, settings_file

DOCS = Path(__file__).resolve().parents[3] / "docs"
SECRETS = {
    "kafka": {"bootstrap_servers": "a:1", "properties": {"sasl.password": "hunter-s3cr3t", "client.id": "mine"}},
    "schema_registry": {"url": "http://r:1", "username": "u", "password": "registry-s3cr3t"},
    "button": {"api_key": "sk-button-s3cr3t", "proxy": "http://user:proxy-s3cr3t@p:1"},
}


def test_the_settings_document_is_the_code_s() -> None:
    """It is generated; run: button-connector config reference --format markdown > docs/settings.md."""
    assert (DOCS / "settings.md").read_text(encoding="utf-8") == call(
        "config",
        "reference",
        "--format",
        "markdown",
    ).stdout


def test_the_settings_schema_is_the_code_s() -> None:
    """It is generated; run: button-connector config schema > docs/settings.schema.json."""
    assert (DOCS / "settings.schema.json").read_text(encoding="utf-8") == call("config", "schema").stdout


def test_every_setting_has_a_row_with_a_meaning_and_the_variable_that_sets_it() -> None:
    """A setting that nobody can look up is none."""
    rows = {row.key: row for row in reference.rows()}
    assert rows["kafka.session_timeout_ms"].unit == "ms"
    assert rows["kafka.bootstrap_servers"].default == "required"
    assert rows["button.api_key"].kind == "text, secret"
    assert rows["delivery.drain_seconds"][1:4] == ("number, above 0, at most 86400", "30", "s")
    assert rows["kafka.properties"].variable == "BUTTON_CONNECTOR__KAFKA__PROPERTIES__NAME"
    assert all(row.description and row.kind and row.variable for row in rows.values())


def test_the_schema_refuses_unknown_settings_and_requires_none() -> None:
    """An editor marks what is mistyped; what is missing may come from the environment."""
    schema = reference.json_schema()
    areas = schema["$defs"]
    assert schema["additionalProperties"] is False
    assert "required" not in schema
    objects = [area for area in areas.values() if "properties" in area]
    assert len(objects) == len(schema["properties"])
    assert all(area["additionalProperties"] is False and "required" not in area for area in objects)


@pytest.mark.parametrize(
    ("area", "name", "value"),
    [
        ("kafka", "bootstrap_servers", ["a:1", "b:2"]),
        ("kafka", "topics", "one,two"),
        ("schema_registry", "url", ["http://a:1", "http://b:1"]),
        ("policy", "purchase_actions", "purchase, order"),
        ("policy", "refund_actions", "refund"),
    ],
)
def test_what_the_schema_takes_besides_the_type_is_what_the_file_may_hold(
    tmp_path: Path,
    area: str,
    name: str,
    value: object,
) -> None:
    """An editor must not mark what is right."""
    areas = {"kafka": {"bootstrap_servers": "a:1"}, "button": {"api_key": "sk-x"}}
    load(Path(settings_file(tmp_path, {**areas, area: {**areas.get(area, {}), name: value}})), {})
    kinds = [each.get("type") for each in _property(area, name)["anyOf"]]
    assert ("array" if isinstance(value, list) else "string") in kinds


def _property(area: str, name: str) -> dict[str, list[dict[str, str]]]:
    schema = reference.json_schema()
    definition = schema["$defs"][schema["properties"][area]["$ref"].rsplit("/", 1)[1]]
    found: dict[str, list[dict[str, str]]] = definition["properties"][name]
    return found


def test_show_prints_what_is_in_force_and_where_it_came_from(tmp_path: Path) -> None:
    """File and line, variable, or the default."""
    file = settings_file(tmp_path, {"kafka": {"bootstrap_servers": "a:1"}, "button": {"api_key": "sk-x"}})
    done = call("config", "show", "--json", "-c", file, environ={"BUTTON_CONNECTOR__LOG__LEVEL": "debug"})
    rows = {row["key"]: row for row in json.loads(done.stdout)["settings"]}
    assert done.returncode == 0
    assert rows["kafka.bootstrap_servers"] == {
        "key": "kafka.bootstrap_servers",
        "value": "a:1",
        "from": f"{file}, line 4",
    }
    assert (rows["log.level"]["value"], rows["log.level"]["from"]) == (
        "debug",
        "environment variable BUTTON_CONNECTOR__LOG__LEVEL",
    )
    assert rows["log.format"]["from"] == "the default"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_show_never_shows_a_secret(tmp_path: Path, options: tuple[str, ...]) -> None:
    """However it is printed."""
    done = call("config", "show", *options, "-c", settings_file(tmp_path, SECRETS))
    assert done.returncode == 0
    assert "s3cr3t" not in done.stdout + done.stderr
    assert "mine" in done.stdout


def test_show_writes_each_sum_out_and_says_which_does_not_hold(tmp_path: Path) -> None:
    """Both sides with their values; the exit code is that of wrong settings."""
    areas = {
        "kafka": {"bootstrap_servers": "a:1"},
        "button": {"api_key": "sk-x"},
        "delivery": {"drain_seconds": 43},
    }
    done = call("config", "show", "--json", "-c", settings_file(tmp_path, areas))
    kept = {
        f"{row['left']} {row['relation']} {row['right']}": row["is_kept"] for row in json.loads(done.stdout)["sums"]
    }
    assert kept["delivery.drain_seconds (43 s) + 3 s to finish < delivery.shutdown_seconds (45 s)"] is False
    assert kept["button.request_timeout_seconds (15 s) + 6 s to finish < delivery.drain_seconds (43 s)"] is True
    assert kept["button.request_timeout_seconds (15 s) <= 40% of kafka.session_timeout_ms (45000 ms)"] is True
    assert kept["delivery.drain_seconds (43 s) <= 50% of kafka.max_poll_interval_ms (300000 ms)"] is True
    assert done.returncode == 2
    assert done.stderr.startswith("error: delivery.drain_seconds, delivery.shutdown_seconds: 43 s and 3 s to finish")
