# SPDX-License-Identifier: Apache-2.0
"""What makes a green run mean something: nothing was left out unnoticed.

Owns two rules. With ``CI=true`` a test that was skipped, or that was expected to fail, fails the run. A run of the
whole suite must hold at least as many tests as the floor says, so that tests cannot vanish.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

# Raise it when tests are added; lower it only together with the tests that are taken away on purpose.
FEWEST_TESTS = 4_100

_NARROWING_OPTIONS = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly")


class StrictRun:
    """A pytest plugin that turns a run red for what it left out."""

    def __init__(self, config: pytest.Config, *, fewest_tests: int = FEWEST_TESTS) -> None:
        """Note what kind of run this is."""
        self._is_ci = os.environ.get("CI", "").lower() in {"1", "true"}
        self._is_whole = _is_whole_suite(config)
        self._fewest_tests = fewest_tests
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
            complaints.append(
                f"the whole suite must hold at least {self._fewest_tests} tests, but held {len(self._seen)}",
            )
        return complaints


def _is_whole_suite(config: pytest.Config) -> bool:
    """Tell whether no argument or option narrows the run."""
    narrowed = any(config.getoption(name, default=None) for name in _NARROWING_OPTIONS)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not narrowed


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
