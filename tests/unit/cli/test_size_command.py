# SPDX-License-Identifier: Apache-2.0
"""``size``: the formula, reckoned by hand, and the constants that the benchmarks' page gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from connector.cli import build, sizing
from connector.cli.sizing import Load, size_for

_BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks" / "README.md"


def test_a_load_is_carried_while_one_replica_is_away() -> None:
    """5,000 events a second are 3.25 cores, which five processes carry at 70 % and four do not: six are run."""
    size = size_for(Load(5_000, 0.2, sessions=0, orders=0, facts_per_order=1))
    assert (size.replicas, size.least_partitions) == (6, 12)
    assert size.cpu_cores == 0.65
    # 5,000 a second, each under way for 0.2 s, are 1,000 calls; half as many more; for each of the five 300.
    assert size.concurrency == 300


def test_a_slow_api_needs_more_calls_under_way_not_more_replicas() -> None:
    """Until a process has as many calls under way as it may."""
    fast, slow = (size_for(Load(100, seconds, 0, 0, 1)) for seconds in (0.1, 10.0))
    assert fast.replicas == slow.replicas == 2
    assert (fast.concurrency, slow.concurrency) == (64, 1_500)
    assert size_for(Load(100, 60.0, 0, 0, 1)).replicas == 4


def test_a_small_load_asks_for_some_cpu_all_the_same() -> None:
    """A process that asks for nothing is the first to be starved, and no schedule of pods counts it."""
    assert size_for(Load(5, 0.1, 0, 0, 1)).cpu_cores == 0.1
    assert size_for(Load(200, 0.1, 0, 0, 1)).cpu_cores == 0.13


def test_disk_and_start_grow_with_what_the_tables_hold() -> None:
    """A million sessions are 150 MB, a million facts 210 MB, and half as much more while files are merged."""
    size = size_for(Load(1, 0.1, sessions=1_000_000, orders=1_000_000, facts_per_order=1.0))
    assert size.disk_mb == 540
    assert size.ledger_topic_mb == 150
    assert size.cold_start_seconds == 31
    assert size_for(Load(1, 0.1, 0, 1_000_000, 2.0)).disk_mb == 630


def test_the_constants_are_those_of_the_benchmarks_page() -> None:
    """Whoever measures anew changes both."""
    page = _BENCHMARKS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+)(?: \w+)? \| `?", page, re.MULTILINE)
    assert {what: float(value) for what, value in rows} == {
        "CPU of an order, with the ledger": sizing.CPU_SECONDS_PER_ORDER,
        "memory of the process": sizing.PROCESS_MB,
        "disk of a session": sizing.SESSION_BYTES,
        "disk of a fact": sizing.FACT_BYTES,
        "ledger topic of a fact": sizing.TOPIC_FACT_BYTES,
        "sessions restored each second": sizing.SESSIONS_RESTORED_PER_SECOND,
        "facts restored each second": sizing.FACTS_RESTORED_PER_SECOND,
    }


def test_the_command_prints_a_table_or_json() -> None:
    """With the same figures, and the load that they are for."""
    asked = ["size", "--rate", "5000", "--latency", "0.2"]
    said = json.loads(CliRunner().invoke(build(), [*asked, "--json"]).stdout)
    assert said["load"]["events_per_second"] == 5_000
    assert said["size"]["replicas"] == 6
    shown = CliRunner().invoke(build(), asked)
    assert shown.exit_code == 0
    assert re.search(r"replicas, of which one may be away\s+6\s", shown.stdout)


def test_a_load_that_cannot_be_is_refused() -> None:
    """No rate, or one below nothing, is a mistake in the command line."""
    assert CliRunner().invoke(build(), ["size", "--latency", "1"]).exit_code == 2
    assert CliRunner().invoke(build(), ["size", "--rate", "-1", "--latency", "1"]).exit_code == 2
