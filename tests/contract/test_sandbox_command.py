# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.polling import wait_until
from tests.support.sandbox_api import order_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-c", "import typer; from connector.cli.sandbox import sandbox; typer.run(sandbox)"]


@contextmanager
def process(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start the command on free ports and give it with what its ready file says."""
    ready = folder / "ready.json"
    command = [*COMMAND, "--port", "0", "--ready-file", str(ready), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:  # noqa: S603  our own command
        try:
            wait_until(lambda: ready.exists() or child.poll() is not None)
            yield child, json.loads(ready.read_text())
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_and_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, although a call is being held, and a last line that says what it had."""
    with (
        process(tmp_path, "--fault", "held=no_answer") as (child, ready),
        httpx2.Client(auth=("sk-sandbox", "")) as client,
    ):
        assert ready["pid"] == child.pid
        client.post(f"{ready['url']}/v1/order", json=order_body("order-1"))
        with pytest.raises(httpx2.ReadTimeout):
            client.post(f"{ready['url']}/v1/order", json=order_body("held"), timeout=0.2)
        started = time.monotonic()
        child.send_signal(number)
        output, errors = child.communicate(timeout=5)
        assert (child.returncode, errors) == (0, "")
        assert time.monotonic() - started < 2
    assert output.splitlines() == [
        f"Button sandbox: {ready['url']} (page {ready['url']}/, control port {ready['control_url']})",
        "Button sandbox stopped: 2 orders held, 2 requests served.",
    ]


def test_options_reach_the_sandbox(tmp_path: Path) -> None:
    """Key, shares, switches and faults by order id are those of the command line."""
    options = ["--api-key", "sk-mine", "--delay-share", "1", "--delay-ms", "2", "--set", "second_cancel=410"]
    faults = ["--fault", "order-1=fail:create:1", "--verbose"]
    with process(tmp_path, *options, *faults) as (child, ready), httpx2.Client(auth=("sk-mine", "")) as client:
        statuses = [client.post(f"{ready['url']}/v1/order", json=order_body()).status_code for _ in range(2)]
        statuses += [client.delete(f"{ready['url']}/v1/order/order-1").status_code for _ in range(2)]
        stats = client.get(f"{ready['control_url']}/_sandbox/stats").json()
        child.terminate()
        output = child.communicate(timeout=5)[0].splitlines()
    assert statuses == [503, 200, 200, 410]
    assert stats["active_switches"] == {"api_key": "***", "delay_share": 1, "delay_ms": 2, "second_cancel": "410"}
    assert [line.split(" ")[:4] for line in output[1:-1]] == [
        ["1", "create", "'order-1'", "503"],
        ["2", "create", "'order-1'", "200"],
        ["3", "cancel", "'order-1'", "200"],
        ["4", "cancel", "'order-1'", "410"],
    ]
    assert output[1].endswith(" fault=fail")
    assert not [line for line in output if "customer-1" in line or "sk-mine" in line]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "nope=1"], "There is no switch 'nope'"),
        (["--set", "second_cancel"], "write it as NAME=VALUE"),
        (["--set", "second_cancel=1"], "takes one of 404, 200, 409, 410"),
        (["--fail-share", "2"], "fail_share=2.0: takes a number, 0 to 1"),
        (["--fault", "order-1"], "write it as PATTERN=FAULT"),
        (["--fault", "order-1=explode"], "fault: must be one of fail,"),
        (["--fault", "order-1=fail:create:x"], "times: must be a whole number"),
        (["--fault", "a=fail:create:1:2"], "write it as PATTERN=FAULT"),
        (["--host", "192.0.2.1"], "Choose others with --host, --port and --control-port"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(options: list[str], said: str) -> None:
    """The process does not start, and says why in one message."""
    environment = {"TERMINAL_WIDTH": "400", "NO_COLOR": "1", "PATH": "/usr/bin"}
    done = subprocess.run(  # noqa: S603  our own command
        [*COMMAND, "--port", "0", *options],
        capture_output=True,
        text=True,
        env=environment,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
