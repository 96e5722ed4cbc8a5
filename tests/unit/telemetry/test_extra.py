# SPDX-License-Identifier: Apache-2.0
"""Tracing is an extra: nothing of it is touched unless it is asked for, and what is missing is said."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {
    "kafka": {"bootstrap_servers": "127.0.0.1:1"},
    "button": {"api_key": "sk-1"},
    "ops": {"host": "127.0.0.1", "port": 0},
    "log": {"format": "json"},
    "tracing": {"enabled": True},
}
_WITHOUT_THE_EXTRA = """
import sys
sys.modules["opentelemetry"] = None
sys.argv = ["button-connector", "run", "--config", sys.argv[1]]
from connector.cli import main
main()
"""
_IMPORTED = """
import sys
from connector import app, telemetry
assert telemetry.is_installed()
print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.trace"))))
"""


def _python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_tracing_nothing_of_it_is_imported() -> None:
    """It costs neither time nor memory, and need not be installed."""
    done = _python(_IMPORTED)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_missing_extra_stops_the_start_by_name(tmp_path: Path) -> None:
    """Whoever asks for traces is told what to install, before anything runs."""
    file = tmp_path / "connector.yaml"
    file.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    done = _python(_WITHOUT_THE_EXTRA, str(file))
    assert done.returncode == 2, done.stderr
    line = json.loads(done.stderr.splitlines()[-1])
    assert (line["event"], line["key"]) == ("cannot start", "tracing.enabled")
    assert "button-connector[otel]" in line["message"]
