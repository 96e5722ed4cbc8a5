# SPDX-License-Identifier: Apache-2.0
"""Who processed which partition, and how long each paused, judged from the sandbox's log alone.

Owns what counts as shared and as a pause. Imports nothing of the connector.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Call = Mapping[str, Any]
"""A request of the sandbox's log; its host says whose it is."""


def by_partition(calls: Sequence[Call], partitions: Mapping[str, int]) -> dict[int, list[Call]]:
    """Return the calls of each partition in the order in which they began; ``partitions`` are those of the orders."""
    calls_of: dict[int, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda each: float(each["started_ms"])):
        calls_of[partitions[call["order_id"]]].append(call)
    return calls_of


def shared_partitions(calls_of: Mapping[int, Sequence[Call]]) -> list[str]:
    """Return every call that began while another pod's call of the same partition was under way."""
    shared = []
    for partition, calls in calls_of.items():
        last: dict[str, Call] = {}
        for call in calls:
            shared += [
                f"partition {partition}: {call['order_id']} by {call['host']} while {other['order_id']} by {host}"
                for host, other in last.items()
                if host != call["host"] and other["finished_ms"] > call["started_ms"]
            ]
            before = last.get(call["host"])
            if before is None or before["finished_ms"] < call["finished_ms"]:
                last[call["host"]] = call
    return shared


def handovers(calls_of: Mapping[int, Sequence[Call]]) -> int:
    """Return how often the partition that changed hands most often did."""
    return max(sum(str(a["host"]) != str(b["host"]) for a, b in pairwise(calls)) for calls in calls_of.values())


def pauses(calls_of: Mapping[int, Sequence[Call]], began: float, ended: float) -> list[float]:
    """Return the longest time in seconds that each partition went without an answer, of what ended within the span."""
    pauses = []
    for calls in calls_of.values():
        answered = sorted(float(call["finished_ms"]) for call in calls if call["status"] == 200)
        gaps = [(b - a) / 1000 for a, b in pairwise(answered) if began < b <= ended]
        pauses.append(max(gaps, default=0.0))
    return pauses
