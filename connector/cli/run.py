# SPDX-License-Identifier: Apache-2.0
"""``button-connector run``.

Owns the way from the command line to a running connector. Knows nothing of how the connector works.
"""

from pathlib import Path
from typing import Annotated

import typer

from connector.cli.loading import CONFIG_VARIABLE, EXIT_FAILED, load_or_exit


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
    settings = load_or_exit(config).settings

    # Not at the top of the file: help must not wait for what only a running connector needs.
    from connector import app  # noqa: PLC0415  see above
    from connector.ops.server import PortUnavailableError  # noqa: PLC0415  see above

    try:
        code = app.run(settings)
    except PortUnavailableError as error:
        typer.echo(f"error: {error}", err=True)
        code = EXIT_FAILED
    raise typer.Exit(code)
