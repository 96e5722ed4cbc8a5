# SPDX-License-Identifier: Apache-2.0
"""Pods of the chart, played by processes: the container's command, its settings file, its volume and its probes.

Owns what of the rendered chart a pod is started with; only addresses, names of topics and what a test must have smaller
are others. Each pod reaches the sandbox through a forwarder of its own, by which the sandbox's log tells whose a call
is. A container that starts anew keeps its pod's volume and forwarder.
"""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

import yaml

from connector.demo.children import Child
from connector.demo.parts import API_KEY
from connector.demo.web import is_ok
from tests.support.helm_examples import EXAMPLES
from tests.support.helm_values import ROOT
from tests.support.kafka_broker import free_port
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from tests.support.processes import World

_START_SECONDS = 60.0
_CONFIG = "/etc/button-connector/connector.yaml"
_ENTRYPOINT = re.compile(r'^ENTRYPOINT \["([\w-]+)"\]$', re.MULTILINE)


class Container(NamedTuple):
    """What the chart says of the connector's container: what runs, with which settings, and how it is asked."""

    command: tuple[str, ...]
    settings: Mapping[str, Mapping[str, Any]]
    startup_path: str
    readiness_path: str
    grace_seconds: float


def container_of_the_chart() -> Container:
    """Return what the chart renders for the least values; the image says which program it is."""
    rendered = yaml.safe_load_all(EXAMPLES["minimal"].rendered.read_text(encoding="utf-8"))
    objects = {each["kind"]: each for each in rendered if each}
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [program] = _ENTRYPOINT.findall((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    return Container(
        (str(Path(sys.executable).with_name(program)), *container["args"]),
        yaml.safe_load(objects["ConfigMap"]["data"]["connector.yaml"]),
        container["startupProbe"]["httpGet"]["path"],
        container["readinessProbe"]["httpGet"]["path"],
        float(pod["terminationGracePeriodSeconds"]),
    )


class Pod:
    """One pod, whose container may end and start anew."""

    def __init__(self, name: str, folder: Path, world: World, changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Make its volume; nothing runs before :meth:`start`."""
        self.name = name
        self._container = container_of_the_chart()
        self._folder = folder / name
        (self._folder / "tables").mkdir(parents=True)
        self._stack = ExitStack()
        sandbox = urlsplit(world.sandbox.url)
        self._forwarder = self._stack.enter_context(TcpProxy((sandbox.hostname or "", sandbox.port or 80)))
        self.host = self._forwarder.address
        """By what the sandbox's log knows its calls."""
        self._ops = f"http://127.0.0.1:{(port := free_port())}"
        self._write_settings(world, changes, port)
        self.child: Child | None = None

    def _write_settings(self, world: World, changes: Mapping[str, Mapping[str, Any]], port: int) -> None:
        (self._folder / "api-key").write_text(API_KEY, encoding="utf-8")
        addresses = world.addresses()
        addresses["button"] = {"base_url": f"http://{self.host}", "api_key_file": str(self._folder / "api-key")}
        addresses |= {"tables": {"directory": str(self._folder / "tables")}, "ops": {"host": "127.0.0.1", "port": port}}
        settings = {area: dict(of) for area, of in self._container.settings.items()}
        for given in (addresses, changes):
            for area, of in given.items():
                settings[area] = {**settings.get(area, {}), **of}
        (self._folder / "connector.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def __enter__(self) -> Self:
        """Return this pod."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End its container and its forwarder."""
        self._stack.close()

    def start(self) -> None:
        """Start its container, as a new one on the same volume."""
        file = str(self._folder / "connector.yaml")
        command = [file if each == _CONFIG else each for each in self._container.command]
        assert file in command
        self.child = Child(self.name, command, self._folder / "log", stop_seconds=self._container.grace_seconds)
        self._stack.enter_context(self.child)

    def wait_until_ready(self) -> None:
        """Return when the probes say so, the startup's first."""
        assert self.child is not None
        for path in (self._container.startup_path, self._container.readiness_path):
            self.child.wait_for(path, lambda path=path: is_ok(self._ops + path), _START_SECONDS)  # type: ignore[misc]  # lambdas with defaults

    def terminate(self) -> None:
        """Ask its container to end, as a roll and a scale-down do."""
        assert self.child is not None
        self.child.terminate()

    def wait_until_gone(self) -> None:
        """Return when its container has ended in good order, within its grace period."""
        assert self.child is not None
        assert self.child.wait(self._container.grace_seconds) == 0, self.child.read_log()

    def kill(self) -> None:
        """End its container as a lost node does."""
        assert self.child is not None
        self.child.kill()


def roll(pods: Sequence[Pod]) -> None:
    """Replace the containers as a StatefulSet does: from the last on, each when its forerunner's heir is ready."""
    for pod in reversed(pods):
        pod.terminate()
        pod.wait_until_gone()
        pod.start()
        pod.wait_until_ready()
