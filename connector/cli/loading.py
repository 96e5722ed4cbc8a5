# SPDX-License-Identifier: Apache-2.0
"""How commands read the settings, and how what is wrong with them is said: one line for each problem.

Owns the exit codes that all commands share.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import NoReturn

    from connector.settings import Loaded, Problem

CONFIG_VARIABLE = "BUTTON_CONNECTOR_CONFIG"
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_MISUSED = 2

_NO_FILE = (
    f"hint: no settings file was given. Name one by --config FILE or {CONFIG_VARIABLE}, or set everything by "
    "environment variables like BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS."
)


def load_or_exit(
    config: Path | None,
    stand_ins: Mapping[str, Mapping[str, object]] | None = None,
    *,
    takes_contradictions: bool = False,
) -> Loaded:
    """Return the settings of file and environment, or say what is wrong with them and end with 2.

    ``stand_ins`` are areas that the command has no use for. Who takes contradictions has to look for them.
    """
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.settings import SettingsError, load_with_origins  # noqa: PLC0415  see above

    try:
        loaded = load_with_origins(config, os.environ, stand_ins)
    except SettingsError as error:
        tell(error.problems)
        if config is None:
            typer.echo(_NO_FILE, err=True)
        raise typer.Exit(EXIT_MISUSED) from None
    if loaded.problems and not takes_contradictions:
        tell(loaded.problems)
        raise typer.Exit(EXIT_MISUSED)
    return loaded


def tell(problems: Iterable[Problem]) -> None:
    """Say what is wrong, one line each."""
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)


def fail(message: str, code: int = EXIT_FAILED) -> NoReturn:
    """Say why in one line, and end."""
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    raise typer.Exit(code)
