# SPDX-License-Identifier: Apache-2.0
"""A run that left something out is red."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_CONFTEST = """
from tests.support.strict_run import StrictRun

def pytest_configure(config):
    config.pluginmanager.register(StrictRun(config, fewest_tests=2))
"""
_TWO_TESTS = "def test_one(): pass\ndef test_two(): pass\n"
_LEFT_OUT = {
    "skip": "import pytest\n@pytest.mark.skip(reason='no engine')\ndef test_three(): pass\n",
    "skip inside": "import pytest\ndef test_three(): pytest.skip('no engine')\n",
    "module": "import pytest\npytest.skip('no engine', allow_module_level=True)\n",
    "xfail": "import pytest\n@pytest.mark.xfail(reason='no engine')\ndef test_three(): assert False\n",
    "xfail inside": "import pytest\ndef test_three(): pytest.xfail('no engine')\n",
    "xpass": "import pytest\n@pytest.mark.xfail(reason='no engine', strict=False)\ndef test_three(): pass\n",
    "skip in a fixture": (
        "import pytest\n@pytest.fixture\ndef engine(): pytest.skip('no engine')\ndef test_three(engine): pass\n"
    ),
}


@pytest.mark.parametrize("source", _LEFT_OUT.values(), ids=_LEFT_OUT)
def test_in_ci_a_run_that_left_a_test_out_is_red_and_says_which(tmp_path: Path, source: str) -> None:
    """With CI=true each way to leave a test out fails the run, with the test and the reason in a line."""
    _write_suite(tmp_path, _TWO_TESTS)
    (tmp_path / "tests" / "test_third.py").write_text(source)
    run = _run(tmp_path, CI="true")
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "nothing may be left out" in run.stdout
    said = run.stdout.split("nothing may be left out", 1)[1]
    assert "test_third.py" in said
    assert "no engine" in said


def test_elsewhere_a_run_may_leave_tests_out(tmp_path: Path) -> None:
    """Without CI=true a skipped test leaves the run green."""
    _write_suite(tmp_path, _TWO_TESTS + _LEFT_OUT["skip"])
    assert _run(tmp_path).returncode == pytest.ExitCode.OK


def test_in_ci_a_complete_run_is_green(tmp_path: Path) -> None:
    """With CI=true a run that left nothing out stays green."""
    _write_suite(tmp_path, _TWO_TESTS)
    assert _run(tmp_path, CI="true").returncode == pytest.ExitCode.OK


def test_a_whole_run_below_the_floor_is_red(tmp_path: Path) -> None:
    """A suite that lost tests fails, although all that are left pass."""
    _write_suite(tmp_path, "def test_one(): pass\n")
    run = _run(tmp_path)
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "must hold at least 2 tests, but held 1" in run.stdout


@pytest.mark.parametrize("narrowing", [["tests/test_suite.py"], ["-k", "one"], ["-m", "not kafka"], ["--collect-only"]])
def test_the_floor_is_not_asked_of_a_part(tmp_path: Path, narrowing: list[str]) -> None:
    """A run that was narrowed on purpose may hold fewer tests."""
    _write_suite(tmp_path, "def test_one(): pass\n")
    assert _run(tmp_path, *narrowing).returncode == pytest.ExitCode.OK


def test_the_rules_hold_across_several_workers(tmp_path: Path) -> None:
    """Spread over processes, the controller judges what all of them did."""
    _write_suite(tmp_path, _TWO_TESTS + _LEFT_OUT["skip"])
    assert _run(tmp_path, "-p", "xdist", "-n", "2").returncode == pytest.ExitCode.OK
    assert _run(tmp_path, "-p", "xdist", "-n", "2", CI="true").returncode == pytest.ExitCode.TESTS_FAILED


def _write_suite(folder: Path, source: str) -> None:
    (folder / "tests").mkdir()
    (folder / "tests" / "test_suite.py").write_text(source)
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\nmarkers = kafka\n")


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    return subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(_ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
