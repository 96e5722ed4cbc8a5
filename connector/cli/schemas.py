# SPDX-License-Identifier: Apache-2.0
"""``button-connector schemas``: the Avro schemas that belong to the connector, and those of a registry.

Owns the options, which subjects are meant, and how answers are printed.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer

from connector.cli.loading import CONFIG_VARIABLE, EXIT_FAILED, EXIT_MISUSED, fail, load_or_exit
from connector.cli.screen import console, print_json, table

if TYPE_CHECKING:
    from connector.avro.fetched import Unavailable, Unknown, Unusable
    from connector.avro.registry import RegistryOptions

schemas = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

_STAND_INS = {"kafka": {"bootstrap_servers": "not-used:9092"}, "button": {"api_key": "not-used"}}


class Name(StrEnum):
    """A schema that belongs to the connector."""

    COMMERCE_EVENT = "commerce_event"
    COMMERCE_EVENT_BATCH = "commerce_event_batch"
    SESSION_ATTRIBUTION = "session_attribution"


class _Target(NamedTuple):
    """What is asked of the registry."""

    options: RegistryOptions
    subjects: tuple[str, ...]
    text: str


_NameArgument = Annotated[Name, typer.Argument(help="Which schema.")]
_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The settings file (YAML)."),
]
_Subject = Annotated[
    str | None,
    typer.Option(help="The subject; by default the topic's name and -value.", show_default=False),
]
_Url = Annotated[
    str | None,
    typer.Option("--registry-url", metavar="URL", help="Instead of schema_registry.url.", show_default=False),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@schemas.callback()
def _schemas() -> None:
    """List the Avro schemas, register and check them."""


@schemas.command("list")
def list_(*, as_json: _AsJson = False) -> None:
    """List the schemas that belong to the connector."""
    from connector.avro.schemas import SCHEMA_NAMES, load_schema  # noqa: PLC0415  help must not wait for it
    from connector.avro.wire import single_object_header  # noqa: PLC0415  as above

    rows = []
    for name in SCHEMA_NAMES:
        schema = load_schema(name)
        fingerprint = single_object_header(schema)[2:][::-1].hex()
        record = f"{schema['namespace']}.{schema['name']}"
        rows.append({"name": name, "record": record, "fingerprint": fingerprint, "doc": schema.get("doc", "")})
    if as_json:
        print_json(rows)
        return
    shown = table("name", "record", "CRC-64-AVRO", "what it is")
    for row in rows:
        shown.add_row(*row.values())
    console().print(shown)


@schemas.command()
def show(name: _NameArgument) -> None:
    """Print a schema, as producers need it."""
    from connector.avro.schemas import schema_text  # noqa: PLC0415  as above

    typer.echo(schema_text(name), nl=False)


@schemas.command()
def register(
    name: _NameArgument = Name.COMMERCE_EVENT,
    *,
    config: _Config = None,
    subject: _Subject = None,
    registry_url: _Url = None,
    as_json: _AsJson = False,
) -> None:
    """Register a schema in the registry; one that is there already is left as it is.

    Exit codes: 0 registered; 1 the registry refused or cannot be asked; 2 the command line or the settings are wrong.
    """
    from connector.avro import subjects  # noqa: PLC0415  as above

    target = _target(name, config, subject, registry_url)
    rows = []
    for each in target.subjects:
        answer = subjects.register(target.options, each, target.text)
        if not isinstance(answer, subjects.Registered):
            _fail_by(each, answer)
        rows.append({"subject": each, "id": answer.schema_id, "version": answer.versions[0] if answer.versions else 0})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['subject']}: {name} has id {row['id']}; the newest version is {row['version']}")


@schemas.command()
def check(
    name: _NameArgument = Name.COMMERCE_EVENT,
    *,
    config: _Config = None,
    subject: _Subject = None,
    registry_url: _Url = None,
    as_json: _AsJson = False,
) -> None:
    """Ask the registry whether a schema may be registered beside what is there.

    Exit codes: 0 it may; 1 it may not, or the registry cannot be asked; 2 the command line or the settings are wrong.
    """
    from connector.avro import subjects  # noqa: PLC0415  as above
    from connector.avro.fetched import Unknown  # noqa: PLC0415  as above

    target = _target(name, config, subject, registry_url)
    rows = []
    for each in target.subjects:
        answer = subjects.is_compatible(target.options, each, target.text)
        if not isinstance(answer, bool | Unknown):
            _fail_by(each, answer)
        rows.append({"subject": each, "is_new": isinstance(answer, Unknown), "is_compatible": answer is not False})
    if as_json:
        print_json(rows)
    for row in () if as_json else rows:
        typer.echo(f"{row['subject']}: {_said(name, is_new=row['is_new'] is True, fits=row['is_compatible'] is True)}")
    if not all(row["is_compatible"] for row in rows):
        raise typer.Exit(EXIT_FAILED)


def _said(name: str, *, is_new: bool, fits: bool) -> str:
    if is_new:
        return f"there is no such subject yet; {name} would be its first version"
    if fits:
        return f"{name} is compatible with the newest version"
    return (
        f"{name} is NOT compatible with the newest version, by the subject's rule. Compare the two "
        f"(schemas show {name}), or name another subject by --subject"
    )


def _target(name: Name, config: Path | None, subject: str | None, registry_url: str | None) -> _Target:
    from connector import wiring  # noqa: PLC0415  as above
    from connector.avro.schemas import load_schema  # noqa: PLC0415  as above

    settings = load_or_exit(config, _STAND_INS if config is None else None).settings
    url = registry_url or settings.schema_registry.url
    if url is None:
        fail("schema_registry.url is not set. Set it, or give --registry-url.", EXIT_MISUSED)
    secret = settings.schema_registry.read_password()
    password = "" if secret is None else secret.get_secret_value()
    topics = (settings.sessions.topic,) if name is Name.SESSION_ATTRIBUTION else settings.kafka.topics
    return _Target(
        wiring.registry_options(settings.schema_registry, url, lambda: password),
        (subject,) if subject else tuple(f"{topic}-value" for topic in topics),
        json.dumps(load_schema(name)),
    )


def _fail_by(subject: str, answer: Unavailable | Unknown | Unusable) -> NoReturn:
    fail(f"{subject}: {answer.message}")
