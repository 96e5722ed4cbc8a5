# SPDX-License-Identifier: Apache-2.0
"""The command line: one file per command.

Owns the list of commands and the exit codes: 0 for success, 1 when something failed while running, 2 when the command
line or the settings are wrong. A command's module is imported when the command is called, so that help is quick and a
command needs nothing of the others.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_command

PROGRAM = "button-connector"

COMMANDS = {
    "run": "Bring orders from Kafka to Button until stopped.",
    "check": "Look whether all that run needs is as it must be.",
    "explain": "Show what becomes of an event, and why; nothing is sent.",
    "orders": "Show what became of an order, and list those that wait.",
    "dlq": "List dead letters, show, replay and drop them.",
    "size": "Say how many replicas, how much memory and disk a load needs.",
    "config": "Show what can be set, and what is set.",
    "schemas": "List the Avro schemas, register and check them.",
    "sandbox": "Serve Button's Order API on this machine, to try things out.",
    "demo": "Show it all at work on this machine, with a Kafka of its own.",
}


class _Commands(TyperGroup):
    """Knows every command by its summary, and loads the one that is called."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> object:  # type: ignore[override]  # see below
        # Typer names the types here only in private modules.
        if args and args[0] in COMMANDS:
            self.add_command(get_command(_load(args[0])), args[0])
        return super().resolve_command(ctx, args)


def _load(name: str) -> typer.Typer:
    called = getattr(importlib.import_module(f"connector.cli.{name}"), name)
    if isinstance(called, typer.Typer):
        return called
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(called)
    return single


def _show_version(is_wanted: bool) -> None:  # noqa: FBT001  typer calls it by position
    if is_wanted:
        from connector.version import version  # noqa: PLC0415  seldom needed, and slow

        typer.echo(f"{PROGRAM} {version()}")
        raise typer.Exit


def _main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Bring commerce events from Kafka to Button's Order API: every order, in order, exactly as it is.

    \b
    Try it on this machine:   button-connector demo
    Run it:                   button-connector run --config connector.yaml

    Exit codes: 0 success; 1 something failed while running; 2 the command line or the settings are wrong.
    """  # noqa: D301  the backspace is meant: it keeps the lines below it as they are


def build() -> typer.Typer:
    """Return the command line as Typer knows it."""
    app = typer.Typer(
        cls=_Commands,
        no_args_is_help=True,
        rich_markup_mode=None,
        # Typer's own tracebacks show the values of variables; secrets are among them.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_main)
    for name, summary in COMMANDS.items():
        app.command(name, help=summary)(_stands_for_a_command)
    return app


def _stands_for_a_command() -> None:
    """Do nothing: the real command takes this one's place when it is called."""


def hear_sigterm() -> None:
    """Leave on SIGTERM from the very start: the first process of a container would else not hear it.

    Whoever has something to finish installs a handler of its own later.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def main() -> None:
    """Run the command line."""
    hear_sigterm()
    build()(prog_name=PROGRAM)
