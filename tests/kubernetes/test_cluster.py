# SPDX-License-Identifier: Apache-2.0
"""The chart on a real control plane: installed, changed, scaled, drained, taken away."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.helm_values import CHART, README
from tests.support.kube_control_plane import NODES, Cluster
from tests.support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RELEASE = "button-connector"
_SECONDS = 90
_WAIT = ("--wait", "--timeout", f"{_SECONDS}s")


class Home:
    """A namespace that takes only pods of the ``restricted`` policy, with the Secret of the README."""

    def __init__(self, cluster: Cluster, name: str, folder: Path) -> None:
        """Make it."""
        self.cluster = cluster
        self.name = name
        self.values = folder / "values.yaml"
        example = re.search(r"```yaml\n# values.yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
        assert example is not None
        self.values.write_text(example[1], encoding="utf-8")
        cluster.run("kubectl", "create", "namespace", name)
        policy = "pod-security.kubernetes.io/enforce=restricted"
        cluster.run("kubectl", "label", "namespace", name, policy)
        key = folder / "button-api-key.txt"
        key.write_text("sk-test", encoding="utf-8")
        self.kubectl("create", "secret", "generic", "button-api-key", f"--from-file=api-key={key}")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.run("kubectl", "--namespace", self.name, *arguments)

    def helm(self, command: str, *options: str) -> str:
        """Run a command of Helm on the release, with the README's values."""
        values = (str(CHART), "--values", str(self.values)) if command in {"install", "upgrade"} else ()
        return self.cluster.run("helm", command, _RELEASE, *values, "--namespace", self.name, *options)

    def items(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        return self.cluster.items(kind, "--namespace", self.name)

    def pods(self) -> dict[str, dict[str, Any]]:
        """Return the pods by name."""
        return {each["metadata"]["name"]: each for each in self.items("pods")}

    def wait_until_ready(self, count: int) -> None:
        """Wait until there are so many pods, all of them ready, and none besides."""

        def are_ready() -> bool:
            pods = self.pods().values()
            return len(pods) == count and all(_is_available(pod) for pod in pods)

        wait_until(are_ready, _SECONDS, awaiting=f"{count} ready pods", interval_seconds=0.3)

    @contextmanager
    def watched(self) -> Iterator[list[dict[str, Any]]]:
        """Give what happens to pods; the list is filled when the block ends."""
        seen: list[dict[str, Any]] = []
        with self.cluster.watching("pods", "--namespace", self.name) as read:
            yield seen
            seen += read()


def _is_available(pod: dict[str, Any]) -> bool:
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
    return ready and "deletionTimestamp" not in pod["metadata"]


def _fewest_available(events: list[dict[str, Any]], before: dict[str, dict[str, Any]]) -> int:
    """Return how many of the pods were available when the fewest were."""
    pods = {name: _is_available(pod) for name, pod in before.items()}
    fewest = sum(pods.values())
    for event in events:
        pod = event["object"]
        pods[pod["metadata"]["name"]] = event["type"] != "DELETED" and _is_available(pod)
        fewest = min(fewest, sum(pods.values()))
    return fewest


@pytest.fixture
def home(cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """Give a namespace of the test's own, and empty it afterwards."""
    name = f"orders-{abs(hash(request.node.name)) % 10**8}"
    home = Home(cluster, name, tmp_path)
    yield home
    cluster.attempt("helm", "uninstall", _RELEASE, "--namespace", name, "--ignore-not-found", "--wait")
    cluster.run("kubectl", "delete", "namespace", name, "--wait=false")


def test_the_readmes_example_gives_running_pods_and_goes_without_a_trace(home: Home) -> None:
    """What the README says to type gives two ready pods under the strictest policy, and uninstall takes all away."""
    said = home.helm("install", *_WAIT)
    assert "button_connector_orders_delivered_total" in said
    pods = home.pods()
    assert set(pods) == {"button-connector-0", "button-connector-1"}
    assert all(pod["status"]["phase"] == "Running" and _is_available(pod) for pod in pods.values())
    assert {claim["status"]["phase"] for claim in home.items("persistentvolumeclaims")} == {"Bound"}
    assert len({pod["spec"]["nodeName"] for pod in pods.values()}) == 2
    home.helm("uninstall", "--wait")
    wait_until(lambda: not home.pods() and not home.items("persistentvolumeclaims"), _SECONDS, interval_seconds=0.3)
    kinds = "statefulsets,services,configmaps,networkpolicies,poddisruptionbudgets,serviceaccounts"
    left = {each["metadata"]["name"] for each in home.items(kinds)}
    assert left == {"default", "kube-root-ca.crt"}


def test_a_changed_setting_rolls_pods_one_by_one_and_a_rollback_rolls_them_back(home: Home) -> None:
    """Of three pods two are always there, from the highest number to the lowest; volumes stay with their pods."""
    home.helm("install", "--set", "replicas=3", *_WAIT)
    before = home.pods()
    with home.watched() as events:
        home.helm("upgrade", "--set", "replicas=3,config.delivery.max_concurrency=32", *_WAIT)
    after = home.pods()
    assert {name: pod["metadata"]["uid"] for name, pod in before.items()}.keys() == after.keys()
    assert all(after[name]["metadata"]["uid"] != before[name]["metadata"]["uid"] for name in before)
    assert _fewest_available(events, before) == 2
    gone = [each["object"]["metadata"]["name"] for each in events if each["type"] == "DELETED"]
    assert gone == ["button-connector-2", "button-connector-1", "button-connector-0"]
    assert "max_concurrency: 32" in home.items("configmaps")[0]["data"]["connector.yaml"]
    home.helm("rollback", "1", *_WAIT)
    assert _checksums(home.pods()) == _checksums(before) != _checksums(after)


def _checksums(pods: dict[str, dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["annotations"]["checksum/config"] for pod in pods.values()}


def test_a_deployment_rolls_one_by_one_too(home: Home) -> None:
    """Of three pods two are always there, and there is never a fourth that takes no order away."""
    options = ("--set", "workload=Deployment,persistence.enabled=false,replicas=3")
    home.helm("install", *options, *_WAIT)
    before = home.pods()
    with home.watched() as events:
        home.helm("upgrade", *options, "--set", "config.log.level=debug", *_WAIT)
    wait_until(lambda: len(home.pods()) == 3, _SECONDS, interval_seconds=0.3)
    assert not before.keys() & home.pods().keys()
    assert _fewest_available(events, before) == 2


def test_scaling_keeps_the_volumes_of_pods_that_come_back(home: Home) -> None:
    """A pod that is scaled away and comes again finds its tables."""
    home.helm("install", "--set", "replicas=1", *_WAIT)
    home.helm("upgrade", "--set", "replicas=4", *_WAIT)
    home.wait_until_ready(4)
    volumes = _volumes(home)
    home.helm("upgrade", "--set", "replicas=2", *_WAIT)
    home.wait_until_ready(2)
    assert _volumes(home) == volumes
    home.helm("upgrade", "--set", "replicas=4", *_WAIT)
    home.wait_until_ready(4)
    assert _volumes(home) == volumes
    assert len(volumes) == 4


def _volumes(home: Home) -> dict[str, str]:
    claims = home.items("persistentvolumeclaims")
    return {each["metadata"]["name"]: each["spec"]["volumeName"] for each in claims}


def test_nodes_are_drained_one_pod_at_a_time(home: Home) -> None:
    """While one pod is away no other may be evicted; when it is back, the next may."""
    cluster = home.cluster
    home.helm("install", "--set", "replicas=3", *_WAIT)
    where = {name: pod["spec"]["nodeName"] for name, pod in home.pods().items()}
    assert sorted(where.values()) == sorted(NODES)
    drain = (
        "drain",
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--pod-selector",
        "app.kubernetes.io/name=button-connector",
    )
    try:
        cluster.run("kubectl", "cordon", *NODES)
        cluster.run("kubectl", *drain, where["button-connector-0"], "--timeout", f"{_SECONDS}s")
        refused = cluster.attempt("kubectl", *drain, where["button-connector-1"], "--timeout", "3s")
        assert refused.code != 0
        assert "would violate the pod's disruption budget" in refused.output
        cluster.run("kubectl", "uncordon", where["button-connector-0"])
        home.wait_until_ready(3)
        cluster.run("kubectl", *drain, where["button-connector-1"], "--timeout", f"{_SECONDS}s")
        home.wait_until_ready(3)
    finally:
        cluster.run("kubectl", "uncordon", *NODES)


def test_everything_at_once_is_taken_by_the_api_server(home: Home) -> None:
    """Every object that the chart can make is made, the topics' Job has run before, and KEDA would find its target."""
    full = str(CHART / "ci" / "full-values.yaml")
    home.helm("install", "--values", full, "--set", "persistence.storageClass=", *_WAIT)
    assert home.items("jobs") == []
    scaled = home.items("scaledobjects.keda.sh")[0]["spec"]["scaleTargetRef"]
    found = home.cluster.get(scaled["kind"], scaled["name"], "--namespace", home.name)
    assert found["status"]["readyReplicas"] == 1
    assert len(home.items("servicemonitors.monitoring.coreos.com")) == 1
    assert len(home.items("prometheusrules.monitoring.coreos.com")) == 1
    home.helm("upgrade", "--values", full, "--set", "persistence.storageClass=", *_WAIT)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("resources.limits.memory=lots", "quantities must match the regular expression"),
        ("persistence.size=lots", "quantities must match the regular expression"),
        ("podDisruptionBudget.maxUnavailable=-1", "must be greater than or equal to 0"),
        ("networkPolicy.kafkaPeers[0].ipBlock.cidr=nowhere", "must be a valid"),
        ("replicas=many", "/replicas"),
        ("terminationGracePeriodSeconds=30", "would be killed while it drains"),
    ],
)
def test_values_that_cannot_be_leave_no_pods(home: Home, wrong: str, said: str) -> None:
    """What neither the schema nor the templates can judge is refused by the API server, and nothing goes on running."""
    options = ("install", _RELEASE, str(CHART), "--values", str(home.values), "--namespace", home.name, "--set", wrong)
    done = home.cluster.attempt("helm", *options, "--atomic", "--timeout", "30s")
    assert done.code != 0
    assert said in done.output
    wait_until(lambda: home.pods() == {}, _SECONDS, interval_seconds=0.3)


def test_pods_that_are_not_restricted_are_refused(home: Home) -> None:
    """The namespace's policy is in force, so that passing it means something."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    create = ("create", "--namespace", home.name, "--filename", "-")
    refused = home.cluster.attempt("kubectl", *create, stdin=yaml.safe_dump(pod))
    assert 'violates PodSecurity "restricted' in refused.output
