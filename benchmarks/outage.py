# SPDX-License-Identifier: Apache-2.0
"""What an unwilling API costs: one that is down for a while, one order that fails for ever, a limit on calls.

    python -m benchmarks.outage outage --seconds 120
    python -m benchmarks.outage poison
    python -m benchmarks.outage limit

Owns the three cases. There is always more to do than can be done, and the API answers so slowly that the calls in
flight bound the rate, not this machine: what is compared is one rate with another in the same run.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition

from benchmarks.steady import DEAD_LETTERS_TOPIC, Rig, rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LATENCY_MS = 50.0
_CONCURRENCY = 64
_WARM_UP_SECONDS = 6.0
_WINDOW_SECONDS = 8.0
_BACK_SECONDS = 30.0
_FULL = 0.9
_LIMIT = 200


def outage(it: Rig, seconds: float) -> Iterator[str]:
    """Let every call fail for so long, and look for how long it takes until all is as before."""
    full = _rate(it, _WINDOW_SECONDS)
    before_mb = it.memory_mb()[1]
    yield f"before: {full:,.0f} orders/s, own memory {before_mb:.0f} MB"
    refused = it.ask("/manners", {"status": 503})["refused"]
    highest_mb, until = before_mb, time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(1.0)
        it.check()
        highest_mb = max(highest_mb, it.memory_mb()[1])
    calls = it.ask("/manners", {})["refused"] - refused
    back = time.monotonic()
    grown_mb = highest_mb - before_mb
    yield f"down for {seconds:g} s: {calls:,} calls, own memory at most {highest_mb:.0f} MB ({grown_mb:+.1f})"
    while (rate := _rate(it, 1.0)) < _FULL * full and time.monotonic() - back < _BACK_SECONDS:
        yield f"  {time.monotonic() - back:.1f} s after its return: {rate:,.0f} orders/s"
    yield f"at {rate / full:.0%} of the rate before, {time.monotonic() - back:.1f} s after its return"
    yield f"own memory {it.memory_mb()[1]:.0f} MB, dead letters {_dead_letters(it)}"


def poison(it: Rig, seconds: float) -> Iterator[str]:
    """Let one order fail for ever, and compare the rate of the others with the rate before."""
    full = _rate(it, _WINDOW_SECONDS)
    refused = it.ask("/status")["refused"]
    it.ask("/manners", {"failing": "next"})
    time.sleep(3.0)
    yield f"before: {full:,.0f} orders/s; {it.ask('/status')['failing']} fails from now on"
    window_seconds = max(seconds, _WINDOW_SECONDS)
    with_it = _rate(it, window_seconds)
    status = it.ask("/status")
    calls, waiting = status["refused"] - refused, status["accepted"] - it.committed()
    yield f"with it: {with_it:,.0f} orders/s, {with_it / full - 1:+.1%}; it was called {calls} times"
    yield f"{waiting:,} records answered and not committed, dead letters {_dead_letters(it)}"


def limit(it: Rig, seconds: float) -> Iterator[str]:
    """Let the API take so many calls a second and no more, and look what gets through."""
    yield f"before: {_rate(it, _WINDOW_SECONDS):,.0f} orders/s"
    it.ask("/manners", {"limit": _LIMIT})
    for name, span in (("first", 10.0), ("then", max(seconds, 20.0))):
        began, then = it.ask("/status"), time.monotonic()
        time.sleep(span)
        now, passed = it.ask("/status"), time.monotonic() - then
        accepted, refused = now["accepted"] - began["accepted"], now["refused"] - began["refused"]
        yield (
            f"{name} {span:g} s: {accepted / passed / _LIMIT:.1%} of the limit of {_LIMIT}/s got through, "
            f"{refused / passed:.1f} refusals/s, {refused / max(accepted + refused, 1):.1%} of all calls"
        )
    yield f"dead letters {_dead_letters(it)}"


_CASES: dict[str, Callable[[Rig, float], Iterator[str]]] = {"outage": outage, "poison": poison, "limit": limit}


def _rate(it: Rig, seconds: float) -> float:
    """Return how many calls a second were accepted."""
    it.check()
    began, then = it.ask("/status")["accepted"], time.monotonic()
    time.sleep(seconds)
    return float(it.ask("/status")["accepted"] - began) / (time.monotonic() - then)


def _dead_letters(it: Rig) -> int:
    consumer = Consumer({"bootstrap.servers": it.bootstrap_servers, "group.id": "looks", "log_level": 0})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(DEAD_LETTERS_TOPIC, 0), timeout=10)[1])
    finally:
        consumer.close()


def main() -> None:
    """Play one case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=_CASES)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--records", type=int, default=80_000, help="records in the topic; enough for the whole case")
    arguments = parser.parse_args()
    delivery = {"max_concurrency": _CONCURRENCY}
    with rig({"delivery": delivery}, latency_ms=_LATENCY_MS, records=arguments.records, pinned=False) as it:
        time.sleep(_WARM_UP_SECONDS)
        for line in _CASES[arguments.case](it, arguments.seconds):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
