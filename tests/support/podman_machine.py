# SPDX-License-Identifier: Apache-2.0
"""Podman on this machine, whatever the machine lacks of what podman takes for granted.

Owns how podman is called and configured. Never touches containers or images that it was not told of by name.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_WANTED_LIMITS = {"nofile": 16_384, "nproc": 4_096}
_RESOURCES = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
_COMMAND_SECONDS = 120.0
_SHOWN_CHARACTERS = 3_000


class NoPodmanError(Exception):
    """Podman, or something that it needs, cannot be had here; the message names it."""


class PodmanError(Exception):
    """Podman could not do what it was told; the message ends with its own words."""


class Podman:
    """The ``podman`` command, with a configuration that fits this machine."""

    def __init__(self) -> None:
        """Find podman and see whether it works, or raise :class:`NoPodmanError`."""
        program = shutil.which("podman")
        if program is None:
            message = "there is no podman (apt install podman runc)"
            raise NoPodmanError(message)
        self.program = program
        self.environment = {**os.environ, "CONTAINERS_CONF": str(_configuration())}
        try:
            self("info")
        except PodmanError as fault:
            message = f"podman does not work here: {fault}"
            raise NoPodmanError(message) from fault

    def __call__(self, *arguments: str, seconds: float = _COMMAND_SECONDS) -> str:
        """Return what the command prints, or raise :class:`PodmanError` with what it complains of."""
        done = self.attempt(*arguments, seconds=seconds)
        if done.returncode != 0:
            message = f"podman {' '.join(arguments)}: exit status {done.returncode}: {_end(done.stdout + done.stderr)}"
            raise PodmanError(message)
        return done.stdout

    def attempt(
        self,
        *arguments: str,
        seconds: float = _COMMAND_SECONDS,
        given: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command, whatever comes of it; ``given`` is its standard input."""
        return subprocess.run(  # noqa: S603  podman, with arguments of the tests
            [self.program, *arguments],
            env={**self.environment, **(environ or {})},
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def has_image(self, name: str) -> bool:
        """Tell whether the image is here already."""
        return self.attempt("image", "exists", name).returncode == 0


def _configuration() -> Path:
    """Write a ``containers.conf`` that asks for nothing that this machine has not, and return its path."""
    folder = Path(tempfile.mkdtemp(prefix="button-connector-podman-"))
    limits = ", ".join(f'"{name}={_limit(name)}:{_limit(name)}"' for name in _WANTED_LIMITS)
    engine = ['events_logger = "file"']
    if shutil.which("runc"):
        engine.append('runtime = "runc"')
    if not Path("/run/systemd/system").exists():
        engine.append('cgroup_manager = "cgroupfs"')
    path = folder / "containers.conf"
    path.write_text("\n".join(["[containers]", f"default_ulimits = [{limits}]", "[engine]", *engine, ""]))
    return path


def _limit(name: str) -> int:
    """Return the wanted limit, or the machine's where that is lower."""
    hard = resource.getrlimit(_RESOURCES[name])[1]
    return _WANTED_LIMITS[name] if hard == resource.RLIM_INFINITY else min(hard, _WANTED_LIMITS[name])


def _end(text: str) -> str:
    return text.strip()[-_SHOWN_CHARACTERS:]
