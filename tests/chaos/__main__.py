# SPDX-License-Identifier: Apache-2.0
"""Chaos by hand: one seed after the other, for as long as wanted.

    python -m tests.chaos --minutes 30 --seed 7

Owns the command line. Each round is a run of a minute by a seed of its own, the first one by the seed that is given;
what a round complained of is played again by ``--seed`` with its seed and ``--minutes 1``. Ends with 1 at the first
round with a complaint, whose processes' logs are kept with the stories of the orders in question.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from tests.chaos.checker import complaints, explained
from tests.chaos.run import Plan, run
from tests.chaos.story import story
from tests.support.tcp_proxy import proxied_broker

_SHOWN = 20
_ORDER = re.compile(r"^order ([^:]+):", re.MULTILINE)


def _round(plan: Plan) -> list[str]:
    folder = Path(tempfile.mkdtemp(prefix=f"chaos-{plan.seed}-"))
    with proxied_broker(seed=plan.seed) as proxied:
        evidence = run(plan, proxied, folder)
    found = complaints(evidence)
    print(f"{len(evidence.input)} records, {len(evidence.requests)} calls, {dict(explained(evidence))}", flush=True)  # noqa: T201
    if found:
        shown = "\n".join(found[:_SHOWN])
        print(f"{len(found)} complaints, logs in {folder}; again: --seed {plan.seed} --minutes 1\n{shown}", flush=True)  # noqa: T201
        orders = dict.fromkeys(_ORDER.findall("\n".join(found)))
        (folder / "stories.txt").write_text("\n\n".join(story(evidence, each) for each in orders), encoding="utf-8")
    return found


def main() -> int:
    """Play rounds until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rate", type=float, default=50.0, help="records per second")
    arguments = parser.parse_args()
    os.environ["PYTHONFAULTHANDLER"] = "1"  # where an abort came from is said in the log
    seed = SystemRandom().randrange(1_000_000) if arguments.seed is None else arguments.seed
    deadline = time.monotonic() + 60 * arguments.minutes
    while True:
        if _round(Plan(seed, per_second=arguments.rate)):
            return 1
        seed += 1
        if time.monotonic() >= deadline:
            return 0


if __name__ == "__main__":
    sys.exit(main())
