# SPDX-License-Identifier: Apache-2.0
"""The way by which tests get their Kafka where a Docker engine answers, over podman's socket."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.podman_images import ROOT
from tests.support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.podman_machine import Podman

TESTS = (
    "tests/integration/test_kafka_broker.py",
    "tests/integration/test_stopping.py::test_a_start_that_waited_for_brokers_goes_on_when_they_come",
)


@contextmanager
def _docker(podman: Podman, folder: Path) -> Iterator[str]:
    """Let podman answer as Docker does, and give its address."""
    socket = folder / "podman.sock"
    command = [podman.program, "system", "service", "--time", "0", f"unix://{socket}"]
    with subprocess.Popen(command, env=podman.environment, stderr=subprocess.DEVNULL) as service:  # noqa: S603  podman
        try:
            wait_until(socket.exists, 20, awaiting="podman's socket")
            yield f"unix://{socket}"
        finally:
            service.terminate()


def _programs(folder: Path) -> Path:
    """Fill a folder for PATH with what the tests call, which leaves out Java and Maven."""
    folder.mkdir()
    for name in ("sh", "sleep"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def test_the_tests_of_kafka_pass_with_a_broker_in_a_container(podman: Podman, kafka_image: str, tmp_path: Path) -> None:
    """Topics, a kill and a restart at the same address, a start that waits: nothing skipped, no broker beside it."""
    without = {"KAFKA_BOOTSTRAP", "DOCKER_HOST", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST"}
    kept = {name: value for name, value in os.environ.items() if name not in without and "XDIST" not in name}
    with _docker(podman, tmp_path) as address:
        environment = {
            **kept,
            "CI": "true",
            "DOCKER_HOST": address,
            "PATH": str(_programs(tmp_path / "bin")),
            "TESTCONTAINERS_RYUK_DISABLED": "true",
            "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=9", *TESTS]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  our own interpreter
    assert done.returncode == 0, done.stdout + done.stderr
    sys.stdout.write(done.stdout)
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 4
    assert podman("ps", "--all", "--quiet", "--filter", f"ancestor={kafka_image}").split() == []
