# SPDX-License-Identifier: Apache-2.0
"""The demo as a user starts it: what it says, how it ends, what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.polling import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

_FEW = ("--orders", "12")
_PROCESSES = 3
"""Kafka, sandbox, connector; each has a guard beside it."""


def _play(folder: Path, *options: str, **variables: str) -> tuple[int, str, str]:
    """Run the demo to its end; return its exit status, standard output and standard error."""
    command = [sys.executable, "-m", "connector", "demo", *options]
    environment = {**os.environ, "TMPDIR": str(folder), **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, env=environment)  # noqa: S603  our own command
    return done.returncode, done.stdout, done.stderr


@contextmanager
def _playing(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """Run the demo until its connector serves; give it and all processes that it started."""
    command = [sys.executable, "-m", "connector", "demo"]
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    output = folder / "output"
    # Whoever started these tests in the background may have had them ignore Ctrl-C, and a child would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with output.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as process:  # noqa: S603  our own command
        try:
            wait_until(
                lambda: "reported" in output.read_text() or process.poll() is not None,
                60,
                awaiting="the first order of the demo",
            )
            assert process.poll() is None, output.read_text()
            yield process, psutil.Process(process.pid).children(recursive=True)
        finally:
            process.kill()


def _is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_books_of_an_undisturbed_demo_agree(tmp_path: Path) -> None:
    """The demo ends with equal books, exit status 0, nothing on standard error and nothing left behind."""
    status, out, err = _play(tmp_path)
    assert (status, err) == (0, ""), out
    assert "The books agree" in out
    assert "differs" not in out
    rows = dict(re.findall(r"│ ([^│]*\S) +│ +\d+ │ +(\d+) │ ok │", out))
    assert rows["orders"] == "60"
    assert rows["dead letters, truncated_avro"] == "1"
    assert int(rows["events skipped"]) > 0
    assert int(rows["of these cancelled"]) > 0
    assert 0 < int(rows["with a token"]) < 60
    assert {currency for currency in ("USD", "EUR", "JPY", "KWD") if f", {currency} minor" in out} == {
        "USD",
        "EUR",
        "JPY",
        "KWD",
    }
    assert list(tmp_path.iterdir()) == []


def test_an_order_that_button_lost_fails_the_demo_by_name(tmp_path: Path) -> None:
    """When the sandbox loses one order the demo exits 1, names that order alone, and keeps the logs."""
    status, out, err = _play(tmp_path, *_FEW, "--lose-one")
    assert status == 1, out + err
    assert len(re.findall(r"difference: order shop-\d+: Button does not have it", out)) == 1
    assert out.count("difference:") == 1
    assert "The books differ" in err
    (kept,) = tmp_path.iterdir()
    assert {"kafka.log", "sandbox.log", "connector.log"} <= {each.name for each in kept.iterdir()}


def test_the_demo_never_leaves_this_machine(tmp_path: Path) -> None:
    """Settings and proxies of the user's environment, which may name the real Button, do not reach the demo."""
    elsewhere = "http://127.0.0.1:9"
    environment = {
        "BUTTON_CONNECTOR__BUTTON__BASE_URL": elsewhere,
        "BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "HTTP_PROXY": elsewhere,
        "http_proxy": elsewhere,
        "ALL_PROXY": elsewhere,
    }
    status, out, err = _play(tmp_path, *_FEW, **environment)
    assert (status, err) == (0, ""), out


def test_a_part_that_does_not_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    """When the connector cannot start the demo exits 1 and shows why."""
    (tmp_path / "structlog.py").write_text("raise ImportError('planted')")
    status, _, err = _play(tmp_path, *_FEW, PYTHONPATH=str(tmp_path))
    assert status == 1
    assert "error: connector: it ended with exit status 1" in err
    assert "ImportError: planted" in err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_stopped_ends_every_process_of_its_own(tmp_path: Path, number: int, status: int) -> None:
    """Ctrl-C and SIGTERM end the demo with the usual exit status, and no process of it goes on."""
    with _playing(tmp_path) as (process, others):
        assert len(others) >= 2 * _PROCESSES
        process.send_signal(number)
        assert process.wait(30) == status
        assert [other for other in others if not _is_gone(other)] == []
    assert [each.name for each in tmp_path.iterdir()] == ["output"]


def test_no_process_outlives_a_demo_that_is_killed(tmp_path: Path) -> None:
    """Even a demo that is killed takes its processes with it."""
    with _playing(tmp_path) as (process, others):
        process.kill()
        process.wait(10)
        wait_until(lambda: all(map(_is_gone, others)), 10, awaiting="the end of every process")
