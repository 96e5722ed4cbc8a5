# SPDX-License-Identifier: Apache-2.0
"""What is made from the chart's values is current, and its defaults are the connector's."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from connector.settings import Settings
from connector.settings.client_properties import is_secret
from connector.version import version
from tests.support.helm_values import CHART, README, SCHEMA, SETTINGS_SCHEMA, readme, values, values_schema

_DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def _objects(schema: object) -> list[dict[str, Any]]:
    """Return every part of a schema that says what may be in a mapping."""
    if isinstance(schema, list):
        return [found for each in schema for found in _objects(each)]
    if not isinstance(schema, dict):
        return []
    here = [schema] if "properties" in schema and schema.get("type") is not None else []
    return here + [found for each in schema.values() for found in _objects(each)]


def test_the_schema_of_the_values_is_current() -> None:
    """Whoever changes a value or a setting makes it anew (make chart, make docs)."""
    assert SCHEMA.read_text(encoding="utf-8") == values_schema()


def test_the_readme_of_the_chart_is_current() -> None:
    """Whoever changes a value makes its row anew (make chart)."""
    text = README.read_text(encoding="utf-8")
    assert text == readme(text)


def test_the_schema_admits_no_value_that_the_chart_or_the_connector_does_not_know() -> None:
    """A misspelt value is refused at every level, below ``config`` too."""
    assert all(each["additionalProperties"] is False for each in _objects(json.loads(values_schema())))


def test_every_value_is_explained() -> None:
    """A value without words, and in no group that has some, is one that nobody can set."""

    def unexplained(of: Any, above: str) -> list[str]:  # noqa: ANN401  the private tree of the generator
        nested = [name for each in of.below for name in unexplained(each, of.words or above)]
        return nested if of.below else nested + ([] if of.words or above else [".".join(of.path)])

    assert [name for each in values() for name in unexplained(each, "")] == []


def test_no_secret_can_be_written_into_the_values() -> None:
    """What the settings file may hold but never show is not in the values: it comes from a Secret."""
    settings = json.loads(SETTINGS_SCHEMA.read_text(encoding="utf-8"))
    secret = {
        (area, name)
        for area, of in settings["$defs"].items()
        for name, rule in of.get("properties", {}).items()
        if '"writeOnly"' in json.dumps(rule)
    }
    admitted = json.loads(values_schema())["definitions"]
    assert ("ButtonSettings", "api_key") in secret
    assert not {(area, name) for area, name in secret if name in admitted[area]["properties"]}


def test_the_chart_knows_secret_properties_as_the_connector_does() -> None:
    """A property that the connector never shows is refused in the values."""
    text = (CHART / "templates" / "_checks.tpl").read_text(encoding="utf-8")
    pattern = re.search(r'regexMatch "([^"]+)" \$property', text)
    assert pattern is not None
    chart = re.compile(pattern[1].replace("\\\\", "\\"))
    names = {
        *("sasl.password", "ssl.key.pem", "ssl.key.location", "sasl.username", "sasl.oauthbearer.client.secret"),
        *("ssl.key", "sasl.oauthbearer.config", "ssl.keystore.password", "security.protocol", "fetch.min.bytes"),
    }
    assert {name for name in names if chart.search(name)} == {name for name in names if is_secret(name)}


def test_the_settings_in_the_values_have_the_connectors_defaults() -> None:
    """The chart repeats what it reads itself, and nothing else than the default."""
    settings = json.loads(SETTINGS_SCHEMA.read_text(encoding="utf-8"))
    for area, given in _DEFAULTS["config"].items():
        known = settings["$defs"][settings["properties"][area]["$ref"].rpartition("/")[2]]["properties"]
        for name, value in given.items():
            assert value == known[name]["default"], f"{area}.{name}"


def test_the_chart_installs_the_connector_of_its_own_version() -> None:
    """Without a tag the image is the one that the chart was made with."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert str(chart["appVersion"]) == version()


def test_what_the_chart_takes_for_a_setting_that_is_not_given_is_the_settings_default() -> None:
    """A sum that the chart checks with an old default would refuse what is right, or admit what is wrong."""
    text = (CHART / "templates" / "_checks.tpl").read_text(encoding="utf-8")
    taken = re.findall(r"\$config\.(\w+)\.(\w+) \| default (\d+)", text)
    assert taken
    areas = Settings.model_fields
    for area, name, default in taken:
        of_area = areas[area].annotation
        assert of_area is not None
        assert of_area.model_fields[name].default == int(default), f"{area}.{name}"
