# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes control plane on loopback: etcd, API server, controllers and scheduler, with three nodes.

Owns its processes, from the start to the end of :func:`started`. No container runs: kwok plays the kubelets: it
starts pods and takes them away in steps that can be seen. What containers, probes, grace periods and network policies
do is therefore nobody's here.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import trustme
import yaml

from tests.support.kafka_jvm import guard
from tests.support.kafka_node import free_port
from tests.support.kube_tools import control_plane, custom_resources, helm_tools, pod_stages
from tests.support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NODES = ("node-0", "node-1", "node-2")
_VOLUMES = 40
_STEP_MILLISECONDS = 300
_START_SECONDS = 90
_STOP_SECONDS = 10
_COMMAND_SECONDS = 120


class Done(NamedTuple):
    """How a command ended."""

    code: int
    output: str


class Cluster:
    """The control plane's clients; every command says what it did, or fails the test with what it said."""

    def __init__(self, folder: Path, port: int) -> None:
        """Know where the API server will be."""
        self.kubeconfig = folder / "kubeconfig"
        self.port = port
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "NO_PROXY": "127.0.0.1,localhost",
            "HELM_CACHE_HOME": str(folder / "helm"),
            "HELM_CONFIG_HOME": str(folder / "helm"),
            "HELM_DATA_HOME": str(folder / "helm"),
        }

    def attempt(self, program: str, *arguments: str, stdin: str | None = None) -> Done:
        """Run kubectl or helm, however it ends."""
        folder = helm_tools() if program == "helm" else control_plane()
        done = subprocess.run(  # noqa: S603  our own tools
            [str(folder / program), *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_SECONDS,
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def run(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl or helm, and return what it says."""
        done = self.attempt(program, *arguments, stdin=stdin)
        assert done.code == 0, f"{program} {' '.join(arguments)}: {done.output}"
        return done.output

    @contextmanager
    def watching(self, *what: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Give a function that returns, once, every event of these objects since they were listed."""
        command = [
            str(control_plane() / "kubectl"),
            "get",
            *what,
            "--watch",
            "--output-watch-events",
            "--output",
            "json",
        ]
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(command, env=self._environment, stdout=said)  # noqa: S603  our own tool
            # Whatever is done from now on is seen.
            wait_until(lambda: os.fstat(said.fileno()).st_size, _STOP_SECONDS, awaiting="the first event")

            def read() -> list[dict[str, Any]]:
                process.terminate()
                process.wait(_STOP_SECONDS)
                said.seek(0)
                return list(_documents(said.read().decode()))

            try:
                yield read
            finally:
                process.kill()
                process.wait()

    def get(self, *what: str) -> dict[str, Any]:
        """Return an object, or a list of them, as the API server has it."""
        got: dict[str, Any] = json.loads(self.run("kubectl", "get", *what, "--output", "json"))
        return got

    def items(self, *what: str) -> list[dict[str, Any]]:
        """Return the objects of a list."""
        found: list[dict[str, Any]] = self.get(*what)["items"]
        return found


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield JSON objects that follow one another; the last may be cut off."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        try:
            document, end = decoder.raw_decode(text)
        except ValueError:
            return
        yield document
        text = text[end:]


@contextmanager
def started(folder: Path) -> Iterator[Cluster]:
    """Give a control plane whose nodes are ready and which knows the chart's custom resources."""
    ports = {name: free_port() for name in ("api", "etcd", "peer", "manager", "scheduler", "kwok")}
    cluster = Cluster(folder, ports["api"])
    _write_credentials(folder, cluster)
    with ExitStack() as running:
        for name, options in _programs(folder, cluster, ports).items():
            running.enter_context(_running(folder, name, options))
            if name == "kube-apiserver":
                _wait_until_it_answers(cluster)
        _prepare(cluster)
        yield cluster


def _wait_until_it_answers(cluster: Cluster) -> None:
    last: list[Done] = []

    def answers() -> bool:
        last[:] = [cluster.attempt("kubectl", "get", "--raw", "/readyz")]
        return last[0].code == 0

    try:
        wait_until(answers, _START_SECONDS, awaiting="the API server", interval_seconds=0.2)
    except AssertionError as overdue:
        overdue.add_note(last[0].output)
        raise


def _programs(folder: Path, cluster: Cluster, ports: dict[str, int]) -> dict[str, list[str]]:
    """Return the programs in the order of their start, each with its options."""
    etcd, peer = (f"http://127.0.0.1:{ports[name]}" for name in ("etcd", "peer"))
    kubeconfig = ["--kubeconfig", str(cluster.kubeconfig)]
    private = {name: str(folder / name) for name in ("ca.crt", "server.pem", "server.key", "accounts.key")}
    stages = folder / "stages.yaml"
    stages.write_text(yaml.safe_dump_all(_stages()), encoding="utf-8")
    return {
        "etcd": [
            *("--name", "local", "--data-dir", str(folder / "etcd-data"), "--unsafe-no-fsync", "--log-level", "error"),
            *("--listen-client-urls", etcd, "--advertise-client-urls", etcd, "--listen-peer-urls", peer),
            *("--initial-advertise-peer-urls", peer, "--initial-cluster", f"local={peer}"),
        ],
        "kube-apiserver": [
            *("--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"),
            *("--secure-port", str(cluster.port), "--endpoint-reconciler-type", "none"),
            *("--tls-cert-file", private["server.pem"], "--tls-private-key-file", private["server.key"]),
            *("--client-ca-file", private["ca.crt"], "--authorization-mode", "Node,RBAC"),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--service-account-key-file", private["accounts.key"]),
            *("--service-account-signing-key-file", private["accounts.key"]),
            *("--service-cluster-ip-range", "10.96.0.0/16"),
        ],
        "kube-controller-manager": [
            *kubeconfig,
            *("--bind-address", "127.0.0.1", "--secure-port", str(ports["manager"]), "--leader-elect=false"),
            *("--use-service-account-credentials", "--service-account-private-key-file", private["accounts.key"]),
            *("--root-ca-file", private["ca.crt"], "--node-monitor-grace-period", "1h"),
        ],
        "kube-scheduler": [
            *kubeconfig,
            *("--bind-address", "127.0.0.1", "--secure-port", str(ports["scheduler"]), "--leader-elect=false"),
        ],
        "kwok": [
            *kubeconfig,
            *("--manage-all-nodes=true", "--server-address", f"127.0.0.1:{ports['kwok']}"),
            *("--node-ip", "127.0.0.1", "--config", str(stages)),
        ],
    }


def _stages() -> Iterator[dict[str, Any]]:
    """Yield what kwok does to nodes and pods; to pods each step after a moment, long enough to be seen."""
    for path in pod_stages():
        stage: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        if stage["spec"]["resourceRef"]["kind"] == "Pod":
            stage["spec"]["delay"] = {"durationMilliseconds": _STEP_MILLISECONDS}
        yield stage


def _write_credentials(folder: Path, cluster: Cluster) -> None:
    """Write an authority, the API server's certificate, and the administrator's, which every program uses."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost")
    admin = authority.issue_cert("admin.local", common_name="admin", organization_name="system:masters")
    accounts = authority.issue_cert("accounts.local", key_type=trustme.KeyType.RSA)
    authority.cert_pem.write_to_path(folder / "ca.crt")
    for leaf, name in ((server, "server"), (admin, "admin")):
        leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
    accounts.private_key_pem.write_to_path(folder / "accounts.key")
    user = {"client-certificate": str(folder / "admin.pem"), "client-key": str(folder / "admin.key")}
    server_at = {"server": f"https://127.0.0.1:{cluster.port}", "certificate-authority": str(folder / "ca.crt")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": server_at}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "admin"}}],
        "current-context": "local",
    }
    cluster.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")


@contextmanager
def _running(folder: Path, name: str, options: list[str]) -> Iterator[None]:
    """Run a program, beside a guard that ends it should the tests be killed."""
    program = (helm_tools() if name == "kwok" else control_plane()) / name
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([program, *options], stdout=log, stderr=log, start_new_session=True)  # noqa: S603  our own tools
        guarding = guard(process.pid)
        try:
            yield
            assert process.poll() is None, f"{name} ended: {(folder / f'{name}.log').read_text()[-500:]}"
        finally:
            process.terminate()
            # The guard first loses its target's id, then the system may reuse it.
            guarding.kill()
            guarding.communicate()
            _reap(process)


def _reap(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _prepare(cluster: Cluster) -> None:
    """Make the nodes, their volumes and the custom resources, and wait until pods can run."""
    cluster.run("kubectl", "apply", "--server-side", *(f"--filename={path}" for path in custom_resources()))
    cluster.run(
        "kubectl",
        "apply",
        "--filename",
        "-",
        stdin=yaml.safe_dump_all([*map(_node, NODES), *map(_volume, range(_VOLUMES))]),
    )
    ready = ("wait", "--for", "condition=Ready", "node", "--all", "--timeout", "1s")
    wait_until(lambda: cluster.attempt("kubectl", *ready).code == 0, _START_SECONDS, awaiting="nodes")
    account = ("get", "serviceaccount", "default")
    wait_until(lambda: cluster.attempt("kubectl", *account).code == 0, _START_SECONDS, awaiting="service accounts")


def _node(name: str) -> dict[str, Any]:
    room = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"zone-of-{name}",
    }
    metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"allocatable": room, "capacity": room}}


def _volume(number: int) -> dict[str, Any]:
    """Return a volume that any claim may have; nothing here makes them on demand."""
    spec = {
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": f"/nowhere/{number}"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"volume-{number}"}, "spec": spec}
