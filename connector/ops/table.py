# SPDX-License-Identifier: Apache-2.0
"""Every metric of the connector, in one table.

Owns names, labels and help texts. Values of labels come from short fixed lists, never from data of a customer.
"""

from __future__ import annotations

from typing import NamedTuple

_PREFIX = "button_connector_"
_CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
_DRAIN_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 150.0)


class Counter(NamedTuple):
    """Only grows; exposed with ``_total`` at its end."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Gauge(NamedTuple):
    """A value that is set when something happens."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Histogram(NamedTuple):
    """A distribution; ``buckets`` are upper bounds."""

    name: str
    help: str
    buckets: tuple[float, ...]
    labels: tuple[str, ...] = ()


class Tracked(NamedTuple):
    """A value that is asked for at each scrape."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


Metric = Counter | Gauge | Histogram | Tracked

BUILD_INFO = Gauge(_PREFIX + "build_info", "Always 1; the label says which version runs.", ("version",))
RECORDS_RECEIVED = Counter(_PREFIX + "records_received", "Records read from the source topics.")
TOMBSTONES_SKIPPED = Counter(_PREFIX + "tombstones_skipped", "Records without a value, passed over.")
EVENTS_SKIPPED = Counter(_PREFIX + "events_skipped", "Events that are not for Button, by reason.", ("reason",))
ORDERS_DELIVERED = Counter(
    _PREFIX + "orders_delivered",
    "Calls that Button acknowledged, by operation and by whether they changed anything.",
    ("operation", "outcome"),
)
LARGE_TOTALS = Counter(
    _PREFIX + "large_totals",
    "Orders told whose total is more than half of the 32 bits that Button takes.",
)
ATTEMPT_SECONDS = Histogram(
    _PREFIX + "attempt_duration_seconds",
    "How long single calls to Button took, by operation and result.",
    _CALL_SECONDS,
    ("operation", "result"),
)
ATTEMPTS_FAILED = Counter(
    _PREFIX + "attempts_failed",
    "Calls that came to nothing and are made again, by operation and reason.",
    ("operation", "reason"),
)
DEAD_LETTERS = Counter(
    _PREFIX + "dead_letters",
    "Dead letters written, by the stage that gave up and its reason.",
    ("stage", "reason"),
)
TOKENS_LOOKED_UP = Counter(
    _PREFIX + "tokens_looked_up",
    "Where the attribution tokens of orders came from; only_newer and none are orders without one.",
    ("source",),
)
FACTS_NOTED = Counter(
    _PREFIX + "facts_noted",
    "Facts written to the order ledger without telling Button: exists (it had the order), waits (a refund whose "
    "purchase is yet to come), observed (what a lookup showed).",
    ("reason",),
)
FACTS_UNCLEAN = Counter(
    _PREFIX + "facts_unclean",
    "Facts beside which somebody else told Button of the same order, so that it was told everything once more.",
)
ADMISSION_STATE = Gauge(
    _PREFIX + "admission_state",
    "1 for what calls may do now: running, limited, probing or halted.",
    ("state",),
)
DEAD_LETTERS_HALTED = Tracked(
    _PREFIX + "dead_letters_halted",
    "1 while so many events would become dead letters that nothing is decided.",
)
COMMITS = Counter(_PREFIX + "commits", "Commits of offsets that the group took, counted by partition.")
COMMITS_FAILED = Counter(_PREFIX + "commits_failed", "Commits of offsets that failed, counted by partition.")
COMMITTED_OFFSET = Gauge(
    _PREFIX + "committed_offset",
    "The next offset that is read after a restart, of the partitions that are ours.",
    ("topic", "partition"),
)
STALE_COMPLETIONS = Counter(
    _PREFIX + "stale_completions",
    "Events that finished after their partition was gone; they are read again.",
)
REBALANCES = Counter(
    _PREFIX + "rebalances",
    "Changes of the assignment: assigned, revoked (after a drain) or lost.",
    ("kind",),
)
EVENTS_UNFINISHED = Counter(
    _PREFIX + "events_unfinished",
    "Events that were under way when their partition went; they are read again.",
)
LEASE_LAPSES = Counter(
    _PREFIX + "lease_lapses",
    "Times that nothing proved any more that this process is a member of its group, so that no call was started.",
)
DRAIN_SECONDS = Histogram(
    _PREFIX + "drain_duration_seconds",
    "How long it took to finish what was under way at a revoke.",
    _DRAIN_SECONDS,
)
TABLE_RECORDS = Gauge(
    _PREFIX + "table_start_records",
    "Records that a table read before it could be used.",
    ("table",),
)
TABLE_SECONDS = Gauge(_PREFIX + "table_start_seconds", "How long it took until a table could be used.", ("table",))
TABLE_REBUILDS = Counter(
    _PREFIX + "table_rebuilds",
    "Copies of a table that were of no use any more and were read again from their topic.",
    ("table",),
)
BAD_TABLE_RECORDS = Counter(
    _PREFIX + "table_bad_records",
    "Records of a table's topic that could not be read.",
    ("table",),
)
WRITER_SCHEMAS_UNUSABLE = Counter(
    _PREFIX + "writer_schemas_unusable",
    "Schemas of the registry whose records cannot be used, by reason.",
    ("reason",),
)
DEPENDENCY_FAILURES = Counter(
    _PREFIX + "dependency_failures",
    "Times that something we depend on did not answer.",
    ("name",),
)
OPS_FAULTS = Counter(_PREFIX + "ops_faults", "Faults in logging and metrics themselves; they stop nothing.", ("where",))

ASSIGNED_PARTITIONS = Tracked(_PREFIX + "assigned_partitions", "Partitions that are ours.")
LEASE_SECONDS = Tracked(
    _PREFIX + "lease_valid_seconds",
    "For how long calls may still be started without another answer of the group to a commit; 0 without partitions.",
)
LAG = Tracked(
    _PREFIX + "lag_records",
    "Records between the committed offset and the end of a partition.",
    ("topic", "partition"),
)
UNCOMMITTED_RECORDS = Tracked(_PREFIX + "uncommitted_records", "Records that are read but not committed.")
UNFINISHED_RECORDS = Tracked(
    _PREFIX + "unfinished_records",
    "Records that are read and have not reached their end, of the partitions that are ours.",
    ("topic", "partition"),
)
OLDEST_UNFINISHED = Tracked(
    _PREFIX + "oldest_unfinished_age_seconds",
    "How long ago the oldest of them was written, by the time that Kafka has of it; 0 where there is none.",
    ("topic", "partition"),
)
CALLS_LIMIT = Tracked(
    _PREFIX + "calls_limit",
    "Calls to Button that may be under way at once; found by trying, unless delivery.adaptive_concurrency is off.",
)
CALLS_IN_FLIGHT = Tracked(_PREFIX + "calls_in_flight", "Calls to Button that are under way.")
LANES = Tracked(_PREFIX + "lanes", "Orders with an event that is not complete.")
LAST_POLL_AGE = Tracked(_PREFIX + "last_poll_age_seconds", "How long ago the polling thread was last seen alive.")

TABLE: tuple[Metric, ...] = (
    BUILD_INFO,
    RECORDS_RECEIVED,
    TOMBSTONES_SKIPPED,
    EVENTS_SKIPPED,
    ORDERS_DELIVERED,
    LARGE_TOTALS,
    ATTEMPT_SECONDS,
    ATTEMPTS_FAILED,
    DEAD_LETTERS,
    TOKENS_LOOKED_UP,
    FACTS_NOTED,
    FACTS_UNCLEAN,
    ADMISSION_STATE,
    DEAD_LETTERS_HALTED,
    COMMITS,
    COMMITS_FAILED,
    COMMITTED_OFFSET,
    STALE_COMPLETIONS,
    REBALANCES,
    EVENTS_UNFINISHED,
    LEASE_LAPSES,
    DRAIN_SECONDS,
    TABLE_RECORDS,
    TABLE_SECONDS,
    TABLE_REBUILDS,
    BAD_TABLE_RECORDS,
    WRITER_SCHEMAS_UNUSABLE,
    DEPENDENCY_FAILURES,
    OPS_FAULTS,
    ASSIGNED_PARTITIONS,
    LEASE_SECONDS,
    LAG,
    UNCOMMITTED_RECORDS,
    UNFINISHED_RECORDS,
    OLDEST_UNFINISHED,
    CALLS_LIMIT,
    CALLS_IN_FLIGHT,
    LANES,
    LAST_POLL_AGE,
)
"""What is documented, and all that there is."""

LABELS = {
    "kind": "what happened to the assignment: `assigned`, `revoked` or `lost`",
    "name": "what does not answer, for example `kafka` or `schema registry`",
    "operation": "the call of the Order API: `create`, `update`, `cancel` or `lookup`",
    "outcome": "`applied`, or why Button had it already: `already_exists`, `already_updated`, `already_cancelled`",
    "partition": "the number of a partition of the source topics",
    "reason": "the stable name of why; the same as in the log line and in the header of a dead letter",
    "result": "`applied`, or the reason of any other answer, or of none",
    "source": "`event`, `session` or `user`; `only_newer` when all known tokens are younger than the order; `none`",
    "stage": "who gave up: `decode`, `map` or `deliver`",
    "state": "`running`, `limited` (Button asked to wait, or a rate holds calls back), `probing` (one call at a time, "
    "to see) or `halted` (the API key is refused)",
    "table": "the table that is kept from a compacted topic: `sessions` or `ledger`",
    "topic": "a source topic",
    "version": "the version of the connector",
    "where": "the observation or the metric that was swallowed",
}
"""What the labels say; there are no others."""
