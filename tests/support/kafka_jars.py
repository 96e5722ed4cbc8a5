# SPDX-License-Identifier: Apache-2.0
"""The jars of the Kafka broker, fetched once by Maven and kept in the user's cache.

Owns the cache folder. A folder is complete or absent: Maven fills a folder beside it that is renamed at the end.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
from contextlib import contextmanager

_POM = Path(__file__).with_name("kafka-pom.xml")
_OLDEST_JAVA = 17
_DOWNLOAD_SECONDS = 600


class JarsUnavailableError(Exception):
    """The broker's jars, or the Java to run them, cannot be had here; the message names what is missing."""


def cache_folder() -> Path:
    """Return where the jars are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "button-connector" / "kafka"


def classpath() -> str:
    """Return the Java class path of a Kafka broker, fetching the jars if the cache does not hold them."""
    _require_java()
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        jars = folder / "lib"
        if not _is_complete(jars):
            _fetch(jars)
    return f"{jars}/*"


def _is_complete(jars: Path) -> bool:
    """Tell whether the folder was filled from the pom as it is now; Maven's pom is copied last into it."""
    pom = jars / _POM.name
    return pom.is_file() and pom.read_bytes() == _POM.read_bytes()


def _fetch(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        message = f"the broker's jars are not in {jars} and there is no Maven to fetch them (apt install maven)"
        raise JarsUnavailableError(message)
    fresh = Path(tempfile.mkdtemp(prefix="fetch-", dir=jars.parent))
    try:
        _run_maven(maven, fresh)
        shutil.copy(_POM, fresh)
        shutil.rmtree(jars, ignore_errors=True)
        fresh.rename(jars)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run_maven(maven: str, folder: Path) -> None:
    command = [maven, "-B", "-q", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_DOWNLOAD_SECONDS)  # noqa: S603  a fixed command
    if done.returncode != 0:
        message = f"Maven could not fetch the broker's jars: {(done.stdout + done.stderr)[-500:].strip()}"
        raise JarsUnavailableError(message)


def _require_java() -> None:
    java = shutil.which("java")
    if java is None:
        message = "there is no Java (apt install openjdk-17-jre-headless)"
        raise JarsUnavailableError(message)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603  a fixed command
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        message = f"{java} is older than Java {_OLDEST_JAVA} (apt install openjdk-17-jre-headless)"
        raise JarsUnavailableError(message)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time look at the cache and fill it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
