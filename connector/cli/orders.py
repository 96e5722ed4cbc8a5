# SPDX-License-Identifier: Apache-2.0
"""``button-connector orders``: what is known of orders.

Owns the options. Changes nothing anywhere: topics are read without a group, Button is asked by lookups only.
"""

from __future__ import annotations

import re
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector.cli.loading import CONFIG_VARIABLE, EXIT_FAILED, EXIT_MISUSED, fail, load_or_exit
from connector.cli.screen import console, print_json

if TYPE_CHECKING:
    from connector.kafka.whole_topic import HowFar
    from connector.orders_view.show import Asking

orders = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)

_DURATION = re.compile(r"(\d+)([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Format(StrEnum):
    """How answers are printed."""

    TABLE = "table"
    JSON = "json"


class Status(StrEnum):
    """How an order stands."""

    OPEN = "open"
    CANCELLED = "cancelled"
    WAITING = "waiting"
    PARKED = "parked"


_Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The settings file (YAML)."),
]
_Format = Annotated[Format, typer.Option("--format", help="table for people, json for machines.")]
_Timeout = Annotated[float, typer.Option(help="Seconds that the brokers may be silent.", min=1)]


@orders.callback()
def _orders() -> None:
    """Show what became of an order, and list those that wait."""


@orders.command()
def show(
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="The id under which the shop keeps it.")],
    *,
    config: _Config = None,
    format_: _Format = Format.TABLE,
    without_button: Annotated[bool, typer.Option("--without-button", help="Do not look it up at Button.")] = False,
    timeout: _Timeout = 30.0,
) -> None:
    """Show all that is known of an order.

    How it stands, its lines, its attribution token and where that came from, every fact that the ledger holds of it
    with what it waits for, its dead letters, and what Button shows when it is asked. Nothing is changed anywhere.

    Exit codes: 0 shown; 1 nobody knows the order, or somebody did not answer (what the others say is shown); 2 the
    command line or the settings are wrong.
    """
    asking = _asking(config, timeout)
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.cli.shown_orders import print_order  # noqa: PLC0415  see above
    from connector.kafka.failures import KafkaFailure  # noqa: PLC0415  see above
    from connector.orders_view import show as work  # noqa: PLC0415  see above

    try:
        view = work.show(order_id, asking, asks_button=not without_button)
    except KafkaFailure as failure:
        fail(failure.reason)
    if view.is_known:
        if format_ is Format.JSON:
            print_json(view.as_json())
        else:
            print_order(console(), view)
    for problem in view.problems:
        typer.echo(f"error: {' '.join(problem.split())}", err=True)
    if not view.is_known:
        letters = asking.settings.dead_letters.topic
        asked = f"neither {view.ledger} nor the dead letters in {letters!r} nor Button"
        asked = asked.removesuffix(" nor Button") if without_button else asked
        fail(f"ORDER_ID: {asked} have anything of order {order_id!a}. See how the shop spells it, and --config.")
    if view.problems:
        raise typer.Exit(EXIT_FAILED)


@orders.command("list")
def list_(  # noqa: PLR0913  one parameter per option
    *,
    status: Annotated[Status | None, typer.Option(help="Only orders that stand so.", show_default=False)] = None,
    config: _Config = None,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1, max=100_000)] = 50,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Only what was written so lately: 90m, 24h, 7d.", show_default=False),
    ] = None,
    format_: _Format = Format.TABLE,
    timeout: _Timeout = 30.0,
) -> None:
    """List orders of the ledger by how they stand, those that something was written of last first.

    The whole ledger is read for it. Nothing is changed anywhere, and Button is not asked.

    Exit codes: 0 listed, though it may be none; 1 the ledger cannot be read; 2 the command line or the settings are
    wrong.
    """
    since_ms = 0 if since is None else time.time_ns() // 1_000_000 - _milliseconds(since)
    asking = _asking(config, timeout)
    # Not at the top of the file: help must not wait for what only a command at work needs.
    from connector.cli.shown_orders import print_list  # noqa: PLC0415  see above
    from connector.kafka.failures import KafkaFailure  # noqa: PLC0415  see above
    from connector.orders_view.listing import Choice, Wanted, list_orders  # noqa: PLC0415  see above
    from connector.tables.store import StoreError  # noqa: PLC0415  see above

    wanted = None if status is None else Wanted(status)
    try:
        listed = list_orders(Choice(wanted, limit, since_ms), asking)
    except KafkaFailure as failure:
        fail(failure.reason)
    except StoreError as error:
        fail(str(error))
    if format_ is Format.JSON:
        print_json([each._asdict() for each in listed])
    else:
        print_list(console(), listed, limit)


def _asking(config: Path | None, timeout: float) -> Asking:
    settings = load_or_exit(config).settings
    if not settings.ledger.enabled:
        fail("ledger.enabled is false: nothing is remembered of orders. Set it to true.", EXIT_MISUSED)
    from connector.orders_view.show import asking_of  # noqa: PLC0415  help must not wait for it

    try:
        return asking_of(settings, timeout, _report)
    except OSError as error:
        fail(f"{error.filename} cannot be read ({error.strerror}). Check the files that the settings name.")


def _report(how_far: HowFar) -> None:
    share = 100 * how_far.passed // max(1, how_far.wanted)
    typer.echo(f"reading {how_far.topic}: {how_far.passed:,} of {how_far.wanted:,} records ({share} %)", err=True)


def _milliseconds(duration: str) -> int:
    read = _DURATION.fullmatch(duration.strip())
    if read is None:
        raise typer.BadParameter(f"{duration}: write it as 90m, 24h or 7d.", param_hint="--since")  # noqa: TRY003, EM102  the sentence belongs here
    return int(read[1]) * _UNIT_SECONDS[read[2]] * 1_000
