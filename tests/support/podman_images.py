# SPDX-License-Identifier: Apache-2.0
"""The images of the tests: the connector's, built by its Dockerfile, and what it and a Kafka broker stand on.

Owns their names and how they are made. No registry of images is needed: where ``IMAGE_TEST_BASE`` names no base, one is
made of this machine's Debian and this machine's Python, and Kafka's of this machine's Java and the broker's jars. What
was made is kept by podman under a name that changes with what it was made of.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import kafka_docker
from tests.support.kafka_jars import JarsUnavailableError, classpath
from tests.support.podman_machine import NoPodmanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.podman_machine import Podman

ROOT = Path(__file__).parents[2]
CONNECTOR = "localhost/button-connector-test/connector"
_BASE = "localhost/button-connector-test/base"
_KAFKA = f"docker.io/{kafka_docker.IMAGE}"
_BUILD_SECONDS = 900.0
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_LIBRARIES = [
    *("ca-certificates", "netbase", "tzdata", "libssl3", "libffi8", "libsqlite3-0", "libncursesw6", "libreadline8"),
    *("libbz2-1.0", "liblzma5", "zlib1g", "libuuid1", "libexpat1", "libstdc++6"),
]
_BASE_FILE = """
FROM scratch
ADD rootfs.tar /
COPY python /usr/local
RUN ldconfig
CMD ["python3"]
"""
_KAFKA_FILE = """
FROM {base}
COPY java /opt/java
COPY lib /opt/kafka/lib
COPY bin /opt/kafka/bin
"""
_KAFKA_SCRIPTS = {
    "kafka-storage.sh": "exec /opt/java/bin/java -cp '/opt/kafka/lib/*' kafka.tools.StorageTool \"$@\"",
    "kafka-server-start.sh": (
        "exec /opt/java/bin/java -Xmx768m -XX:+UseSerialGC -Dlog4j2.configurationFile=/opt/kafka/lib/kafka-log4j2.xml"
        " -cp '/opt/kafka/lib/*' kafka.Kafka \"$@\""
    ),
}


def build_connector(podman: Podman) -> str:
    """Build the project's image as it is now and return its name; what did not change comes from podman's cache."""
    with _package_settings() as settings:
        arguments = [
            "--build-arg",
            f"BASE_IMAGE={base(podman)}",
            "--build-arg",
            "REVISION=test",
            "--build-arg",
            "VERSION=test",
        ]
        podman(
            *("build", "--quiet", "--format", "docker", "--layers", "--network", "host", "--pull=never"),
            *("--tag", CONNECTOR, *arguments, *settings, str(ROOT)),
            seconds=_BUILD_SECONDS,
        )
    return CONNECTOR


def base(podman: Podman) -> str:
    """Return the name of the image that the connector's is built on here."""
    return os.environ.get("IMAGE_TEST_BASE") or _stand_in_base(podman)


def _stand_in_base(podman: Podman) -> str:
    """Make, unless it is here, an image with this machine's Debian and Python, and return its name."""
    python = _python()
    name = f"{_BASE}:{_digest(_BASE_FILE, *_LIBRARIES, str(python), platform.platform())}"
    if podman.has_image(name):
        return name
    with tempfile.TemporaryDirectory(prefix="button-connector-base-") as folder:
        context = Path(folder)
        _bootstrap(context / "rootfs.tar")
        _copy_python(python, context / "python")
        _build(podman, name, context, _BASE_FILE)
    return name


def kafka(podman: Podman) -> str:
    """Make, unless it is here, what stands in for Kafka's own image, and return its name."""
    beneath = _stand_in_base(podman)
    try:
        jars = Path(classpath()).parent
    except JarsUnavailableError as reason:
        raise NoPodmanError(str(reason)) from reason
    marker = _digest(beneath, _KAFKA_FILE, json.dumps(_KAFKA_SCRIPTS), *sorted(jar.name for jar in jars.iterdir()))
    if podman.attempt("image", "inspect", "--format", "{{.Labels.made_of}}", _KAFKA).stdout.strip() == marker:
        return _KAFKA
    with tempfile.TemporaryDirectory(prefix="button-connector-kafka-image-") as folder:
        context = Path(folder)
        java = Path(shutil.which("java") or "java").resolve().parents[1]
        shutil.copytree(java, context / "java", ignore=shutil.ignore_patterns("jmods", "src.zip", "docs", "man"))
        shutil.copytree(jars, context / "lib")
        shutil.copy(Path(__file__).with_name("kafka-log4j2.xml"), context / "lib")
        (context / "bin").mkdir()
        for script, command in _KAFKA_SCRIPTS.items():
            (context / "bin" / script).write_text(f"#!/bin/sh\n{command}\n")
            (context / "bin" / script).chmod(0o755)
        _build(podman, _KAFKA, context, _KAFKA_FILE.format(base=beneath), "--label", f"made_of={marker}")
    return _KAFKA


def _build(podman: Podman, name: str, context: Path, recipe: str, *arguments: str) -> None:
    (context / "Dockerfile").write_text(recipe)
    command = ("build", "--quiet", "--network", "none", "--pull=never", "--tag", name, *arguments, str(context))
    podman(*command, seconds=_BUILD_SECONDS)


def _bootstrap(archive: Path) -> None:
    """Write the root file system of a small Debian like this machine's."""
    program = shutil.which("mmdebstrap")
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    if program is None or not suite:
        message = "there is no base image: name one by IMAGE_TEST_BASE, or apt install mmdebstrap on Debian"
        raise NoPodmanError(message)
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale", "info")]
    packages = f"--include={','.join(_LIBRARIES)}"
    command = [program, "--quiet", "--variant=minbase", packages, *excluded, suite, str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS)  # noqa: S603  a fixed command
    if done.returncode != 0:
        message = f"mmdebstrap could not make a base image: {done.stderr.strip()[-1_000:]}"
        raise NoPodmanError(message)


def _python() -> Path:
    """Return where this machine's Python of the Dockerfile's version lives, or else the one that the project takes."""
    (version,) = re.findall(r"^ARG BASE_IMAGE=.*/python:(\d+\.\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    of_pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv").glob(f"versions/{version}.*/bin/python")
    for candidate in (shutil.which(f"python{version}"), *of_pyenv):
        prefix = _prefix(str(candidate)) if candidate else None
        if prefix is not None:
            return prefix
    found = subprocess.run([ROOT / ".ci" / "find-python"], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603  a script of ours
    prefix = _prefix(found.stdout.strip())
    assert prefix is not None
    return prefix


def _prefix(python: str) -> Path | None:
    """Return where a Python is installed; ``None`` if it does not run, as pyenv's stand-ins may not."""
    command = [python, "-c", "import sys, venv, ensurepip; print(sys.base_prefix)"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603  an interpreter
    return Path(asked.stdout.strip()) if asked.returncode == 0 else None


def _copy_python(prefix: Path, target: Path) -> None:
    """Copy what an image of Python holds: no tests, no desktop, no libraries to link against, no packages but pip."""
    (library,) = (each for each in (prefix / "lib").glob("python3.*") if (each / "os.py").exists())
    left_out = shutil.ignore_patterns(
        "test",
        "idlelib",
        "tkinter",
        "turtledemo",
        "config-3*",
        "__pycache__",
        "_tkinter*",
    )

    def without(folder: str, names: list[str]) -> set[str]:
        if Path(folder).name == "site-packages":
            return {name for name in names if not re.match(r"pip(-|$)", name)}
        return left_out(folder, names)

    shutil.copytree(library, target / "lib" / library.name, ignore=without, symlinks=True)
    for shared in (prefix / "lib").glob("libpython3*.so*"):
        shutil.copy(shared, target / "lib", follow_symlinks=False)
    (target / "bin").mkdir()
    shutil.copy(prefix / "bin" / library.name, target / "bin" / library.name)
    for name in ("python3", "python"):
        (target / "bin" / name).symlink_to(library.name)
    for each in (target, *target.rglob("*")):
        if each.is_dir():
            each.chmod(0o755)


@contextmanager
def _package_settings() -> Iterator[list[str]]:
    """Give the arguments by which pip in a build trusts whom this machine trusts; nothing of it stays in the image."""
    with tempfile.TemporaryDirectory(prefix="button-connector-pip-") as folder:
        settings = Path(folder) / "pip.conf"
        settings.write_text(f"[global]\ncert = {_CERTIFICATES}\nretries = 5\n")
        mount = [] if not _CERTIFICATES.exists() else ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
        yield ["--secret", f"id=pip.conf,src={settings}", *mount] if mount else []


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
