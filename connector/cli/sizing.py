# SPDX-License-Identifier: Apache-2.0
"""How many replicas, which settings, how much memory and disk a load needs.

Owns the formula and the measured constants, which benchmarks/README.md tells the origin of; docs/runbook.md explains
the formula. Pure: looks at no machine and at no setting.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

CPU_SECONDS_PER_ORDER = 0.000_65
PROCESS_MB = 165
SESSION_BYTES = 150
FACT_BYTES = 210
TOPIC_FACT_BYTES = 150
SESSIONS_RESTORED_PER_SECOND = 32_700
FACTS_RESTORED_PER_SECOND = 40_000

_BUSY_SHARE = 0.7
"""How busy the one core of a process should be at most: what is left takes in peaks, and catches up."""
_LEAST_CORES = 0.1
"""What a process asks for that has nearly nothing to do: its start, its polling and its probes."""
_HEADROOM = 1.5
"""Calls beside those of a steady flow: some take longer, some are made again."""
_COMPACTION = 1.5
"""What RocksDB takes for a while when it merges files."""
_LEAST_CALLS, _MOST_CALLS = 64, 4_096
_LEAST_REPLICAS = 2
_CACHE_MB, _WRITES_MB, _TABLES = 64, 72, 2
_WINDOW_MB = 64
_MEGABYTE = 1_000_000
_MEMORY_STEP_MB = 64


class Load(NamedTuple):
    """What is to be carried: events a second at the busiest time, and how long Button takes for a call.

    ``sessions`` and ``orders`` are what the tables hold: sessions with a token, orders younger than the horizon, each
    with so many facts (its purchase and its refunds).
    """

    events_per_second: float
    latency_seconds: float
    sessions: int
    orders: int
    facts_per_order: float


class Size(NamedTuple):
    """What carries it; sizes are for each replica, but ``ledger_topic_mb``, which is one copy of the topic."""

    replicas: int
    least_partitions: int
    concurrency: int
    cpu_cores: float
    memory_request_mb: int
    memory_limit_mb: int
    disk_mb: int
    ledger_topic_mb: int
    cold_start_seconds: int


def size_for(load: Load) -> Size:
    """Return what carries the load while one replica is away."""
    calls = load.events_per_second * load.latency_seconds * _HEADROOM
    cores = load.events_per_second * CPU_SECONDS_PER_ORDER
    carrying = max(ceil(cores / _BUSY_SHARE), ceil(calls / _MOST_CALLS), _LEAST_REPLICAS - 1)
    facts = load.orders * load.facts_per_order
    memory_mb = PROCESS_MB + _WINDOW_MB + _TABLES * (_CACHE_MB + _WRITES_MB)
    request_mb = ceil(memory_mb / _MEMORY_STEP_MB) * _MEMORY_STEP_MB
    return Size(
        replicas=carrying + 1,
        least_partitions=2 * (carrying + 1),
        concurrency=max(_LEAST_CALLS, ceil(calls / carrying)),
        cpu_cores=max(_LEAST_CORES, round(cores / carrying, 2)),
        memory_request_mb=request_mb,
        memory_limit_mb=2 * request_mb,
        disk_mb=ceil((load.sessions * SESSION_BYTES + facts * FACT_BYTES) * _COMPACTION / _MEGABYTE),
        ledger_topic_mb=ceil(facts * TOPIC_FACT_BYTES / _MEGABYTE),
        cold_start_seconds=ceil(
            max(load.sessions / SESSIONS_RESTORED_PER_SECOND, facts / FACTS_RESTORED_PER_SECOND),
        ),
    )
