# SPDX-License-Identifier: Apache-2.0
"""The command hears SIGTERM before anything of it runs."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, signal, sys
from connector import cli
cli.build = lambda: lambda **_: (os.kill(os.getpid(), signal.SIGTERM), print("went on"))
cli.main()
"""


def test_a_sigterm_before_anything_runs_ends_the_process_by_its_own_exit() -> None:
    """The first process of a container has no default action for it: unheard, it would wait for the kill [64]."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], check=False, capture_output=True, text=True, timeout=60)  # noqa: S603  our own program
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
