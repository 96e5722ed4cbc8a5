# SPDX-License-Identifier: Apache-2.0
"""What makes a green run mean something: nothing was left out unnoticed.

Owns two rules. With ``CI=true`` a test that was skipped, or that was expected to fail, fails the run. A run of the
whole suite, or of one of its two parts, must hold at least as many tests as the floor says, so that tests cannot
vanish. And what the parts are: the quick tests, which need a processor and nothing else, and those of whole systems.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

# Raise it when tests are added; lower it only together with the tests that are taken away on purpose.
QUICK, SYSTEMS = "quick", "systems"
FEWEST_TESTS = {QUICK: 2_880, SYSTEMS: 1_300, None: 4_180}
_QUICK_TESTS = frozenset(("unit", "property", "simulation"))
_OF_SYSTEMS = ("kafka", "e2e")

_NARROWING_OPTIONS = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly")


class StrictRun:
    """A pytest plugin that turns a run red for what it left out."""

    def __init__(self, config: pytest.Config, *, fewest_tests: int | None = None) -> None:
        """Note what kind of run this is."""
        self._part = config.getoption("part", default=None)
        self._is_ci = os.environ.get("CI", "").lower() in {"1", "true"}
        self._is_whole = _is_whole_suite(config)
        self._fewest_tests = FEWEST_TESTS[self._part] if fewest_tests is None else fewest_tests
        self._seen: set[str] = set()
        self._left_out: list[str] = []
        self._complaints: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note each test, and those that did not prove anything."""
        self._seen.add(report.nodeid)
        if hasattr(report, "wasxfail"):
            self._left_out.append(f"expected to fail: {report.nodeid}: {report.wasxfail}")
        elif report.skipped:
            self._left_out.append(f"skipped: {report.nodeid}: {_reason(report)}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note modules that skipped themselves."""
        if report.skipped:
            self._left_out.append(f"skipped: {report.nodeid}: {_reason(report)}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Turn a green run red that left something out."""
        self._complaints = self._judge()
        if self._complaints and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say why the run is red."""
        for complaint in self._complaints:
            terminalreporter.write_line(complaint, red=True)

    def _judge(self) -> list[str]:
        complaints = []
        if self._is_ci and self._left_out:
            complaints += ["CI=true: nothing may be left out, but this was:", *(f"  {one}" for one in self._left_out)]
        if self._is_whole and len(self._seen) < self._fewest_tests:
            what = "the whole suite" if self._part is None else f"the part {self._part!r}"
            complaints.append(f"{what} must hold at least {self._fewest_tests} tests, but held {len(self._seen)}")
        return complaints


def part_of(item: pytest.Item) -> str:
    """Return to which part a test belongs."""
    directory = item.path.relative_to(item.config.rootpath / "tests").parts[0]
    is_quick = directory in _QUICK_TESTS and not any(map(item.get_closest_marker, _OF_SYSTEMS))
    return QUICK if is_quick else SYSTEMS


def _is_whole_suite(config: pytest.Config) -> bool:
    """Tell whether no argument or option narrows the run."""
    narrowed = any(config.getoption(name, default=None) for name in _NARROWING_OPTIONS)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not narrowed


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
