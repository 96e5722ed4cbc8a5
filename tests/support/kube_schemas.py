# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of Kubernetes' kinds and of the chart's custom resources, as kubeconform reads them offline.

Owns where they are and in which form. Custom resources are closed: the API server would drop a field that it does not
know, and here that is a mistake.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.kube_tools import custom_resources, python_tools

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("1.27", "1.33", "1.37")
"""The oldest that the chart is for, the one of the control plane, and the newest that there are schemas of."""


def write_schemas(version: str, folder: Path) -> tuple[str, ...]:
    """Write the schemas of one version of Kubernetes, and return kubeconform's options to find them."""
    packages = next(python_tools().glob("lib/python3*/site-packages"))
    kept = packages / "kubernetes_validate" / "kubernetes-json-schema"
    source = max(kept.glob(f"v{version}.*-local-strict"))
    for path in source.glob("*.json"):
        schema = _beside(json.loads(path.read_text(encoding="utf-8")))
        (folder / path.name).write_text(json.dumps(schema), encoding="utf-8")
    for path in custom_resources():
        _write_custom(yaml.safe_load(path.read_text(encoding="utf-8"))["spec"], folder)
    names = ("{{.ResourceKind}}{{.KindSuffix}}.json", "{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json")
    return tuple(option for name in names for option in ("-schema-location", f"{folder}/{name}"))


def _write_custom(spec: dict[str, Any], folder: Path) -> None:
    for served in spec["versions"]:
        schema = _closed(served["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        name = f"{spec['names']['kind'].lower()}-{spec['group']}-{served['name']}.json"
        (folder / name).write_text(json.dumps(schema), encoding="utf-8")


def _beside(node: Any) -> Any:  # noqa: ANN401  any JSON
    """Let references mean the file of definitions in the same folder."""
    if isinstance(node, list):
        return [_beside(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _beside(each) for key, each in node.items() if not (key == "$id" and isinstance(each, str))}
    if isinstance(kept.get("$ref"), str):
        kept["$ref"] = kept["$ref"].replace("/api/_definitions.json", "_definitions.json")
    return kept


def _closed(node: Any) -> Any:  # noqa: ANN401  any JSON
    """Let no field be there that the definition does not name, and write what may be a number or text as JSON does."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(each) for key, each in node.items()}
    if isinstance(closed.get("properties"), dict) and not closed.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    if closed.pop("x-kubernetes-int-or-string", False):
        closed.pop("type", None)
        closed.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    return closed
