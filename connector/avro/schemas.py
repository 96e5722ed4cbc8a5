# SPDX-License-Identifier: Apache-2.0
"""The connector's own Avro schemas, wherever it is installed.

Owns where they are found: inside the package when it was installed from a wheel, in the repository's ``schemas/avro``
when the installation is editable. Never fetches one from anywhere else. Versions that were replaced lie below
``older``: their values are in topics, and producers may write them for as long as they like.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMA_NAMES = ("commerce_event", "commerce_event_batch", "session_attribution")

_OLDER = "older"
_PACKAGE = Path(__file__).resolve().parent
_IN_THE_WHEEL = _PACKAGE / "bundled"
_IN_THE_REPOSITORY = _PACKAGE.parent.parent / "schemas" / "avro"


class SchemaNotFoundError(RuntimeError):
    """The installation is incomplete: a schema that belongs to it is not there."""


def schema_text(name: str) -> str:
    """Return the schema as its file has it; ``name`` is one of :data:`SCHEMA_NAMES`."""
    if name not in SCHEMA_NAMES:
        msg = f"there is no schema {name!r}; there are {', '.join(SCHEMA_NAMES)}"
        raise ValueError(msg)
    for directory in (_IN_THE_WHEEL, _IN_THE_REPOSITORY):
        file = directory / f"{name}.avsc"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    msg = (
        f"the Avro schema {name}.avsc is neither in {_IN_THE_WHEEL} (an installed wheel) nor in {_IN_THE_REPOSITORY} "
        "(an editable installation); install button-connector again"
    )
    raise SchemaNotFoundError(msg)


def load_schema(name: str) -> dict[str, Any]:
    """Return the schema as parsed JSON."""
    schema: dict[str, Any] = json.loads(schema_text(name))
    return schema


def all_versions(name: str) -> list[dict[str, Any]]:
    """Return the schema, and then every version that it replaced."""
    directory = _IN_THE_WHEEL if _IN_THE_WHEEL.is_dir() else _IN_THE_REPOSITORY
    older = sorted((directory / _OLDER / name).glob("*.avsc"))
    return [load_schema(name), *(json.loads(file.read_text(encoding="utf-8")) for file in older)]
