# SPDX-License-Identifier: Apache-2.0
"""The instruments that observations move, bound to the table's rows.

Owns which row is which kind. Everything is made at once, so that a scrape shows zeros before anything has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.ops import table

if TYPE_CHECKING:
    from connector.ops.metrics import Metrics


class Instruments:
    """One attribute for each row of the table that an observation moves."""

    def __init__(self, metrics: Metrics) -> None:
        """Make them."""
        self.records_received = metrics.counter(table.RECORDS_RECEIVED)
        self.tombstones_skipped = metrics.counter(table.TOMBSTONES_SKIPPED)
        self.events_skipped = metrics.counters(table.EVENTS_SKIPPED)
        self.orders_delivered = metrics.tallies(table.ORDERS_DELIVERED)
        self.large_totals = metrics.counter(table.LARGE_TOTALS)
        self.attempt_seconds = metrics.samples(table.ATTEMPT_SECONDS)
        self.attempts_failed = metrics.counters(table.ATTEMPTS_FAILED)
        self.dead_letters = metrics.counters(table.DEAD_LETTERS)
        self.tokens_looked_up = metrics.tallies(table.TOKENS_LOOKED_UP)
        self.facts_noted = metrics.counters(table.FACTS_NOTED)
        self.facts_unclean = metrics.counter(table.FACTS_UNCLEAN)
        self.admission_state = metrics.gauges(table.ADMISSION_STATE)
        self.commits = metrics.counter(table.COMMITS)
        self.commits_failed = metrics.counter(table.COMMITS_FAILED)
        self.committed_offset = metrics.gauges(table.COMMITTED_OFFSET)
        self.stale_completions = metrics.counter(table.STALE_COMPLETIONS)
        self.rebalances = metrics.counters(table.REBALANCES)
        self.events_unfinished = metrics.counter(table.EVENTS_UNFINISHED)
        self.lease_lapses = metrics.counter(table.LEASE_LAPSES)
        self.drain_seconds = metrics.histogram(table.DRAIN_SECONDS)
        self.table_records = metrics.gauges(table.TABLE_RECORDS)
        self.table_seconds = metrics.gauges(table.TABLE_SECONDS)
        self.table_rebuilds = metrics.counters(table.TABLE_REBUILDS)
        self.bad_table_records = metrics.counters(table.BAD_TABLE_RECORDS)
        self.writer_schemas_unusable = metrics.counters(table.WRITER_SCHEMAS_UNUSABLE)
        self.dependency_failures = metrics.counters(table.DEPENDENCY_FAILURES)
