# SPDX-License-Identifier: Apache-2.0
"""The connector keeps its promises whatever happens around it: thousands of simulations, each from one seed.

Owns how many are played (``SIMULATION_SEEDS``), and that a seed is played again just as it was. One that fails is
named with the command that plays it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.scenario import main, play, without_cycles_collected

_SEEDS = int(os.environ.get("SIMULATION_SEEDS", "2000"))
_SHARES = 8
_KINDS = ("kill", "freeze", "thaw", "cut", "stop", "storm", "slow", "letters down", "kafka down", "grow", "lost")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("share", range(_SHARES))
def test_every_promise_holds_on_every_seed(share: int) -> None:
    """No loss, order, few repeats, bounds, and rest once the faults are over; every kind of fault is met.

    [1] [2] [6] [7] [8] [9] [12] [19] [25] [26] [33] [42] [46] [48]
    """
    met: Counter[str] = Counter()
    with without_cycles_collected() as collect:
        for seed in range(share, _SEEDS, _SHARES):
            outcome = play(seed)
            assert outcome.violation is None, (
                f"seed {seed}: {outcome.violation}\nagain: python -m tests.simulation.scenario {seed}"
            )
            met.update({str(what[0]) for _, *what in outcome.journal})
            collect(seed // _SHARES)
    missing = [kind for kind in _KINDS if not met[kind]]
    assert not missing or _SEEDS < 1000, f"never met: {missing}"


def test_a_seed_is_played_again_just_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    """The same journal, line by line, in this process and in another one that hashes otherwise."""
    first, second = play(7), play(7)
    assert first.journal == second.journal
    assert len(first.journal) > 20
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-m", "tests.simulation.scenario", "7"], check=True, env=environment, timeout=60)
    assert first.digest in capfd.readouterr().out


def test_a_seed_that_fails_shows_what_happened(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command that plays a seed again ends with 1, and prints the way to what went wrong."""
    monkeypatch.setattr(sys, "argv", ["scenario", "0", "--planted", "committed-when-read"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert "VIOLATION P1" in capsys.readouterr().out
