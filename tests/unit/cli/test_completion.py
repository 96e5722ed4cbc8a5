# SPDX-License-Identifier: Apache-2.0
"""Shell completion: what a shell is told when somebody presses the tab key."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from connector.cli import COMMANDS


def completed(words: str) -> list[str]:
    """Return what bash would offer behind the words."""
    environ = {
        "_BUTTON_CONNECTOR_COMPLETE": "complete_bash",
        "COMP_WORDS": f"button-connector {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    code = "from connector.cli import main; main()"
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environ,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("", list(COMMANDS)),
        ("config ", ["reference", "schema", "show"]),
        ("orders ", ["show", "list"]),
        ("orders list --status pa", ["parked"]),
        ("schemas register comm", ["commerce_event", "commerce_event_batch"]),
        ("explain --off", ["--offset"]),
        ("config show --conf", ["--config"]),
    ],
)
def test_commands_options_and_values_are_completed(words: str, offered: list[str]) -> None:
    """Those of a command, too, although it is loaded only when it is called."""
    assert completed(words) == offered
