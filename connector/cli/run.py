# SPDX-License-Identifier: Apache-2.0
"""``button-connector run``.

Owns the way from the command line to a running connector, and how what is wrong is said: one line for each problem on
standard error. Knows nothing of how the connector works.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

CONFIG_VARIABLE = "BUTTON_CONNECTOR_CONFIG"
EXIT_FAILED = 1
EXIT_MISUSED = 2

_NO_FILE = (
    f"hint: no settings file was given. Name one by --config FILE or {CONFIG_VARIABLE}, or set everything by "
    "environment variables like BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS."
)


def run(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, metavar="FILE", help="The settings file (YAML)."),
    ] = None,
) -> None:
    """Bring orders from Kafka to Button until stopped.

    Settings come from a YAML file and from environment variables, which win: kafka.bootstrap_servers in the file is
    BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS in the environment. The brokers and the API key have no default.

    SIGTERM or Ctrl-C: what is under way is finished and committed, then the connector stops.

    \b
    Examples:
      button-connector run --config connector.yaml
      BUTTON_CONNECTOR__LOG__LEVEL=debug button-connector run -c connector.yaml

    \b
    A small settings file:
      kafka:
        bootstrap_servers: broker-1:9092,broker-2:9092
      button:
        api_key_file: /run/secrets/button-api-key

    Exit codes: 0 stopped as asked; 1 something failed while running; 2 the settings are wrong.
    """  # noqa: D301  the backspace is meant: it keeps the lines below it as they are
    # Not at the top of the file: help must not wait for what only a running connector needs.
    from connector.settings import SettingsError, load  # noqa: PLC0415  see above

    try:
        settings = load(config, os.environ)
    except SettingsError as error:
        for problem in error.problems:
            typer.echo(f"error: {problem}", err=True)
        if config is None:
            typer.echo(_NO_FILE, err=True)
        raise typer.Exit(EXIT_MISUSED) from None

    from connector import app  # noqa: PLC0415  see above
    from connector.ops.server import PortUnavailableError  # noqa: PLC0415  see above

    try:
        code = app.run(settings)
    except PortUnavailableError as error:
        typer.echo(f"error: {error}", err=True)
        code = EXIT_FAILED
    raise typer.Exit(code)
