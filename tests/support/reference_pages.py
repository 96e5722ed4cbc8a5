# SPDX-License-Identifier: Apache-2.0
"""The pages of the docs that are made from the code: metrics and log lines.

Owns their words and how they are put together; ``python -m tests.support.reference_pages`` writes them. Log lines are
found in two ways: what an observation becomes is seen by observing it, everything else is read from the source.
"""

from __future__ import annotations

import ast
import io
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

from connector.ops import table
from connector.ops.logs import open_log
from connector.ops.metrics import Metrics
from connector.ops.observer import OpsObserver
from tests.support.observations import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
METRICS_PAGE = ROOT / "docs" / "metrics.md"
LOGS_PAGE = ROOT / "docs" / "logs.md"

_MADE = "<!-- Made from the code by `make docs`; change it there. -->"
_OBSERVER = ROOT / "connector" / "ops" / "observer.py"
_LEVELS = ("debug", "info", "warning", "error")
_IN_EVERY_LINE = {"event", "level", "timestamp"}

# What the lines mean that no observation stands behind; those of observations are explained by its class.
MEANINGS = {
    "cannot start": "The start ends here: `key` names the setting, `message` says what is wrong and what to do.",
    "facts were under way; their records are read again": "The stop took so many with it.",
    "dead letters were under way; their records are read again": "The stop took so many with it.",
    "gave up": "The connector cannot go on and ends with status 1; `message` says why.",
    "no partition is ours": "The group has more members than partitions, perhaps; told once until that changes.",
    "started": "The cluster has answered, and the group is joined.",
    "starting all the same": "Something could not be found out, and a setting allows that.",
    "stopped": "All is closed.",
    "stopping": "Told to stop: nothing new is read, and what is under way finishes.",
    "waiting": "The cluster does not answer yet; the start goes on by itself when it does.",
}


class Line(NamedTuple):
    """One log line as the page lists it."""

    event: str
    level: str
    fields: tuple[str, ...]
    meaning: str


def metrics_page() -> str:
    """Return ``docs/metrics.md``."""
    rows = [f"| `{exposed_name(row)}` | {_kind(row)} | {_labels(row.labels)} | {_help(row)} |" for row in table.TABLE]
    labels = [f"| `{name}` | {says} |" for name, says in table.LABELS.items()]
    process = [f"| `{name}` | {kind} | {says} |" for name, kind, says in _process_metrics()]
    return _page(
        "# Metrics",
        "",
        _MADE,
        "",
        "Served at `/metrics` on `ops.port`, for Prometheus (text or OpenMetrics). Values of labels come from short "
        "fixed",
        "lists; none holds data of a customer. What needs somebody's attention: `dead_letters_total` grows, "
        "`admission_state`",
        "is not `running` for minutes, `lag_records` grows while `orders_delivered_total` does not.",
        "",
        "| metric | type | labels | says |",
        "|---|---|---|---|",
        *rows,
        "",
        "A histogram has `_bucket`, `_sum` and `_count`. Counters and histograms without labels are there from the "
        "start, the",
        "others once something was counted. `_created` beside a counter or a histogram says since when it counts.",
        "",
        "## Labels",
        "",
        "| label | says |",
        "|---|---|",
        *labels,
        "",
        "## Of the process",
        "",
        "| metric | type | says |",
        "|---|---|---|",
        *process,
    )


def exposed_name(row: table.Metric) -> str:
    """Return the name by which a query finds the metric."""
    return f"{row.name}_total" if isinstance(row, table.Counter) else row.name


def _kind(row: table.Metric) -> str:
    match row:
        case table.Counter():
            return "counter"
        case table.Histogram():
            return "histogram"
        case _:
            return "gauge"


def _labels(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _help(row: table.Metric) -> str:
    if not isinstance(row, table.Histogram):
        return row.help
    return f"{row.help} Buckets: {', '.join(f'{bound:g}' for bound in row.buckets)}."


def _process_metrics() -> list[tuple[str, str, str]]:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return [
        (f"{family.name}_total" if family.type == "counter" else family.name, family.type, family.documentation)
        for family in registry.collect()
    ]


def logs_page() -> str:
    """Return ``docs/logs.md``."""
    rows = [
        f"| `{line.event}` | {line.level} | {_labels(line.fields)} | {line.meaning} |"
        for line in sorted(log_lines(), key=lambda line: (line.event, _LEVELS.index(line.level)))
    ]
    return _page(
        "# Log lines",
        "",
        _MADE,
        "",
        "The log goes to standard error: JSON, one object a line, or text on a terminal (`log.format`). Every line has",
        "`timestamp` (UTC), `level` and `event`, the words below; they are stable, so alerts may rest on them. "
        "`log.level: debug`",
        "adds a line for every event; what can happen for every order is otherwise written at most once a second for "
        "each reason,",
        "and `like_lines_left_out` says how many were not. A dead letter is always written.",
        "",
        "No line holds the API key, a password, an e-mail address or a customer's id; what looks like one is written "
        "as `***`.",
        "Records are named by `topic`, `partition` and `offset`.",
        "",
        "| event | level | fields | says |",
        "|---|---|---|---|",
        *rows,
        "",
        "Lines of libraries have a field `logger` with the library's name; they are written from `warning` on, at "
        "`debug` from",
        "`info` on.",
    )


def log_lines() -> list[Line]:
    """Return every line that the connector can write."""
    return [*_lines_of_observations(), *_lines_in_the_source()]


def _lines_of_observations() -> Iterator[Line]:
    for observation, _, _ in EXAMPLES:
        stream = io.StringIO()
        OpsObserver(Metrics(CollectorRegistry(), ""), open_log(stream, "debug", "json"))(observation)
        (said,) = map(json.loads, stream.getvalue().splitlines())
        fields = tuple(name for name in said if name not in _IN_EVERY_LINE)
        meaning = " ".join((type(observation).__doc__ or "").replace("``", "`").split())
        yield Line(said["event"], said["level"], fields, meaning)


def _lines_in_the_source() -> Iterator[Line]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in sorted((ROOT / "connector").rglob("*.py")):
        if file != _OBSERVER:
            for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    for event, level, fields in _log_calls(function):
                        found[event, level] += [name for name in fields if name not in found[event, level]]
    for (event, level), fields in found.items():
        yield Line(event, level, tuple(fields), MEANINGS[event])


def _log_calls(function: ast.AST) -> Iterator[tuple[str, str, list[str]]]:
    texts: dict[str, list[str]] = defaultdict(list)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts[node.targets[0].id] += _texts(node.value)
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_log(node.func):
            first = node.args[0]
            fields = [keyword.arg for keyword in node.keywords if keyword.arg]
            events = texts[first.id] if isinstance(first, ast.Name) else _texts(first)
            assert events, f"the words of a log line must stand in its function: line {node.lineno}"
            for event in events:
                yield event, node.func.attr, fields


def _is_log(function: ast.Attribute) -> bool:
    owner = function.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return name in {"log", "_log"} and function.attr in _LEVELS


def _texts(expression: ast.expr) -> list[str]:
    """Return the texts that an expression may be: a literal, or a choice between literals."""
    if isinstance(expression, ast.IfExp):
        return _texts(expression.body) + _texts(expression.orelse)
    return [expression.value] if isinstance(expression, ast.Constant) and isinstance(expression.value, str) else []


def _page(*lines: str) -> str:
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    METRICS_PAGE.write_text(metrics_page(), encoding="utf-8")
    LOGS_PAGE.write_text(logs_page(), encoding="utf-8")
