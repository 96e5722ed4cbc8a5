# SPDX-License-Identifier: Apache-2.0
"""What import contracts cannot see: built-ins and class methods by which a pure module would reach outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PURE = sorted((_ROOT / "connector" / "domain").rglob("*.py"))
_TIMELESS = sorted((_ROOT / "connector" / "engine").rglob("*.py"))

_IMPURE_BUILTINS = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}
_CLOCKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
}  # fmt: skip


@pytest.mark.parametrize("path", _PURE + _TIMELESS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_core_reaches_for_nothing_outside(path: Path) -> None:
    """The domain and the engine open no file, read no clock and draw from no generator of the process."""
    assert _impurities(path.read_text()) == []


def test_the_core_was_found() -> None:
    """The rule above is about files that are there."""
    assert _PURE
    assert _TIMELESS


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open('x')", "open"),
        ("with open('x') as file: pass", "open"),
        ("print(1)", "print"),
        ("import datetime\ndatetime.datetime.now()", "datetime.now"),
        ("from datetime import datetime\ndatetime.now(tz=UTC)", "datetime.now"),
        ("from datetime import datetime as moment\nmoment.now()", "datetime.now"),
        ("from datetime import date\ndate.today()", "date.today"),
        ("import time\ntime.time()", "time.time"),
        ("import time as clock\nclock.monotonic()", "time.monotonic"),
        ("from time import time\nnow = time", "time.time"),
        ("default = dict(factory=datetime.now)", "datetime.now"),
        ("import random\nrandom.random()", "random.random"),
        ("from random import choice", "random.choice"),
        ("import random\nrandom.seed(1)", "random.seed"),
    ],
)
def test_each_way_outside_is_caught(source: str, found: str) -> None:
    """The search finds what it is for, under whatever name it was imported."""
    assert found in [name for _, name in _impurities(source)]


def test_a_generator_that_was_handed_in_is_allowed() -> None:
    """A seeded generator is an argument, and its type may be named."""
    source = "from random import Random\ndef draw(random: Random) -> float: return random.uniform(0, 1)"
    assert _impurities(source) == []


def test_the_import_contracts_hold() -> None:
    """Who may import whom is kept, in every module."""
    linter = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(linter, cwd=_ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own tool
    assert done.returncode == 0, done.stdout + done.stderr


def _impurities(source: str) -> list[tuple[int, str]]:
    """Return the line and the name of everything in the source that reaches outside."""
    tree = ast.parse(source)
    imported = _imported_names(tree)
    named = [(getattr(node, "lineno", 0), name) for node in ast.walk(tree) for name in _names(node, imported)]
    return [(line, name) for line, name in named if _reaches_outside(name)]


def _imported_names(tree: ast.AST) -> dict[str, str]:
    """Map each name that an import binds to what it means: the module, or ``module.member``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _names(node: ast.AST, imported: dict[str, str]) -> list[str]:
    """Return what a node refers to, as ``builtin`` or ``owner.member`` with the owner's real name."""
    match node:
        case ast.ImportFrom(module=str(module)):
            return [f"{module}.{alias.name}" for alias in node.names]
        case ast.Name(id=name, ctx=ast.Load()):
            return [imported.get(name, name)]
        case ast.Attribute(value=ast.Name(id=owner), attr=member):
            real = imported.get(owner, owner if owner in {"datetime", "date"} else "")
            return [f"{real.rsplit('.', 1)[-1]}.{member}"]
        case ast.Attribute(value=ast.Attribute(attr=owner), attr=member):
            return [f"{owner}.{member}"]
        case _:
            return []


def _reaches_outside(name: str) -> bool:
    draws_from_the_process = name.startswith("random.") and name != "random.Random"
    return name in _IMPURE_BUILTINS or name in _CLOCKS or draws_from_the_process
