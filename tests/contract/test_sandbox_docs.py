# SPDX-License-Identifier: Apache-2.0
"""``docs/sandbox.md`` says what is so: its tables are complete, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import typer.main

from connector.cli.sandbox import sandbox
from connector.sandbox import Fault, SandboxThread
from connector.sandbox.control import PREFIX, is_control
from connector.sandbox.request_log import RequestRecord
from connector.sandbox.switches import Description, catalogue

DOCS = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```python (\S+\.py)\n(.*?)```", DOCS, re.DOTALL))


def _row(switch: Description) -> str:
    default = "(none)" if switch.default == "" else f"`{switch.default}`"
    others = ", ".join(f"`{choice}`" for choice in switch.choices if choice != switch.default) or switch.values
    return f"| `{switch.name}` | {default} | {others} | {switch.meaning} |"


def test_every_switch_has_its_row() -> None:
    """Name, default, other values and meaning are those of the code, in its order."""
    rows = [
        line for line in DOCS.splitlines() if re.match(r"\| `\w+` \|.*\|.*\|.*\|$", line) and line.count(" | ") == 3
    ]
    assert rows == [_row(switch) for switch in catalogue().values()]


def test_every_fault_has_its_row() -> None:
    """Each fault's row says whether the order is taken, as it is."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (taken|not taken) \|", DOCS, re.MULTILINE))
    assert rows == {fault: "taken" if fault.takes_the_order else "not taken" for fault in Fault}


def test_every_option_is_named() -> None:
    """No option of the command is left out."""
    command = typer.main.get_command(_app())
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    assert [name for name in options - {"--install-completion", "--show-completion"} if f"`{name}" not in DOCS] == []


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(sandbox)
    return app


def test_every_endpoint_exists() -> None:
    """What the table of endpoints names is served by the control endpoints."""
    named = re.findall(r"^\| `(?:GET|POST|DELETE) ([^`?{]+)", DOCS, re.MULTILINE)
    assert len(named) == 11
    assert all(is_control(path) for path in named)
    assert {path for path in named if path != "/"} == {
        PREFIX + name for name in ("orders", "requests", "stats", "switches", "faults", "reset", "forget/")
    }
    reads = re.findall(r"^\| `GET ([^`]+)`", DOCS, re.MULTILINE)
    with SandboxThread() as sandbox, httpx2.Client(base_url=sandbox.url) as client:
        assert [client.get(path).status_code for path in reads] == [200] * 6
        assert sandbox.requests == []


def test_every_field_of_a_logged_request_is_explained() -> None:
    """The table of a request's fields is complete."""
    table = DOCS[DOCS.index("A request in the log:") : DOCS.index("## Limits")]
    assert set(RequestRecord.__dataclass_fields__) <= set(re.findall(r"`(\w+)`", table))


def test_the_examples_run(tmp_path: Path) -> None:
    """The examples, copied as they stand into an empty folder, pass."""
    assert set(EXAMPLES) == {"conftest.py", "test_shop.py", "test_in_a_loop.py"}
    for name, code in EXAMPLES.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "-W",
        "error",
        "--rootdir",
        str(tmp_path),
    ]
    done = subprocess.run(  # noqa: S603  our own command
        [*command, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "5 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_examples_are_python(name: str) -> None:
    """Each example compiles on its own."""
    compile(EXAMPLES[name], name, "exec")
