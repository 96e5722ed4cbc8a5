# SPDX-License-Identifier: Apache-2.0
"""How long an order is on its way through the connector: from its record in Kafka to its request at the server.

    python -m benchmarks.latency --rate 500 --seconds 20

Owns the two clocks' readings of each order, which are of one machine's monotonic clock. What is reported begins when
the producer was handed the record, so that it holds the way into Kafka, too; the time from the acknowledgement of it,
which the producer hears late, is beside it. The ledger and the sessions are on.
"""

from __future__ import annotations

import argparse
import sys
from statistics import quantiles

from benchmarks.steady import Rig, rig

_WARM_UP_SECONDS = 40.0
_PERCENTS = (50, 90, 99, 99.9)


def measure(it: Rig, seconds: float, per_second: float) -> list[list[float]]:
    """Return the milliseconds of every order: from the producer, and from the broker's acknowledgement."""
    it.feed(_WARM_UP_SECONDS, per_second)
    it.said.clear()
    it.there.clear()
    it.ask("/arrivals")
    it.feed(seconds, per_second)
    it.feed(1.0, 1)
    it.check()
    arrived = dict(reversed([(order_id, at) for order_id, at in it.ask("/arrivals")]))
    orders = it.said.keys() & it.there.keys() & arrived.keys()
    missing = len(it.said) - len(orders)
    sys.stderr.write(f"{len(orders):,} orders, {missing} without a create in time\n")
    return [[1000 * (arrived[each] - since[each]) for each in orders] for since in (it.said, it.there)]


def table(whole: list[float], after: list[float]) -> str:
    """Return the percentiles as a table."""
    rows = [f"| p{percent:g} | {_at(whole, percent):.1f} | {_at(after, percent):.1f} |" for percent in _PERCENTS]
    return "\n".join(["| | ms from the producer | ms from the acknowledgement |", "|---" * 3 + "|", *rows])


def _at(values: list[float], percent: float) -> float:
    return quantiles(values, n=1000, method="inclusive")[int(percent * 10) - 1]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500.0, help="records per second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--latency-ms", type=float, default=20.0, help="the API's")
    arguments = parser.parse_args()
    with rig(latency_ms=arguments.latency_ms) as it:
        whole, after = measure(it, arguments.seconds, arguments.rate)
    sys.stdout.write(table(whole, after) + "\n")


if __name__ == "__main__":
    main()
