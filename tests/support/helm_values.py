# SPDX-License-Identifier: Apache-2.0
"""What is made from the chart's values: their JSON schema and their table in the chart's README.

Owns how a comment of values.yaml becomes words and a rule; ``python -m tests.support.helm_values`` writes both. The
part below ``config`` is the settings' own schema, less what is secret: secrets come from Secrets. Renders no template.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "button-connector"
README = CHART / "README.md"
SCHEMA = CHART / "values.schema.json"
SETTINGS_SCHEMA = ROOT / "docs" / "settings.schema.json"
EXAMPLE = CHART / "ci" / "minimal-values.yaml"

_WORDS = "# -- "
_RULE = "# @schema "
_CONFIG = "config"
# Draft 7 is what every Helm 3 understands; the settings use nothing newer but the name of the definitions.
_DRAFT = "http://json-schema.org/draft-07/schema#"
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "null": "null", "seq": "array"}


class Value(NamedTuple):
    """One key of values.yaml: where it is, what its comment says, its default and what is below it."""

    path: tuple[str, ...]
    words: str
    rule: dict[str, Any]
    node: yaml.Node
    below: tuple[Value, ...]

    @property
    def is_open(self) -> bool:
        """Return whether Kubernetes, or whoever reads it, says what may be in this mapping."""
        return "additionalProperties" in self.rule

    @property
    def is_leaf(self) -> bool:
        """Return whether the README has a row for it, and not for what is below it."""
        return not self.below or self.is_open or self.path == (_CONFIG,)


def values() -> tuple[Value, ...]:
    """Return the keys of values.yaml at the top, each with those below it."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    return _keys(yaml.compose(text, Loader=yaml.SafeLoader), text.splitlines(), ())


def _keys(mapping: yaml.Node | None, lines: list[str], path: tuple[str, ...]) -> tuple[Value, ...]:
    if not isinstance(mapping, yaml.MappingNode):
        return ()
    found = []
    for key, node in mapping.value:
        here = (*path, key.value)
        words, rule = _comment(lines, key.start_mark.line)
        found.append(Value(here, words, rule, node, _keys(node, lines, here)))
    return tuple(found)


def _comment(lines: list[str], line: int) -> tuple[str, dict[str, Any]]:
    """Return the words and the rule right above a line."""
    first = line
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    block = [each.strip() for each in lines[first:line]]
    rules = [each.removeprefix(_RULE) for each in block if each.startswith(_RULE)]
    words = [each for each in block if not each.startswith(_RULE)]
    starts = [index for index, each in enumerate(words) if each.startswith(_WORDS)]
    said = words[starts[-1] :] if starts else []
    return " ".join(each.lstrip("#- ") for each in said), yaml.safe_load(rules[0]) if rules else {}


def values_schema() -> str:
    """Return ``values.schema.json``."""
    settings = json.loads(SETTINGS_SCHEMA.read_text(encoding="utf-8"))
    definitions = {name: _without_secrets(each) for name, each in settings["$defs"].items()}
    root = {key: settings[key] for key in ("properties", "additionalProperties", "type")}
    definitions["Settings"] = {**_without_secrets(root), "required": ["kafka", "button", "delivery", "ops"]}
    schema = {
        "$schema": _DRAFT,
        "title": "Values of the chart button-connector",
        **_object(values()),
        "definitions": definitions,
    }
    return json.dumps(schema, indent=2).replace("#/$defs/", "#/definitions/") + "\n"


def _without_secrets(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is written into a settings file and never shown."""
    properties = {
        name: each for name, each in schema.get("properties", {}).items() if '"writeOnly"' not in json.dumps(each)
    }
    return {**schema, **({"properties": properties} if properties else {})}


def _object(below: tuple[Value, ...]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {each.path[-1]: _of(each) for each in below}}


def _of(value: Value) -> dict[str, Any]:
    words = {"description": value.words} if value.words else {}
    if value.path == (_CONFIG,):
        return {**words, "allOf": [{"$ref": "#/definitions/Settings"}]}
    if isinstance(value.node, yaml.MappingNode):
        known = {"type": "object"} if value.is_open else _object(value.below)
    else:
        known = {"type": _TYPES[value.node.tag.removeprefix("tag:yaml.org,2002:")]}
    return {**words, **known, **value.rule}


def readme(text: str) -> str:
    """Return the README with its example and its table made anew."""
    example = EXAMPLE.read_text(encoding="utf-8").split("\n", 1)[1]
    text = _between(text, "example", f"```yaml\n# values.yaml\n{example}```")
    return _between(text, "values", "\n".join(["| value | default | meaning |", "|---|---|---|", *_rows(values())]))


def _between(text: str, name: str, made: str) -> str:
    start, end = f"<!-- {name}: made by `make chart` -->", f"<!-- {name}: end -->"
    return re.sub(f"{re.escape(start)}.*?{re.escape(end)}", lambda _: f"{start}\n{made}\n{end}", text, flags=re.DOTALL)


def _rows(below: tuple[Value, ...]) -> Iterator[str]:
    for value in below:
        name = ".".join(value.path)
        if value.is_leaf:
            yield f"| `{name}` | `{_default(value.node)}` | {value.words} |"
        else:
            yield f"| **`{name}`** | | {value.words} |"
            yield from _rows(value.below)


def _default(node: yaml.Node) -> str:
    return json.dumps(yaml.safe_load(yaml.serialize(node)))


if __name__ == "__main__":
    SCHEMA.write_text(values_schema(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
