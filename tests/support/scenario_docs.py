# SPDX-License-Identifier: Apache-2.0
"""The failure scenarios: what the tests say of them, and the table of ``docs/failure-scenarios.md``.

Owns the form of ``scenarios.yaml`` beside this file, how a test cites a scenario (``[7]`` or ``[7, 12]`` in its
docstring), and which tests there are. ``python -m tests.support.scenario_docs`` writes the table anew.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "failure-scenarios.md"
COUNT = 68
KINDS = {"L": "loss", "D": "duplicate", "O": "order violated", "S": "stuck", "M": "memory", "C": "crash"}

_CITATION = re.compile(r"\[([0-9]{1,3}(?:, [0-9]{1,3})*)\]")
_BETWEEN = re.compile(r"(<!-- begin scenarios -->\n).*?(<!-- end scenarios -->)", re.DOTALL)


class Scenario(NamedTuple):
    """A row: ``tests`` are node ids without parameters, the first the one that was red when ``broken`` was so."""

    number: int
    kind: str
    what: str
    seen: tuple[str, ...]
    tests: tuple[str, ...]
    broken: str = ""
    reason: str = ""


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Return the rows as they are written."""
    rows = yaml.safe_load((Path(__file__).parent / "scenarios.yaml").read_text(encoding="utf-8"))
    return tuple(Scenario(**{**row, "seen": tuple(row["seen"]), "tests": tuple(row["tests"])}) for row in rows)


@cache
def citations() -> dict[str, frozenset[int]]:
    """Return the node id of every test function there is, and the scenarios that its docstring cites."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found[f"{name}::{node.name}"] = cited(ast.get_docstring(node) or "")
    return found


def cited(text: str) -> frozenset[int]:
    """Return the numbers that a docstring cites."""
    return frozenset(int(number) for group in _CITATION.findall(text) for number in group.split(", "))


def table() -> list[str]:
    """Return the lines of the table."""
    heads = "| # | kind | what goes wrong | the tests that hold it off | what was broken to see the first of them red |"
    return [heads, "|---|---|---|---|---|", *map(_row, scenarios())]


def written(page: str) -> list[str]:
    """Return the lines that the page has between its markers."""
    between = re.search(r"<!-- begin scenarios -->\n(.*?)<!-- end scenarios -->", page, re.DOTALL)
    return between[1].splitlines() if between else []


def _row(scenario: Scenario) -> str:
    seen = ", ".join(f"[{_label(url)}]({url})" for url in scenario.seen)
    what = f"{scenario.what} ({seen})" if seen else scenario.what
    tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in scenario.tests)
    why = ". ".join(filter(None, (scenario.reason.rstrip("."), _capital(scenario.broken))))
    kinds = ", ".join(KINDS[kind] for kind in scenario.kind)
    return f"| {scenario.number} | {kinds} | {what} | {tests} | {why} |".replace("\n", " ")


def _label(url: str) -> str:
    """Return the project's name and the number of a thread, or a ticket's key."""
    *_, project, _, number = url.split("/")
    return number if "-" in number else f"{project} {number}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def main() -> None:
    """Write the table into the page."""
    lines = "\n".join(table())
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_BETWEEN.sub(lambda match: f"{match[1]}{lines}\n{match[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
