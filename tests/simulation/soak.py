# SPDX-License-Identifier: Apache-2.0
"""Simulations for as long as there is time.

Owns nothing but the loop: ``python -m tests.simulation.soak --minutes 120`` plays new seeds, larger worlds than a
test has time for, and names each seed that fails with the command that plays it again.
"""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
import time

from tests.simulation.scenario import Size, play, size_arguments, without_cycles_collected


def main() -> None:
    """Play until the time is over; end with 1 if a seed has failed."""
    parser = argparse.ArgumentParser(description="Play seeds of the simulation for so long.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--first-seed", type=int, default=secrets.randbelow(10**9), help="where to begin")
    parser.add_argument("--size", type=int, default=2, help="how many times larger than in the tests")
    options = parser.parse_args()
    size = Size().times(options.size)
    seed, failed, until = options.first_seed, 0, time.monotonic() + options.minutes * 60
    started = time.monotonic()
    with without_cycles_collected() as collect:
        while time.monotonic() < until:
            outcome = play(seed, size)
            if outcome.violation is not None:
                failed += 1
                again = shlex.join(["python", "-m", "tests.simulation.scenario", str(seed), *size_arguments(size)])
                sys.stdout.write(f"seed {seed}: {outcome.violation}\n  again: {again}\n")
                sys.stdout.flush()
            seed += 1
            collect(seed)
    played, seconds = seed - options.first_seed, time.monotonic() - started
    sys.stdout.write(
        f"{played} seeds from {options.first_seed} in {seconds:.0f} s ({played / seconds:.1f}/s), {failed} failed\n",
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
