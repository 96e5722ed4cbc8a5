# SPDX-License-Identifier: Apache-2.0
"""The command line as a user calls it, without the settings of whoever runs the tests.

Owns the way into it: within this process, because a process of its own takes a second to start.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from typer.testing import CliRunner

from connector.cli import PROGRAM, build

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def call(*arguments: str, given: bytes = b"", environ: Mapping[str, str] | None = None) -> Done:
    """Run the command; ``given`` is its standard input."""
    ours = dict.fromkeys(name for name in os.environ if name.startswith("BUTTON_CONNECTOR"))
    env: dict[str, str | None] = {**ours, "COLUMNS": "200", **(environ or {})}
    result = CliRunner().invoke(build(), list(arguments), input=given, env=env, prog_name=PROGRAM)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def settings_file(folder: Path, areas: Mapping[str, object], name: str = "connector.yaml") -> str:
    """Write a settings file and return its path."""
    path = folder / name
    plain: dict[str, Any] = dict(areas)
    path.write_text(yaml.safe_dump(plain), encoding="utf-8")
    return str(path)
