# SPDX-License-Identifier: Apache-2.0
"""The tools of the chart's tests, made once from pinned sources and kept in the user's cache.

Owns the cache folder. Programs in Go are built from the modules in tests/kubernetes/go, whose go.sum holds each to its
checksum; the scanner and Kubernetes' schemas come from a lock file with hashes; promtool is Debian's. Building takes
minutes, so it is done where everything must run (CI=true) or where it is asked for: ``python -m
tests.support.kube_tools``. A folder is complete or absent.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KUBERNETES = "1.33.13"
_GO = Path(__file__).resolve().parents[1] / "kubernetes" / "go"
_LOCK = _GO.parent / "requirements.txt"
_PROMTOOL = "2.42."
_BUILD_SECONDS = 3_000
_CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
_CUSTOM_RESOURCES = {
    "github.com/kedacore/keda/v2@v2.21.0": (
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        (
            "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
            "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
}


class ToolsUnavailableError(Exception):
    """A tool is not there and cannot, or may not, be made here; the message says what to do."""


def helm_tools() -> Path:
    """Return the folder with helm, helm-unittest, kubeconform and kwok."""
    return _kept("tools", _sources("tools"), lambda folder: _build("tools", folder, "tool"))


def control_plane() -> Path:
    """Return the folder with etcd, the API server, its controllers, the scheduler and kubectl."""
    return _kept("control-plane", _sources("controlplane"), _build_control_plane)


def pod_stages() -> tuple[Path, ...]:
    """Return what kwok does to nodes and to pods that are played with their grace periods."""
    return tuple(sorted(_kept("stages", "kwok", _copy_stages).glob("*.yaml")))


def custom_resources() -> tuple[Path, ...]:
    """Return the definitions of the custom resources that the chart has."""
    return tuple(sorted(_kept("custom-resources", json.dumps(_CUSTOM_RESOURCES), _copy_definitions).glob("*.yaml")))


def python_tools() -> Path:
    """Return the virtual environment with the scanner and Kubernetes' schemas."""
    return _kept("python", _LOCK.read_text(encoding="utf-8") + sys.version, _install_python_tools)


def promtool() -> Path:
    """Return Prometheus' own tool for rules: the machine's, else Debian's."""
    found = shutil.which("promtool")
    return Path(found) if found else _kept("prometheus", _PROMTOOL, _unpack_promtool) / "usr" / "bin" / "promtool"


def _kept(name: str, source: str, make: Callable[[Path], None]) -> Path:
    """Return the folder that was made of a source, making it if need be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "button-connector" / "kubernetes"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    with _locked(cache / f"{name}.lock"):
        if not folder.is_dir():
            _require_leave(name)
            fresh = Path(tempfile.mkdtemp(prefix="fresh-", dir=cache))
            try:
                make(fresh)
                fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _require_leave(name: str) -> None:
    if os.environ.get("CI", "").lower() not in {"1", "true"}:
        message = f"the tests' {name} is not in the cache (make kubernetes makes it, once, in minutes)"
        raise ToolsUnavailableError(message)


def _sources(module: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((_GO / module).iterdir())) + KUBERNETES


def _build(module: str, folder: Path, package: str, *flags: str) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    output = folder if package == "tool" else folder / module
    command = [_go(), "build", "-trimpath", "-ldflags", " ".join(("-s -w", *flags)), "-o", f"{output}", package]
    _run(command, _GO / module, environment)


def _build_control_plane(folder: Path) -> None:
    major, minor, _ = KUBERNETES.split(".")
    version = {"Version": f"v{KUBERNETES}", "Major": major, "Minor": minor, "TreeState": "clean"}
    flags = [f"-X k8s.io/component-base/version.git{name}={value}" for name, value in version.items()]
    _build("controlplane", folder, ".", *flags)
    for name in _CONTROL_PLANE:
        (folder / name).symlink_to("controlplane")


def _copy_stages(folder: Path) -> None:
    stages = _module(_GO / "tools", "sigs.k8s.io/kwok") / "kustomize" / "stage"
    for path in (*stages.glob("node/fast/node-*.yaml"), *stages.glob("node/heartbeat-with-lease/node-*.yaml")):
        shutil.copy(path, folder)
    for path in stages.glob("pod/general/pod-*.yaml"):
        shutil.copy(path, folder)


def _copy_definitions(folder: Path) -> None:
    for name, (checksum, paths) in _CUSTOM_RESOURCES.items():
        module = _module(Path("/"), name, checksum)
        for path in paths:
            shutil.copy(module / path, folder)


def _module(where: Path, name: str, checksum: str | None = None) -> Path:
    """Return the source of a Go module; a checksum is for one that no go.sum holds."""
    said = json.loads(_run([_go(), "mod", "download", "-json", name], where))
    if checksum is not None and said["Sum"] != checksum:
        message = f"{name} has the checksum {said['Sum']}, and not {checksum}"
        raise ToolsUnavailableError(message)
    return Path(said["Dir"])


def _install_python_tools(folder: Path) -> None:
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--relocatable", "--clear", str(folder)], Path("/"))
    python = f"{folder / 'bin' / 'python'}"
    _run([*uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(_LOCK)], Path("/"))


def _unpack_promtool(folder: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        message = "there is no promtool (part of Prometheus), and no Debian to take it from"
        raise ToolsUnavailableError(message)
    try:
        _run([apt, "download", "prometheus"], folder)
    except ToolsUnavailableError:  # Its lists may be empty, or old.
        _run([apt, "update", "-q"], folder)
        _run([apt, "download", "prometheus"], folder)
    package = next(folder.glob("prometheus_*.deb"))
    _run([dpkg, "-x", package.name, "."], folder)
    package.unlink()


def _go() -> str:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        message = "there is no Go to build them with (1.26 or newer)"
        raise ToolsUnavailableError(message)
    return go


def _run(command: list[str], where: Path, environment: dict[str, str] | None = None) -> str:
    """Return what a command prints, or raise with the end of what it said."""
    done = subprocess.run(  # noqa: S603  fixed commands
        command,
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_SECONDS,
    )
    if done.returncode != 0:
        message = f"{' '.join(command[:3])} failed: {(done.stdout + done.stderr)[-500:].strip()}"
        raise ToolsUnavailableError(message)
    return done.stdout


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time look at the cache and fill it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(names: list[str]) -> None:
    """Make the tools of these names, or all."""
    os.environ["CI"] = "true"
    for get in (helm_tools, control_plane, pod_stages, custom_resources, python_tools, promtool):
        if not names or get.__name__ in names:
            sys.stdout.write(f"making {get.__name__}, unless it is there\n")
            sys.stdout.flush()
            get()


if __name__ == "__main__":
    _make(sys.argv[1:])
