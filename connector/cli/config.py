# SPDX-License-Identifier: Apache-2.0
"""``button-connector config``: the settings, as they may be and as they are.

Owns how they are printed. Never prints a secret.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  Typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from connector.cli.loading import CONFIG_VARIABLE, EXIT_MISUSED, load_or_exit, tell
from connector.cli.screen import console, print_json, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from connector.settings import Loaded, Sum

config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)


class ReferenceFormat(StrEnum):
    """How the reference is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


@config.callback()
def _config() -> None:
    """Show what can be set, and what is set."""


@config.command()
def reference(
    form: Annotated[
        ReferenceFormat,
        typer.Option("--format", help="table for people, markdown as in docs/settings.md, json for machines."),
    ] = ReferenceFormat.TABLE,
) -> None:
    """Print every setting: key, type, default, unit, meaning and environment variable."""
    from connector.settings import reference as settings  # noqa: PLC0415  help must not wait for it

    match form:
        case ReferenceFormat.MARKDOWN:
            typer.echo(settings.as_markdown(), nl=False)
        case ReferenceFormat.JSON:
            print_json([row._asdict() for row in settings.rows()])
        case _:
            shown = table("key", "type", "default", "unit", "meaning", "variable")
            for row in settings.rows():
                cells = (row.key, row.kind.replace("`", ""), row.default, row.unit, row.description, row.variable)
                shown.add_row(*map(_plain, cells))
            console().print(shown)


@config.command()
def schema() -> None:
    """Print the JSON schema of the settings file, for editors."""
    from connector.settings import reference as settings  # noqa: PLC0415  as above

    typer.echo(settings.as_json(settings.json_schema()), nl=False)


@config.command()
def show(
    config_file: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The settings file (YAML)."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the settings that are in force, where each came from, and the sums that have to hold.

    Secrets are masked.

    Exit codes: 0 printed; 2 the settings are wrong.
    """
    from connector.settings import sums  # noqa: PLC0415  as above

    loaded = load_or_exit(config_file, takes_contradictions=True)
    rows, relations = list(_rows(loaded)), sums(loaded.settings)
    if as_json:
        in_force = [{"key": key, "value": value, "from": source} for key, value, source in rows]
        print_json({"settings": in_force, "sums": [each._asdict() for each in relations]})
    else:
        _print(rows, relations)
    if loaded.problems:
        tell(loaded.problems)
        raise typer.Exit(EXIT_MISUSED)


def _print(rows: Iterable[tuple[str, object, str]], relations: Iterable[Sum]) -> None:
    shown = table("key", "value", "from")
    for key, value, source in rows:
        shown.add_row(_plain(key), _plain(_written(value)), _plain(source))
    console().print(shown)
    shown = table("", "sum", "why", title="Sums that have to hold")
    for each in relations:
        shown.add_row("ok" if each.is_kept else "NOT", _plain(str(each)), _plain(each.why))
    console().print(shown)


def _rows(loaded: Loaded) -> Iterator[tuple[str, object, str]]:
    """Yield key, value and origin; each entry of a mapping is a row of its own."""
    for area, values in loaded.settings.describe().items():
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, dict) and value:
                for entry, below in value.items():
                    path = (area, name, entry)
                    yield ".".join(path), below, loaded.origins.source_of(path) or "the default"
            else:
                yield f"{area}.{name}", value, loaded.origins.source_of_setting((area, name))


def _written(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _plain(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415  as above

    return escape(text)
