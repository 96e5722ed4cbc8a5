# SPDX-License-Identifier: Apache-2.0
"""What is in the image: what runs, its bill of materials, and nothing that builds, installs or tells."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from packaging.utils import canonicalize_name

from tests.support import podman_images

if TYPE_CHECKING:
    from tests.support.podman_machine import Podman

OWN_MEGABYTES = 170
"""What the image may weigh beyond its base: 140 MB are there, two thirds of it machine code of the dependencies, and a
fifth bytecode that halves the time of a start; more than a fifth on top deserves a look at what came in."""
BUILD_TOOLS = [
    *("cc", "gcc", "g++", "c++", "clang", "ld", "as", "make", "cmake", "javac", "cargo", "rustc"),
    *("pip", "pip3", "uv", "hatch", "cyclonedx-py", "git", "curl", "wget"),
]
_INSTALLED = """
import importlib.metadata, json
print(json.dumps({each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}))
"""
_LOOK = r"""
for name in "$@"; do command -v "$name"; done
find / -xdev \( -path /proc -o -path /sys \) -prune -o \( \
    -name pip -o -name ensurepip -o -name .cache -o -name pip.conf -o -name '*.whl' -o -name '*.tar.gz' -o -name .git \
    -o -path /src -o -path /dist -o -path '/var/lib/apt/lists/*_*' -o -path '/var/cache/apt/archives/*.deb' \
    -o -path '/root/*' ! -name .bashrc ! -name .profile \) -print
"""
_COMPILED_AT_START = """
import os, sys, connector.app
cached = [getattr(module, "__cached__", None) for module in list(sys.modules.values())]
print([path for path in cached if path and path.endswith(".pyc") and not os.path.exists(path)])
"""


def _inside(podman: Podman, image: str, *command: str, user: str = "10001") -> str:
    shared = ("run", "--rm", "--network", "none", "--no-healthcheck", "--user", user)
    return podman(*shared, "--entrypoint", command[0], image, *command[1:])


@pytest.fixture(scope="module")
def installed(podman: Podman, image: str) -> dict[str, str]:
    """Give the versions of the Python packages in the image."""
    found = json.loads(_inside(podman, image, "python", "-c", _INSTALLED))
    return {canonicalize_name(name): version for name, version in found.items()}


def test_nothing_in_the_image_builds_or_installs_nor_is_a_left_over_of_it(podman: Podman, image: str) -> None:
    """No compiler, no installer, no cache, no source: what an intruder could use, and what only weighs."""
    assert _inside(podman, image, "sh", "-c", _LOOK, "look", *BUILD_TOOLS, user="0").split() == []


def test_the_image_tells_no_secret_and_nothing_of_where_it_was_built(podman: Podman, image: str) -> None:
    """Neither its settings nor its history name a key, an index of packages or a proxy."""
    (about,) = json.loads(podman("image", "inspect", image))
    names = {each.partition("=")[0] for each in about["Config"]["Env"]}
    assert names <= {
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "LANG",
        "GPG_KEY",
        "PYTHON_VERSION",
        "PYTHON_SHA256",
    }
    history = podman("history", "--no-trunc", image)
    assert re.findall(r"(?i)https?://\S+|index-url|proxy|password|api_key|sk-\w+", history) == []


def test_the_image_says_what_it_is_and_runs_as_nobody_in_particular(podman: Podman, image: str) -> None:
    """Labels, a fixed user by number (so that a platform can see that it is not root), one volume, one port."""
    (about,) = json.loads(podman("image", "inspect", image))
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in about["Labels"].items()}
    assert {name: labels[name] for name in ("title", "licenses", "version", "revision")} == {
        "title": "button-connector",
        "licenses": "Apache-2.0",
        "version": "test",
        "revision": "test",
    }
    config: dict[str, Any] = about["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["button-connector"]
    assert config["Cmd"] == ["run"]
    assert (list(config["Volumes"]), list(config["ExposedPorts"])) == (["/var/lib/button-connector"], ["8080/tcp"])


def test_the_image_holds_what_is_locked_and_nothing_else(installed: dict[str, str]) -> None:
    """What was tested is what runs; the connector itself is there as a package."""
    lock = (podman_images.ROOT / "requirements" / "image.txt").read_text()
    locked = {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE)
    }
    packages = {name: version for name, version in installed.items() if name != "button-connector"}
    assert packages.items() <= locked.items()
    assert {"confluent-kafka", "pyreqwest", "opentelemetry-sdk"} <= packages.keys()
    assert "button-connector" in installed


def test_the_bill_of_materials_names_everything_that_is_installed(
    podman: Podman,
    image: str,
    installed: dict[str, str],
) -> None:
    """In CycloneDX's JSON, at the place that the docs name: each package with its version and a package URL."""
    bill = json.loads(_inside(podman, image, "cat", "/usr/share/button-connector/sbom.cdx.json"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    about = bill["metadata"]["component"]
    assert (about["name"], about["type"]) == ("button-connector", "application")
    named: dict[str, str] = {canonicalize_name(each["name"]): each["version"] for each in bill["components"]}
    named["button-connector"] = about["version"]
    assert named == installed
    assert all(each["purl"].startswith("pkg:pypi/") for each in bill["components"])


def test_the_image_is_as_small_as_what_it_needs(podman: Podman, image: str) -> None:
    """Beyond its base it weighs no more than :data:`OWN_MEGABYTES`."""
    (about,) = json.loads(podman("image", "inspect", image))
    (base,) = json.loads(podman("image", "inspect", podman_images.base(podman)))
    assert (about["Size"] - base["Size"]) / 1e6 < OWN_MEGABYTES


def test_bytecode_is_there_for_all_that_a_start_reads(podman: Podman, image: str) -> None:
    """A read-only file system could not keep it, and each start would compile everything anew."""
    assert _inside(podman, image, "python", "-c", _COMPILED_AT_START).strip() == "[]"
