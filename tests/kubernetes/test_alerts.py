# SPDX-License-Identifier: Apache-2.0
"""Alerts fire when they should, and everything that dashboards, alerts and the autoscaler ask for exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector

from connector.ops import table
from connector.ops.metrics import Metrics
from connector.ops.observer import OpsObserver
from tests.support.helm_values import CHART, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kubernetes.conftest import Helm

_VALUES = ("--values", str(CHART / "ci" / "minimal-values.yaml"))
_SCALED = "autoscaling.enabled=true,autoscaling.prometheusAddress=http://prometheus:9090"
_NAME = re.compile(r"\b((?:button_connector|process)_[a-z_]+)(\{[^}]*\})?")
_ADDED_BY_PROMETHEUS = {"namespace", "job", "pod", "instance", "le"}


def _exposed() -> dict[str, set[str]]:
    """Return the series that the table of metrics comes to, each with its labels."""
    series: dict[str, set[str]] = {}
    for row in table.TABLE:
        labels = set(row.labels)
        names = [row.name]
        if isinstance(row, table.Counter):
            names = [f"{row.name}_total"]
        if isinstance(row, table.Histogram):
            names = [f"{row.name}{suffix}" for suffix in ("_bucket", "_sum", "_count")]
        series |= dict.fromkeys(names, labels)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return series | {sample.name: set() for metric in registry.collect() for sample in metric.samples}


def _dashboard_queries() -> Iterator[str]:
    for path in (CHART / "dashboards").glob("*.json"):
        board = json.loads(path.read_text(encoding="utf-8"))
        yield from (target["expr"] for panel in board["panels"] for target in panel.get("targets", ()))
        yield from (each["query"]["query"] for each in board["templating"]["list"] if isinstance(each["query"], dict))


def _rules(helm: Helm, *values: str) -> dict[str, Any]:
    given = ",".join(("prometheusRule.enabled=true", *values))
    rendered = helm.objects(*_VALUES, "--set", given)["PrometheusRule"]["spec"]
    return dict(rendered)


def _all_queries(helm: Helm) -> list[str]:
    rules = [rule["expr"] for group in _rules(helm)["groups"] for rule in group["rules"]]
    scaled = helm.objects(*_VALUES, "--set", _SCALED)["ScaledObject"]["spec"]["triggers"]
    return [*_dashboard_queries(), *rules, *(each["metadata"]["query"] for each in scaled)]


def test_every_metric_and_label_that_is_asked_for_is_exposed(helm: Helm) -> None:
    """A panel, an alert or the autoscaler that asks for what is not there would stay silent for ever."""
    exposed = _exposed()
    queries = _all_queries(helm)
    assert len(queries) > 40
    for query in queries:
        for name, selector in _NAME.findall(query):
            assert name in exposed, query
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
            assert labels <= exposed[name] | _ADDED_BY_PROMETHEUS, query


def test_every_value_of_a_label_that_is_asked_for_can_be(helm: Helm) -> None:
    """States, sources and reasons in the queries are those that the connector has."""
    text = " ".join(_all_queries(helm))
    assert set(re.findall(r'state="(\w+)"', text)) <= {"running", "probing", "halted"}
    assert set(re.findall(r'source=~"([\w|]+)"', text)) == {"none|only_newer"}
    source = (Path(table.__file__).parents[1] / "domain" / "amounts.py").read_text(encoding="utf-8")
    assert all(f'"{reason}"' in source for reason in re.findall(r'reason="(\w+)"', text))


def test_the_state_of_sending_is_exposed_from_the_start() -> None:
    """The autoscaler's queries may rely on it: a pod that sends freely says so."""
    registry = CollectorRegistry()
    from connector.ops.logs import open_log  # noqa: PLC0415  only here

    with open("/dev/null", "w", encoding="utf-8") as nowhere:  # noqa: PTH123  a stream
        OpsObserver(Metrics(registry, "0"), open_log(nowhere, "error", "json"))
    assert registry.get_sample_value("button_connector_admission_state", {"state": "running"}) == 1


@pytest.mark.timeout(300)
def test_alerts_fire_on_what_they_are_for_and_on_nothing_else(promtool: Path, helm: Helm, tmp_path: Path) -> None:
    """Each alert has a history that fires it, and the histories that only look like one do not."""
    rules, cases = tmp_path / "rules.yaml", tmp_path / "alerts_test.yaml"
    rules.write_text(yaml.safe_dump(_rules(helm)), encoding="utf-8")
    shutil.copy(Path(__file__).with_name(cases.name), cases)
    for command in (("check", "rules", "--lint-fatal", rules), ("test", "rules", cases)):
        said = [str(part) for part in (promtool, *command)]
        done = subprocess.run(said, capture_output=True, text=True, check=False, timeout=280)  # noqa: S603  our own tool
        assert done.returncode == 0, done.stdout + done.stderr
    fired = {
        each["alertname"]
        for case in yaml.safe_load(cases.read_text(encoding="utf-8"))["tests"]
        for each in case["alert_rule_test"]
        if each["exp_alerts"]
    }
    assert fired == {rule["alert"] for group in _rules(helm)["groups"] for rule in group["rules"]}


def test_every_alert_is_explained_and_no_other(helm: Helm) -> None:
    """Whoever is woken finds what the alert means and what to do, with its severity, behind the alert's own link."""
    page = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    explained = {
        name: said.lower() for name, said in re.findall(r"^### (ButtonConnector\w+)\n\n(\w+)\.", page, re.MULTILINE)
    }
    rules = [rule for group in _rules(helm)["groups"] for rule in group["rules"]]
    assert explained == {rule["alert"]: rule["labels"]["severity"] for rule in rules}
    links = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules}
    assert links == {name: f"docs/runbook.md#{name.lower()}" for name in explained}
    told = _rules(helm, "prometheusRule.runbookUrl=https://wiki.example/runbook")["groups"][0]["rules"][0]
    assert told["annotations"]["runbook_url"].startswith("https://wiki.example/runbook#buttonconnector")


_SELECTOR = 'namespace="orders",job="button-connector"'


@pytest.mark.parametrize(
    ("trigger", "series", "expected"),
    [
        ("unfinished-age", {"age 0": 300, "age 1": 90, "age 2": 0}, 90),
        ("unfinished-age", {"age 0": 86400, "age 1": 1, "age 2": 1}, 1),
        ("unfinished-age", {}, 60),
        ("unfinished-records", {"unfinished_records": 900}, 900),
        ("lag", {"lag_records": 6000}, 6000),
        ("lag", {"lag_records": 600000, "halted": 1}, 10000),
        ("lag", {"lag_records": 600000, "probing": 1}, 10000),
        ("unfinished-records", {"unfinished_records": 900, "halted": 1}, 2000),
        ("unfinished-age", {"age 0": 300, "halted": 1}, 60),
        ("lag", {}, 10000),
    ],
)
def test_more_pods_are_asked_for_only_while_sending_is_free(  # noqa: PLR0913, PLR0917  a table and three tools
    promtool: Path,
    helm: Helm,
    tmp_path: Path,
    trigger: str,
    series: dict[str, int | str],
    expected: int,
) -> None:
    """The autoscaler sees the load; while a pod is halted or probing it sees what keeps the number of pods."""
    triggers = helm.objects(*_VALUES, "--set", _SCALED)["ScaledObject"]["spec"]["triggers"]
    query = next(each["metadata"]["query"] for each in triggers if each["name"] == trigger)
    given = {"build_info": 1, **series}
    inputs = [
        {"series": _series(name), "values": f"{of}x10" if isinstance(of, int) else of} for name, of in given.items()
    ]
    expectation = {"expr": query, "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": expected}]}
    case = {"interval": "1m", "input_series": inputs, "promql_expr_test": [expectation]}
    (tmp_path / "case.yaml").write_text(yaml.safe_dump({"tests": [case]}), encoding="utf-8")
    said = [str(promtool), "test", "rules", str(tmp_path / "case.yaml")]
    done = subprocess.run(said, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603  our own tool
    assert done.returncode == 0, done.stdout + done.stderr


def _series(name: str) -> str:
    if name in {"halted", "probing"}:
        return f'button_connector_admission_state{{{_SELECTOR},state="{name}"}}'
    metric, _, partition = name.partition(" ")
    if partition:
        return f'button_connector_oldest_unfinished_age_seconds{{{_SELECTOR},topic="t",partition="{partition}"}}'
    return f"button_connector_{metric}{{{_SELECTOR}}}"
