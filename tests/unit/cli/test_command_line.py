# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it: real processes, but for what happens after the settings are read."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import connector
from connector.cli import COMMANDS, build
from connector.ops.server import PortUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from connector.settings import Settings

SMALLEST = "kafka:\n  bootstrap_servers: broker-1:9092\nbutton:\n  api_key: sk-in-file\n"


def call(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without the settings of whoever runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BUTTON_CONNECTOR")}
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "connector", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=inherited | {"COLUMNS": "200"} | environ,
    )


class _App(types.ModuleType):
    """Stands for the composition root; remembers what it was given."""

    def __init__(self, ending: int | Exception = 0) -> None:
        super().__init__("connector.app")
        self.given: list[Settings] = []
        self._ending = ending

    def run(self, settings: Settings) -> int:
        self.given.append(settings)
        if isinstance(self._ending, Exception):
            raise self._ending
        return self._ending


def run_with(app: _App, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Call ``run`` in this process; return exit code and standard error."""
    monkeypatch.setitem(sys.modules, "connector.app", app)
    monkeypatch.setattr(connector, "app", app, raising=False)
    result = CliRunner().invoke(build(), ["run", *arguments])
    return result.exit_code, result.stderr


def test_help_names_every_command_and_the_exit_codes() -> None:
    """It is where people start."""
    done = call("--help")
    assert done.returncode == 0
    for name, summary in COMMANDS.items():
        assert f"{name} " in done.stdout
        assert summary in done.stdout
    assert "Exit codes: 0 success; 1" in done.stdout


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("--version",)])
def test_help_loads_nothing_that_only_a_running_connector_needs(arguments: tuple[str, ...]) -> None:
    """This is what keeps it quick, whatever the machine."""
    # Typer itself loads pydantic for a command's options.
    heavy = [
        "pydantic_settings",
        "yaml",
        "confluent_kafka",
        "starlette",
        "uvicorn",
        "structlog",
        "prometheus_client",
        "rich",
        "asyncio",
    ]
    code = (
        "import sys; from connector.cli import build\n"
        f"try: build()({list(arguments)!r}, prog_name='button-connector')\n"
        f"finally: sys.exit(','.join(name for name in {heavy!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603  ours
    assert done.stdout
    assert (done.returncode, done.stderr) == (0, "")


def test_help_of_run_shows_how_to_give_settings() -> None:
    """With an example that can be copied."""
    done = call("run", "--help")
    assert "button-connector run --config connector.yaml" in done.stdout
    assert "bootstrap_servers: broker-1:9092,broker-2:9092" in done.stdout
    assert "BUTTON_CONNECTOR_CONFIG" in done.stdout


def test_the_version_is_the_installed_one() -> None:
    """The only source is the package's metadata."""
    done = call("--version")
    assert (done.returncode, done.stdout) == (0, f"button-connector {installed_version('button-connector')}\n")


def test_run_without_settings_says_what_is_required_and_how_to_give_it() -> None:
    """One line for each, on standard error, exit code 2."""
    done = call("run")
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.split(" ")[:2] for line in lines] == [
        ["error:", "kafka.bootstrap_servers:"],
        ["error:", "button.api_key:"],
        ["hint:", "no"],
    ]
    assert "--config FILE or BUTTON_CONNECTOR_CONFIG" in lines[2]


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_bad_file_is_one_line_and_no_traceback(tmp_path: Path, how: str) -> None:
    """However the file was named."""
    config = tmp_path / "connector.yaml"
    config.write_text(SMALLEST + "kafak:\n  x: 1\n")
    named = str(config)
    done = call("run", "--config", named) if how == "option" else call("run", BUTTON_CONNECTOR_CONFIG=named)
    assert done.returncode == 2
    assert done.stderr == f"error: kafak: there is no such setting ({config}, line 5). Did you mean kafka?\n"


@pytest.mark.parametrize("arguments", [("rnu",), ("run", "--confg", "x"), ()])
def test_a_wrong_command_line_ends_with_2(arguments: tuple[str, ...]) -> None:
    """And with a hint at what was meant."""
    done = call(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "run" in done.stderr or "--config" in done.stderr


@pytest.mark.parametrize("code", [0, 1])
def test_run_hands_over_the_settings_and_takes_the_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    """The environment wins over the file."""
    config = tmp_path / "connector.yaml"
    config.write_text(SMALLEST)
    monkeypatch.setenv("BUTTON_CONNECTOR__OPS__PORT", "0")
    app = _App(code)
    assert run_with(app, monkeypatch, "--config", str(config)) == (code, "")
    (settings,) = app.given
    assert (settings.kafka.bootstrap_servers, settings.ops.port) == ("broker-1:9092", 0)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the platform's fault, not a bug: no traceback."""
    config = tmp_path / "connector.yaml"
    config.write_text(SMALLEST)
    app = _App(PortUnavailableError("ops.port: taken"))
    assert run_with(app, monkeypatch, "--config", str(config)) == (1, "error: ops.port: taken\n")
