# SPDX-License-Identifier: Apache-2.0
"""The connector in a container, run as a cluster runs it.

Owns the container and its volume; both are gone at the end. Its network is the machine's, because Kafka and the sandbox
of the tests listen on loopback only.
"""

from __future__ import annotations

import sys
import time
import uuid
from typing import TYPE_CHECKING, Any, Self

import yaml

from connector.demo.web import free_port, is_ok
from tests.support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from tests.support.podman_machine import Podman

RESTRICTED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=64m,mode=1777",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--pids-limit=256",
    "--memory=512m",
    "--cpus=1",
)
"""What the chart's security context and resources come to."""
TABLES = "/var/lib/button-connector"
_CONFIG = "/etc/button-connector"
_KEY = "/run/secrets/button-api-key"
_START_SECONDS = 40.0
_SHOWN_CHARACTERS = 3_000


class ConnectorContainer:
    """One settings file and one volume; ``run`` as often as wanted, and other commands beside it."""

    def __init__(self, podman: Podman, image: str, folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the settings, with the API key in a file of its own; starts nothing."""
        self._podman, self._image = podman, image
        self.name = f"button-connector-{uuid.uuid4().hex[:8]}"
        self._port = free_port()
        button = dict(settings["button"])
        areas = {**settings, "button": button, "ops": {"host": "127.0.0.1", "port": self._port}}
        key, config = folder / "button-api-key", folder / "config"
        key.write_text(button.pop("api_key"))
        button["api_key_file"] = _KEY
        config.mkdir()
        (config / "connector.yaml").write_text(yaml.safe_dump(areas))
        self._shared = (
            *RESTRICTED,
            "--network=host",
            "--no-hosts",
            f"--env=BUTTON_CONNECTOR__OPS__PORT={self._port}",
            f"--volume={config}:{_CONFIG}:ro",
            f"--volume={key}:{_KEY}:ro",
        )

    def __enter__(self) -> Self:
        """Make the volume."""
        self._podman("volume", "create", self.name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End what runs, and print the end of its log, which pytest shows of a test that failed."""
        sys.stderr.write(f"\nthe container's log ends with:\n{self.log()[-_SHOWN_CHARACTERS:]}")
        self._podman.attempt("rm", "--force", "--time", "1", self.name)
        self._podman.attempt("volume", "rm", "--force", self.name)

    def call(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        """Run a command of the connector beside ``run``; return its exit status and what it printed."""
        command = ("run", "--rm", "--interactive", "--no-healthcheck", *self._shared, self._image, *arguments)
        done = self._podman.attempt(*command, given=given)
        return done.returncode, done.stdout, done.stderr

    def start(self, *, until_ready: bool = True) -> None:
        """Start ``run`` anew, with the volume as the last one left it."""
        self._podman.attempt("rm", "--force", self.name)
        volume = f"--volume={self.name}:{TABLES}"
        command = ("run", "--config", f"{_CONFIG}/connector.yaml")
        self._podman("run", "--detach", "--name", self.name, *self._shared, volume, self._image, *command)
        if until_ready:
            wait_until(self._is_ready, _START_SECONDS, awaiting="the container's readiness", interval_seconds=0.1)

    def stop(self, grace_seconds: int) -> tuple[int, float]:
        """Stop it as a platform does; return its exit status and how many seconds that took."""
        began = time.monotonic()
        self._podman("stop", "--time", str(grace_seconds), self.name)
        return self.exit_status(), time.monotonic() - began

    def exit_status(self) -> int:
        """Return the exit status of what has ended."""
        return int(self._podman("inspect", "--format", "{{.State.ExitCode}}", self.name))

    def is_healthy(self) -> bool:
        """Tell what the image's own health check says now."""
        return self._podman.attempt("healthcheck", "run", self.name).returncode == 0

    def execute(self, *command: str) -> str:
        """Run a command inside, return what it prints."""
        return self._podman("exec", self.name, *command)

    def log(self) -> str:
        """Return all that it has written."""
        done = self._podman.attempt("logs", self.name)
        return done.stdout + done.stderr

    def check(self) -> None:
        """Raise if it does not run."""
        state = self._podman("inspect", "--format", "{{.State.Status}}", self.name).strip()
        assert state == "running", f"the container is {state}:\n{self.log()[-_SHOWN_CHARACTERS:]}"

    def _is_ready(self) -> bool:
        self.check()
        return is_ok(f"http://127.0.0.1:{self._port}/readyz")
