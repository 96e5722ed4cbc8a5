# SPDX-License-Identifier: Apache-2.0
"""``button-connector size``.

Owns the options and how a size is printed; the formula is in :mod:`connector.cli.sizing`. Asks nobody.
"""

from __future__ import annotations

from typing import Annotated

import typer

from connector.cli.screen import console, print_json, table
from connector.cli.sizing import Load, Size, size_for


def size(  # noqa: PLR0913  each is an option
    rate: Annotated[float, typer.Option(help="Events a second at the busiest time.", min=0.001)],
    latency: Annotated[float, typer.Option(help="Seconds that Button takes for a call.", min=0.0, max=120)],
    *,
    sessions: Annotated[int, typer.Option(help="Sessions with a token that the topic holds.", min=0)] = 1_000_000,
    orders: Annotated[int, typer.Option(help="Orders younger than ledger.horizon_days.", min=0)] = 1_000_000,
    facts: Annotated[float, typer.Option(help="Facts of an order: its purchase and its refunds.", min=1)] = 1.2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how many replicas, which settings, how much memory and disk a load needs.

    Reckoned from measured figures, with one replica away and a third of each core free; docs/runbook.md has the
    formula. Machines differ: try it with a load of your own.
    """
    load = Load(rate, latency, sessions, orders, facts)
    needed = size_for(load)
    if as_json:
        print_json({"load": load._asdict(), "size": needed._asdict()})
    else:
        _print(needed)


def _print(needed: Size) -> None:
    shown = table("", "at least", "where")
    for what, value, where in (
        ("replicas, of which one may be away", needed.replicas, "replicas"),
        ("partitions of the events' topics", needed.least_partitions, "topics.partitions"),
        ("calls under way, of each", needed.concurrency, "config.delivery.max_concurrency"),
        ("cores, of each", needed.cpu_cores, "resources.requests.cpu"),
        ("MiB of memory, of each", needed.memory_request_mb, "resources.requests.memory"),
        ("MiB of memory that it may take", needed.memory_limit_mb, "resources.limits.memory"),
        ("MB of disk, of each", needed.disk_mb, "persistence.size"),
        ("MB of the ledger's topic, each copy", needed.ledger_topic_mb, "the brokers"),
        ("seconds of a start without a volume", needed.cold_start_seconds, "probes.startup"),
    ):
        shown.add_row(what, f"{value:,}", where)
    console().print(shown)
