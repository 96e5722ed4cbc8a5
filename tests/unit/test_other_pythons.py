# SPDX-License-Identifier: Apache-2.0
"""Which Pythons the quick tests run on besides the one of the virtual environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_SCRIPT = Path(__file__).parents[2] / ".ci" / "other-pythons"
_SUPPORTED = ["3.11", "3.12", "3.13"]


def test_the_pythons_that_are_there_are_named_and_so_are_those_that_are_not(tmp_path: Path) -> None:
    """Nobody is left to believe that a version was tried which was not; and its absence is no failure."""
    own = "{}.{}".format(*sys.version_info[:2])
    there, absent = [version for version in _SUPPORTED if version != own]
    stand_in = tmp_path / f"python{there}"
    stand_in.write_text("#!/bin/sh\nexit 0\n")
    stand_in.chmod(0o755)
    # Nothing else is to be found, whatever this machine has.
    (tmp_path / "dirname").symlink_to(shutil.which("dirname") or "")
    done = subprocess.run(  # noqa: S603  our own script
        [_SCRIPT, "--list"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "VENV": sys.prefix},
    )
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in done.stdout.splitlines()}
    assert done.returncode == 0, done.stderr
    assert lines[f"Python {own}"].startswith("runs all tests")
    assert lines[f"Python {there}"] == str(stand_in)
    assert lines[f"Python {absent}"].startswith("not found, so nothing was tried on it")
