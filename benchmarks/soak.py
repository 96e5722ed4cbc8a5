# SPDX-License-Identifier: Apache-2.0
"""Whether a connector's memory grows: a steady load for an hour, and its resident memory every ten seconds.

    python -m benchmarks.soak --minutes 60 --rate 80 --output soak.csv

Owns the samples and the line through them. What fills up once (caches, the orders that were read lately) grows at first
and then no more, so growth is that of the second half, by least squares.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

from benchmarks.steady import Rig, rig

_EVERY_SECONDS = 10.0
_CACHE_MB = 8
"""As little as may be: the tables' caches fill with what is on disk, which for hours looks like growth."""


class Sample(NamedTuple):
    """The connector at a moment: memory in MiB, its own part of it, what is written and what is committed."""

    seconds: float
    resident_mb: float
    own_mb: float
    written: int
    committed: int


def soak(it: Rig, minutes: float, per_second: float, output: Path) -> list[Sample]:
    """Return the samples, which are written to ``output`` as they are taken."""
    samples: list[Sample] = []
    began = time.monotonic()
    with output.open("w", encoding="utf-8") as file:
        file.write(",".join(Sample._fields) + "\n")
        while (passed := time.monotonic() - began) < 60 * minutes:
            it.check()
            resident_mb, own_mb = it.memory_mb()
            samples.append(
                Sample(round(passed, 1), round(resident_mb, 1), round(own_mb, 1), it.written, it.committed()),
            )
            file.write(",".join(map(str, samples[-1])) + "\n")
            file.flush()
            it.feed(_EVERY_SECONDS, per_second)
    return samples


def report(samples: list[Sample]) -> str:
    """Return the memory over time, and how it grew in the second half."""
    second_half = samples[len(samples) // 2 :]
    hours = [each.seconds / 3600 for each in second_half]
    growth = linear_regression(hours, [each.own_mb for each in second_half]).slope
    steps = [samples[len(samples) * part // 8] for part in range(8)] + [samples[-1]]
    rows = [
        f"| {each.seconds / 60:.0f} | {each.resident_mb:.0f} | {each.own_mb:.0f} | {each.written:,} |" for each in steps
    ]
    return "\n".join(
        [
            "| minute | resident MB | own MB | records |",
            "|---" * 4 + "|",
            *rows,
            f"growth of its own memory in the second half: {growth:+.1f} MB per hour",
        ],
    )


def main() -> None:
    """Run and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=80.0, help="records per second")
    parser.add_argument("--output", type=Path, default=Path("soak.csv"))
    arguments = parser.parse_args()
    with rig({"tables": {"cache_mb": _CACHE_MB}}, latency_ms=5, pinned=False) as it:
        samples = soak(it, arguments.minutes, arguments.rate, arguments.output)
    sys.stdout.write(report(samples) + "\n")


if __name__ == "__main__":
    main()
