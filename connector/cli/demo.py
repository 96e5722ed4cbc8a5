# SPDX-License-Identifier: Apache-2.0
"""``button-connector demo``.

Owns the way from the command line to the demo and its exit status. Knows nothing of how the demo is played.
"""

import shutil
import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

EXIT_DIFFERENT = 1
_EXIT_BY_SIGNAL = 128


def demo(
    *,
    orders: Annotated[int, typer.Option(help="How many orders the shop takes.", min=6, max=2_000)] = 60,
    lose_one: Annotated[bool, typer.Option("--lose-one", hidden=True)] = False,
) -> None:
    """Show it all at work on this machine, with a Kafka of its own.

    Starts an embedded Kafka, a sandbox of Button's Order API and the connector as processes of their own, writes a
    shop's events, and shows the orders arrive: with and without a token, duplicates, cancellations, several
    currencies, and one record that nobody can read. Then the books are compared: what the topics say must be, and
    what is. Nothing of it is left behind, and nothing leaves this machine.

    Exit codes: 0 the books agree; 1 they differ, or something failed.
    """
    # Not at the top of the file: help must not wait for what only a running demo needs.
    from rich.console import Console  # noqa: PLC0415  see above

    from connector.demo.children import ChildError  # noqa: PLC0415  see above
    from connector.demo.performance import Script, perform  # noqa: PLC0415  see above
    from connector.demo.screen import Screen  # noqa: PLC0415  see above

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    folder = Path(tempfile.mkdtemp(prefix="button-connector-demo-"))
    screen = Screen(Console())
    is_failed = False
    try:
        result = perform(Script(orders=orders, loses_one=lose_one), folder, screen)
        is_failed = not result.is_clean
    except ChildError as error:
        is_failed = True
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_DIFFERENT) from None
    except KeyboardInterrupt:
        typer.echo("Stopped; every process of the demo was ended.", err=True)
        raise typer.Exit(_EXIT_BY_SIGNAL + signal.SIGINT) from None
    finally:
        if not is_failed:
            shutil.rmtree(folder, ignore_errors=True)
    screen.reconciliation(result)
    if is_failed:
        typer.echo(f"The books differ. The logs are kept in {folder}", err=True)
        raise typer.Exit(EXIT_DIFFERENT)
    screen.say("The books agree: every order is at Button exactly as its events say.")


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(_EXIT_BY_SIGNAL + number)
