# SPDX-License-Identifier: Apache-2.0
"""What the chart's tests may ask for: the tools, the chart as rendered, and a control plane.

Owns that tools which are not to be had are a skip that says so (with CI=true that fails the run), and that the first
run of all, which builds them, has the time to.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support import kube_control_plane, kube_tools
from tests.support.helm_values import CHART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.kube_control_plane import Cluster

CASES = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
RELEASE = "button-connector"
NAMESPACE = "orders"

_BUILD_SECONDS = 3_000
_FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of this folder wait for tools that are built."""
    for item in items:
        if _FOLDER in item.path.parents:
            item.add_marker(pytest.mark.timeout(_BUILD_SECONDS))
            item.add_marker(pytest.mark.xdist_group("kubernetes"))


def _tool(get: Callable[[], Path]) -> Path:
    try:
        return get()
    except kube_tools.ToolsUnavailableError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def tools() -> Path:
    """Give the folder with helm, helm-unittest and kubeconform."""
    return _tool(kube_tools.helm_tools)


@pytest.fixture(scope="session")
def python_tools() -> Path:
    """Give the virtual environment with the scanner."""
    return _tool(kube_tools.python_tools)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Give Prometheus' own tool for rules."""
    return _tool(kube_tools.promtool)


class Helm:
    """``helm template``, however it ends."""

    def __init__(self, helm: Path) -> None:
        """Use this one."""
        self._helm = helm

    def attempt(self, *options: str, kubernetes: str = "1.33.0") -> subprocess.CompletedProcess[str]:
        """Render the chart."""
        fixed = ("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", kubernetes)
        command = [str(self._helm), *fixed, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603  our own tool

    def render(self, *options: str, kubernetes: str = "1.33.0") -> str:
        """Return the chart as rendered."""
        done = self.attempt(*options, kubernetes=kubernetes)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def objects(self, *options: str) -> dict[str, dict[str, Any]]:
        """Return what is rendered by kind; of two of a kind, the last."""
        return {each["kind"]: each for each in yaml.safe_load_all(self.render(*options)) if each is not None}


@pytest.fixture(scope="session")
def helm(tools: Path) -> Helm:
    """Give Helm."""
    return Helm(tools / "helm")


@pytest.fixture(scope="session")
def cluster(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Give a control plane; each test has a namespace of its own in it."""
    del tools  # Asked for, so that a machine without them skips.
    _tool(kube_tools.control_plane)
    with kube_control_plane.started(tmp_path_factory.mktemp("control-plane")) as running:
        yield running
