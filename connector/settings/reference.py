# SPDX-License-Identifier: Apache-2.0
"""The reference of all settings, as a table and as a JSON schema for editors; both are made from the models.

Owns how a setting is described to people: its type, unit, default and variable. Knows no values but the defaults.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.settings.environment import variable
from connector.settings.root import Settings
from connector.settings.schema import has_dotted_names, is_secret, leaves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

JsonObject = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UNITS = {
    "_seconds": "s",
    "_per_second": "calls/s",
    "_ms": "ms",
    "_bytes": "bytes",
    "_records": "records",
    "max_concurrency": "calls",
}
_NAMES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_FORMATS = {"path": "path of a file", "password": "text, secret", "date": "date (YYYY-MM-DD)"}
_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}

# The readers of these take more than their type says, as the file's author may like it better.
_LIST_OF_TEXTS: JsonObject = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_TEXT: JsonObject = {"type": "string"}
_ALSO = {
    ("kafka", "bootstrap_servers"): _LIST_OF_TEXTS,
    ("kafka", "topics"): _TEXT,
    ("schema_registry", "url"): _LIST_OF_TEXTS,
    ("policy", "purchase_actions"): _TEXT,
    ("policy", "refund_actions"): _TEXT,
}


class Row(NamedTuple):
    """A setting as the reference shows it; ``default`` is ``required`` where a value must be given."""

    key: str
    kind: str
    default: str
    unit: str
    description: str
    variable: str
    example: str


def rows() -> tuple[Row, ...]:
    """Return every setting, in the order of the models."""
    definitions = _pydantic_schema()
    return tuple(
        _row(path, info, _properties_of(definitions, path[0])[path[1]], definitions["$defs"])
        for path, info in leaves().items()
    )


def json_schema() -> JsonObject:
    """Return the JSON schema of the settings file, for editors.

    Nothing is required in it: any value may come from the environment. An area may be empty.
    """
    schema = _pydantic_schema()
    for definition in schema["$defs"].values():
        definition.pop("required", None)
    for area, name in leaves():
        properties = _properties_of(schema, area)
        properties[name] = _for_the_file((area, name), properties[name])
    for part in schema["properties"].values():
        _definition(schema, part)["type"] = ["object", "null"]
    schema.pop("required", None)
    _without_titles(schema)
    return {"$schema": _DIALECT, "title": "Settings of button-connector", **schema}


def as_json(schema: JsonObject) -> str:
    """Return JSON as the repository has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def as_markdown() -> str:
    """Return the reference as a document: one table for each area."""
    areas = "\n".join(_area(area, info) for area, info in Settings.model_fields.items())
    return f"{_INTRODUCTION}\n{areas}"


_INTRODUCTION = """\
# Settings

Generated from the code by `button-connector config reference --format markdown`. Every setting can stand in the
settings file (YAML, `--config FILE` or `BUTTON_CONNECTOR_CONFIG`) and in the environment, which wins. A setting that is
unknown, or a value that cannot be, stops the start with a sentence that names the key and the remedy.

For editors: [settings.schema.json](settings.schema.json). The first line of a settings file may name it:

```yaml
# yaml-language-server: $schema=settings.schema.json
```

`button-connector config show --config FILE` prints what is in force, where each value came from, and the sums that have
to hold between them.
"""


def _area(area: str, info: FieldInfo) -> str:
    lines = [f"## {area}", "", info.description or "", ""]
    lines += ["| key | type | default | unit | meaning | variable |", "|---|---|---|---|---|---|"]
    lines += [_line(row) for row in rows() if row.key.split(".")[0] == area]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    default = row.default if row.default in {"", "required"} else f"`{row.default}`"
    example = f" Example: `{row.example}`" if row.example else ""
    cells = (f"`{row.key}`", row.kind, default, row.unit, row.description + example, f"`{row.variable}`")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _row(path: tuple[str, str], info: FieldInfo, schema: JsonObject, definitions: JsonObject) -> Row:
    default = "required" if info.is_required() else _written(info.get_default(call_default_factory=True))
    unit = next((unit for ending, unit in _UNITS.items() if path[1].endswith(ending)), "")
    example = str(info.examples[0]) if info.examples else ""
    name = variable(path) + ("__NAME" if has_dotted_names(path) else "")
    kind = "text, secret" if is_secret(info) and not has_dotted_names(path) else _kind(schema, definitions)
    return Row(".".join(path), kind, default, unit, info.description or "", name, "" if example == default else example)


def _written(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(map(str, value))
        case dict():
            return json.dumps(value) if value else ""
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _kind(schema: JsonObject, definitions: JsonObject) -> str:
    """Return a type in words."""
    if "$ref" in schema:
        return _kind(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "enum" in schema:
        return " or ".join(f"`{choice}`" for choice in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(each, definitions) for each in schema["anyOf"] if each.get("type") != "null")
    return _kind_of_type(schema, definitions)


def _kind_of_type(schema: JsonObject, definitions: JsonObject) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    match schema["type"]:
        case "array":
            return f"list of {_kind(schema['items'], definitions)}"
        case "object":
            return f"mapping of names to {_kind(schema['additionalProperties'], definitions)}"
        case name:
            return ", ".join([_NAMES[name], *_bounds(schema)])


def _bounds(schema: JsonObject) -> Iterator[str]:
    for name, words in _BOUNDS.items():
        if name in schema:
            yield f"{words} {schema[name]}"
    if schema.get("minLength") == 1:
        yield "not empty"


def _for_the_file(path: tuple[str, str], schema: JsonObject) -> JsonObject:
    """Return what an editor should take for a setting: a little more than its type says."""
    schema = deepcopy(schema)
    if schema.get("type") == "array" and "minLength" in schema:
        schema["minItems"] = schema.pop("minLength")
    if has_dotted_names(path):
        schema["additionalProperties"] = {"type": ["string", "integer", "boolean"]}
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    if path not in _ALSO:
        return schema
    about: JsonObject = {name: schema.pop(name) for name in ("description", "default", "examples") if name in schema}
    return {**about, "anyOf": [*schema.pop("anyOf", [schema]), _ALSO[path]]}


def _pydantic_schema() -> JsonObject:
    return deepcopy(Settings.model_json_schema())


def _properties_of(schema: JsonObject, area: str) -> JsonObject:
    properties: JsonObject = _definition(schema, schema["properties"][area])["properties"]
    return properties


def _definition(schema: JsonObject, part: JsonObject) -> JsonObject:
    definition: JsonObject = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
    return definition


def _without_titles(schema: object) -> None:
    """Take out the titles that are only the names again; a property may be called title."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        schema.pop("x-dotted-names", None)
        for value in schema.values():
            _without_titles(value)
    elif isinstance(schema, list):
        for value in schema:
            _without_titles(value)
