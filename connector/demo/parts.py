# SPDX-License-Identifier: Apache-2.0
"""The processes of the demo and how each is started.

Owns their command lines, the connector's settings file, and when each counts as started.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from connector.demo.children import Child
from connector.demo.web import SandboxControl, free_port, is_ok

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

API_KEY = "sk-demo"  # the sandbox's, on this machine, for the length of a demo

_SETTINGS_PREFIX = "BUTTON_CONNECTOR"
_START_SECONDS = 30.0
_CONNECTOR_STOP_SECONDS = 20.0


class Sandbox(NamedTuple):
    """A sandbox that runs; ``url`` is the API's."""

    child: Child
    url: str
    control: SandboxControl


class Connector(NamedTuple):
    """A connector that runs; ``ops_url`` is where its health is."""

    child: Child
    ops_url: str

    def wait_until_ready(self) -> None:
        """Return when it says that it does its job."""
        self.child.wait_for("its readiness", self.is_ready, _START_SECONDS)

    def is_ready(self) -> bool:
        """Tell whether it says that it does its job."""
        return is_ok(f"{self.ops_url}/readyz")

    def is_live(self) -> bool:
        """Tell whether it says that it works."""
        return is_ok(f"{self.ops_url}/livez")


def start_kafka(stack: ExitStack, folder: Path, partitions: Mapping[str, int]) -> tuple[Child, str]:
    """Start an embedded Kafka with these topics; return it and its address."""
    topics = [argument for name, count in partitions.items() for argument in ("--topic", f"{name}:{count}")]
    command = [sys.executable, "-m", "connector.sandbox.embedded_kafka", *topics]
    child = stack.enter_context(Child("embedded Kafka", command, folder / "kafka.log"))
    line = child.wait_for("its address", lambda: _first_line(child, "127.0.0.1:"), _START_SECONDS)
    return child, line


def start_sandbox(stack: ExitStack, folder: Path, switches: Mapping[str, object]) -> Sandbox:
    """Start a sandbox with these switches."""
    ready = folder / "sandbox.json"
    options = ["--port", "0", "--control-port", "0", "--ready-file", str(ready)]
    options += [argument for name, value in switches.items() for argument in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "connector", "sandbox", *options]
    environment = {**os.environ, "BUTTON_SANDBOX_API_KEY": API_KEY}
    child = stack.enter_context(Child("sandbox", command, folder / "sandbox.log", environment=environment))
    child.wait_for("its ready file", ready.exists, _START_SECONDS)
    addresses = json.loads(ready.read_text(encoding="utf-8"))
    return Sandbox(child, addresses["url"], SandboxControl(addresses["control_url"]))


def start_connector(
    stack: ExitStack,
    folder: Path,
    settings: Mapping[str, Any],
    *,
    name: str = "connector",
    program: Sequence[str] = ("-m", "connector"),
) -> Connector:
    """Start a connector with these settings; ``program`` is what the interpreter is asked to run."""
    port = free_port()
    file = folder / f"{name}.yaml"
    file.write_text(
        yaml.safe_dump({**settings, "ops": {**settings.get("ops", {}), "host": "127.0.0.1", "port": port}}),
        encoding="utf-8",
    )
    command = [sys.executable, *program, "run", "--config", str(file)]
    log = folder / f"{name}.log"
    child = Child(name, command, log, stop_seconds=_CONNECTOR_STOP_SECONDS, environment=_without_settings())
    return Connector(stack.enter_context(child), f"http://127.0.0.1:{port}")


def _without_settings() -> dict[str, str]:
    """Return the environment without anything that could lead the connector away from this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_SETTINGS_PREFIX)}
    return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def _first_line(child: Child, beginning: str) -> str | None:
    text = child.read_log()
    lines = [line for line in text.splitlines(keepends=True) if line.startswith(beginning) and line.endswith("\n")]
    return lines[0].strip() if lines else None
