# SPDX-License-Identifier: Apache-2.0
"""What can be said of the image without building it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_DOCKERFILE = (_ROOT / "Dockerfile").read_text()


def _pins(name: str) -> dict[str, str]:
    lock = (_ROOT / "requirements" / f"{name}.txt").read_text()
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE)}


def test_the_dockerfile_is_well_made() -> None:
    """By every rule of hadolint."""
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "Dockerfile"], cwd=_ROOT, capture_output=True, text=True, check=False)  # noqa: S603  a tool of ours
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_base_is_pinned_by_its_digest() -> None:
    """The same Dockerfile never builds on something else than what was looked at."""
    bases = set(re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", _DOCKERFILE, re.MULTILINE))
    assert bases - stages == {"${BASE_IMAGE}"}
    assert re.search(r"^ARG BASE_IMAGE=\S+/python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}$", _DOCKERFILE, re.MULTILINE)


def test_everything_is_installed_by_hash() -> None:
    """Nothing comes in that was changed after it was locked; no lock has a package without hashes."""
    assert "PIP_REQUIRE_HASHES=1" in _DOCKERFILE
    installs = re.findall(r"pip (?:--python \S+ )?install (.*?)(?:&&|\n(?=[A-Z#\n]))", _DOCKERFILE, re.DOTALL)
    assert len(installs) == 4
    assert all("-r requirements/" in each or "--no-index" in each for each in installs)
    for name in ("image", "sbom", "build"):
        blocks = re.split(r"^(?=[A-Za-z0-9])", (_ROOT / "requirements" / f"{name}.txt").read_text(), flags=re.MULTILINE)
        assert [block.split()[0] for block in blocks[1:] if "--hash=sha256:" not in block] == []


def test_the_image_is_installed_from_what_the_tests_run_on() -> None:
    """Its lock is that of the tests, less what only tests need."""
    image, dev = _pins("image"), _pins("dev")
    assert _pins("runtime").items() <= image.items() <= dev.items()


def test_nothing_reaches_the_build_that_is_not_asked_for() -> None:
    """Everything is ignored but what the Dockerfile copies, so that no key or cache of a developer slips in."""
    lines = [line for line in (_ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", _DOCKERFILE, re.MULTILINE)
    wanted = {name.split("/")[0] for each in copied for name in each.split()}
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == wanted
