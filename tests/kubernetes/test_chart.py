# SPDX-License-Identifier: Apache-2.0
"""The chart renders what Kubernetes takes and a scanner lets pass, and refuses what cannot be."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml

from connector.settings.load import load
from tests.kubernetes.conftest import CASES, NAMESPACE
from tests.support.helm_examples import EXAMPLES, example
from tests.support.helm_values import CHART
from tests.support.kube_schemas import VERSIONS, write_schemas

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubernetes.conftest import Helm

# What the scanner would have otherwise, and why not: by check and kind.
_BY_DESIGN = {
    ("CKV_K8S_11", "StatefulSet"): "no limit of CPU: a throttled pod makes its orders wait",
    ("CKV_K8S_11", "Deployment"): "the same",
    ("CKV_K8S_11", "Job"): "the same",
    ("CKV_K8S_15", "StatefulSet"): "tags do not move, and a digest cannot: nothing new would be pulled",
    ("CKV_K8S_15", "Deployment"): "the same",
    ("CKV_K8S_43", "StatefulSet"): "image.digest is there for it; a chart cannot know the digest in one's own registry",
    ("CKV_K8S_43", "Deployment"): "the same",
    ("CKV_K8S_35", "StatefulSet"): "a proxy's address with its password, by reference to a Secret: it has no file",
}


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    said = [str(part) for part in command]
    return subprocess.run(said, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603  our own tools


def _kinds(rendered: str) -> list[str]:
    return [each["kind"] for each in yaml.safe_load_all(rendered) if each is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_helm_finds_nothing_wrong_with_the_chart(tools: Path, case: Path) -> None:
    """The chart passes Helm's own lint, strictly, with each of its example values."""
    done = _run(tools / "helm", "lint", "--strict", "--kube-version", "1.33.0", CHART, "--values", case)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(
    tools: Path,
    python_tools: Path,
    helm: Helm,
    version: str,
    tmp_path: Path,
) -> None:
    """Everything that is rendered is valid, without an unknown field, for each version of Kubernetes."""
    assert python_tools.is_dir()
    found = write_schemas(version, tmp_path)
    for case in CASES:
        rendered = helm.render("--values", str(case), kubernetes=f"{version}.0")
        (tmp_path / "rendered.yaml").write_text(rendered, encoding="utf-8")
        options = ("-strict", "-output", "json", "-summary", "-kubernetes-version", f"{version}.0", *found)
        done = _run(tools / "kubeconform", *options, tmp_path / "rendered.yaml")
        assert done.returncode == 0, f"{case.name}: {done.stdout}"
        # A file that holds nothing would be valid, too.
        assert json.loads(done.stdout)["summary"]["valid"] == len(_kinds(rendered)) > 3


def test_every_template_has_a_suite_that_passes(tools: Path) -> None:
    """What each template is for is said and tested beside it, and so is every contradiction."""
    done = _run(tools / "helm-unittest", "--strict", CHART)
    assert done.returncode == 0, done.stdout
    suites = {path.name.removesuffix("_test.yaml") for path in (CHART / "tests").glob("*_test.yaml")}
    templates = {path.stem.lower() for path in (CHART / "templates").iterdir() if not path.name.startswith("_")}
    assert templates <= suites


def test_every_contradiction_has_a_case_that_fails() -> None:
    """No sentence of refusal is there that no test has seen."""
    refusals = (CHART / "templates" / "_checks.tpl").read_text(encoding="utf-8").count("{{- fail ")
    cases = (CHART / "tests" / "failures_test.yaml").read_text(encoding="utf-8").count("failedTemplate")
    assert refusals == cases


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("config.delivery.concurency=64", "additional properties 'concurency' not allowed"),
        ("config.button.api_key=sk-1", "additional properties 'api_key' not allowed"),
        ("config.delivery.max_concurrency=0", "minimum: got 0, want 1"),
        ("replicaCount=3", "additional properties 'replicaCount' not allowed"),
        ("workload=DaemonSet", "value must be one of 'StatefulSet', 'Deployment'"),
        ("persistence.enabled=perhaps", "got string, want boolean"),
        ("image.digest=sha256:short", "does not match pattern"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(helm: Helm, wrong: str, said: str) -> None:
    """A wrong value never gets as far as a template, and the message says where it is."""
    done = helm.attempt("--values", str(CHART / "ci" / "minimal-values.yaml"), "--set", wrong)
    assert done.returncode != 0
    assert said in done.stderr
    assert "/" + wrong.partition("=")[0].rpartition(".")[0].replace(".", "/") in done.stderr.replace("at ''", "at '/'")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_connector_takes_the_settings_that_are_rendered(helm: Helm, case: Path, tmp_path: Path) -> None:
    """The file in the ConfigMap is a settings file without fault, once its secrets are there."""
    text = helm.objects("--values", str(case), "--show-only", "templates/configmap.yaml")["ConfigMap"]["data"]
    file = tmp_path / "connector.yaml"
    local = text["connector.yaml"]
    for mounted in ("/run/secrets", "/mnt/secrets", "/var/lib/button-connector"):
        local = local.replace(mounted, f"{tmp_path}{mounted}")
    file.write_text(local, encoding="utf-8")
    secrets = ("run/secrets/button/api-key", "mnt/secrets/button-api-key", "run/secrets/kafka/password")
    for name in (*secrets, "run/secrets/kafka/ca.crt", "run/secrets/schema-registry/password"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("secret", encoding="utf-8")
    trustme.CA().cert_pem.write_to_path(tmp_path / "run/secrets/kafka/ca.crt")
    settings = load(file, {})
    assert settings.tables.directory == tmp_path / "var/lib/button-connector"
    assert settings.button.api_key_file is not None


def test_static_members_are_named_by_a_variable_that_the_connector_takes(helm: Helm, tmp_path: Path) -> None:
    """The variable of a static member's name becomes the setting."""
    pod = helm.objects("--values", str(CHART / "ci" / "full-values.yaml"))["StatefulSet"]["spec"]["template"]["spec"]
    names = [each["name"] for each in pod["containers"][0]["env"] if "valueFrom" in each]
    (tmp_path / "connector.yaml").write_text(
        "kafka: {bootstrap_servers: 'a:1'}\nbutton: {api_key: x}\n",
        encoding="utf-8",
    )
    settings = load(tmp_path / "connector.yaml", {names[0]: "button-connector-0"})
    assert settings.kafka.group_instance_id == "button-connector-0"


def test_a_change_of_the_settings_rolls_the_pods_and_nothing_else_does(helm: Helm) -> None:
    """Pods are replaced when the file that they read is another one."""

    def pods(*options: str) -> Any:  # noqa: ANN401  any YAML
        rendered = helm.objects("--values", str(CHART / "ci" / "minimal-values.yaml"), *options)
        return rendered["StatefulSet"]["spec"]["template"]

    assert pods() == pods("--set", "podDisruptionBudget.maxUnavailable=2,networkPolicy.kafkaPorts={9095}")
    assert pods() != pods("--set", "config.delivery.max_concurrency=65")


def test_a_scanner_finds_nothing_but_what_is_meant(python_tools: Path, helm: Helm, tmp_path: Path) -> None:
    """Every finding of the security scan is mended, or stands in the list with its reason; no reason is left over."""
    for case in CASES:
        (tmp_path / f"{case.stem}.yaml").write_text(helm.render("--values", str(case)), encoding="utf-8")
    options = ("--skip-download", "--framework", "kubernetes", "--output", "json", "--directory", tmp_path)
    done = _run(python_tools / "bin" / "python", python_tools / "bin" / "checkov", *options)
    results = json.loads(done.stdout)["results"]
    found = {(each["check_id"], each["resource"].partition(".")[0]) for each in results["failed_checks"]}
    assert found - _BY_DESIGN.keys() == set()
    assert _BY_DESIGN.keys() - found == set()
    assert len(results["passed_checks"]) > 300
    assert f"StatefulSet.{NAMESPACE}.button-connector" in {each["resource"] for each in results["passed_checks"]}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_rendered_examples_are_current(tools: Path, name: str) -> None:
    """What is shown is what the chart renders (make chart)."""
    assert (EXAMPLES[name].rendered).read_text(encoding="utf-8") == example(tools / "helm", name)
