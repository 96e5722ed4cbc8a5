# SPDX-License-Identifier: Apache-2.0
"""The locks hold what the project asks for, by hash, and say nothing of where packages come from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())
_GROUPS = _PROJECT["dependency-groups"]
_ASKED = {
    "runtime": _PROJECT["project"]["dependencies"],
    "build": _GROUPS["build"] + _PROJECT["build-system"]["requires"],
    "dev": _PROJECT["project"]["dependencies"] + [one for one in _GROUPS["dev"] if isinstance(one, str)],
}


def _lock(name: str) -> str:
    return (_ROOT / "requirements" / f"{name}.txt").read_text()


def _pins(name: str) -> dict[str, str]:
    """Map each locked package to its version."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", _lock(name), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize("name", _ASKED)
def test_a_lock_holds_all_that_was_asked_for(name: str) -> None:
    """Whoever adds a dependency must renew the locks (make lock)."""
    pins = _pins(name)
    for asked in map(Requirement, _ASKED[name]):
        locked = pins.get(canonicalize_name(asked.name))
        assert locked is not None, f"{asked} is not in requirements/{name}.txt: make lock"
        assert asked.specifier.contains(locked), f"{locked} in requirements/{name}.txt is not {asked}: make lock"


@pytest.mark.parametrize("name", _ASKED)
def test_every_locked_package_has_hashes(name: str) -> None:
    """Nothing is installed that was changed after it was locked."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", _lock(name), flags=re.MULTILINE)[1:]
    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", _ASKED)
def test_a_lock_names_no_place_on_the_net(name: str) -> None:
    """Where packages come from is the business of the one who installs them."""
    assert re.findall(r"\S*(?:://|--index|--find-links|--extra)\S*", _lock(name)) == []


def test_the_locks_agree() -> None:
    """One environment can hold all of them, so that what is tested is what is run."""
    dev = _pins("dev")
    for name in ("runtime", "build"):
        assert {package: dev[package] for package in _pins(name)} == _pins(name)
