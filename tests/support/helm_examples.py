# SPDX-License-Identifier: Apache-2.0
"""What the chart renders, kept in examples/kubernetes for those who read, or who apply without Helm.

Owns which examples there are; ``python -m tests.support.helm_examples`` writes them anew.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

from tests.support.helm_values import CHART, ROOT

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = ROOT / "examples" / "kubernetes"
_MADE = "# Made from the chart by `make chart`; change it there.\n"


class Example(NamedTuple):
    """Values, and the file with what they render to."""

    values: Path
    rendered: Path


EXAMPLES = {
    name: Example(CHART / "ci" / f"{name}-values.yaml", _FOLDER / f"{name}.yaml")
    for name in ("minimal", "full", "deployment")
}


def example(helm: Path, name: str) -> str:
    """Return an example as rendered now."""
    options = ("template", "button-connector", "--namespace", "orders", "--kube-version", "1.33.0")
    command = [str(helm), *options, "--values", str(EXAMPLES[name].values), str(CHART)]
    return _MADE + subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603  our own tool


def _write() -> None:
    from tests.support.kube_tools import helm_tools  # noqa: PLC0415  its readers need no tool

    helm = helm_tools() / "helm"
    for name, each in EXAMPLES.items():
        each.rendered.write_text(example(helm, name), encoding="utf-8")


if __name__ == "__main__":
    _write()
