# SPDX-License-Identifier: Apache-2.0
"""One example of each observation, with what must become of it.

Owns the examples: the samples that each must have moved, and its line (level and words) in a log at ``debug``. The
reference of the log is made of them, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.engine import observations as seen
from connector.engine.ports import TopicPartition

if TYPE_CHECKING:
    from connector.engine.observations import Observation

ORDERS = TopicPartition("orders", 3)

EXAMPLES: list[tuple[Observation, dict[str, float], tuple[str, str]]] = [
    (
        seen.PartitionsAssigned({ORDERS: 12}),
        {'rebalances_total{kind="assigned"}': 1},
        ("info", "partitions assigned"),
    ),
    (
        seen.PartitionsRevoked((ORDERS,), 2, 0.7),
        {'rebalances_total{kind="revoked"}': 1, "events_unfinished_total{}": 2, "drain_duration_seconds_sum{}": 0.7},
        ("info", "partitions revoked"),
    ),
    (
        seen.PartitionsLost((ORDERS,), 4),
        {'rebalances_total{kind="lost"}': 1, "events_unfinished_total{}": 4},
        ("warning", "partitions lost"),
    ),
    (
        seen.LeaseLapsed("the group has answered no commit for too long"),
        {"lease_lapses_total{}": 1},
        ("warning", "lease lapsed, no call is started"),
    ),
    (seen.LeaseRenewed(4.25), {}, ("info", "lease renewed, calls go on")),
    (seen.RecordsReceived(7), {"records_received_total{}": 7}, ("debug", "records received")),
    (seen.TombstoneSkipped(ORDERS, 5), {"tombstones_skipped_total{}": 1}, ("debug", "tombstone skipped")),
    (
        seen.EventSkipped("action_view_detail"),
        {'events_skipped_total{reason="action_view_detail"}': 1},
        ("debug", "event skipped"),
    ),
    (
        seen.OrderDelivered("create", "already_exists", 2),
        {'orders_delivered_total{operation="create",outcome="already_exists"}': 1},
        ("debug", "order delivered"),
    ),
    (
        seen.LargeTotalTold(ORDERS, 5),
        {"large_totals_total{}": 1},
        ("warning", "order with a very large total told, see whether amount and currency are right"),
    ),
    (
        seen.AttemptFailed(ORDERS, 5, "create", "http_503", "busy", 1, 0.25),
        {'attempts_failed_total{operation="create",reason="http_503"}': 1},
        ("warning", "call failed, it is made again"),
    ),
    (
        seen.AttemptFinished("cancel", "applied", 0.2),
        {
            'attempt_duration_seconds_sum{operation="cancel",result="applied"}': 0.2,
            'attempt_duration_seconds_bucket{le="0.1",operation="cancel",result="applied"}': 0,
            'attempt_duration_seconds_bucket{le="0.25",operation="cancel",result="applied"}': 1,
        },
        ("debug", "call finished"),
    ),
    (
        seen.DeadLettered(ORDERS, 5, 0, "map", "missing_order_id", "no transaction id"),
        {'dead_letters_total{reason="missing_order_id",stage="map"}': 1},
        ("warning", "dead letter written"),
    ),
    (seen.FactNoted("waits"), {'facts_noted_total{reason="waits"}': 1}, ("debug", "fact noted")),
    (
        seen.FactUnclean(),
        {"facts_unclean_total{}": 1},
        ("debug", "order told of elsewhere meanwhile, it is told everything once more"),
    ),
    (seen.TokenLookedUp("session"), {'tokens_looked_up_total{source="session"}': 1}, ("debug", "token looked up")),
    (
        seen.AdmissionChanged("halted", "unauthorized", "the key was refused"),
        {'admission_state{state="halted"}': 1, 'admission_state{state="running"}': 0},
        ("warning", "admission changed"),
    ),
    (
        seen.AdmissionChanged("running", "answered", "Button answers"),
        {'admission_state{state="running"}': 1},
        ("info", "admission changed"),
    ),
    (
        seen.DeadLettersHalted(is_halted=True, message="50 orders in a row"),
        {},
        ("warning", "too many dead letters, nothing is decided until one event ends well"),
    ),
    (
        seen.DeadLettersHalted(is_halted=False, message="somebody said so"),
        {},
        ("info", "events are decided again after too many dead letters"),
    ),
    (
        seen.OffsetsCommitted({ORDERS: 42}),
        {"commits_total{}": 1, 'committed_offset{partition="3",topic="orders"}': 42},
        ("debug", "offsets committed"),
    ),
    (
        seen.CommitFailed(ORDERS, "REBALANCE_IN_PROGRESS"),
        {"commits_failed_total{}": 1},
        ("warning", "commit failed, it is made again"),
    ),
    (
        seen.StaleCompletion(ORDERS, 5),
        {"stale_completions_total{}": 1},
        ("warning", "event finished after its partition was gone, it is read again"),
    ),
    (
        seen.TableCaughtUp("sessions", 9, 1.5),
        {'table_start_records{table="sessions"}': 9, 'table_start_seconds{table="sessions"}': 1.5},
        ("info", "table caught up"),
    ),
    (
        seen.TableRestoring("sessions", 120, 500, 40.2),
        {},
        ("info", "table is being read from its topic"),
    ),
    (
        seen.TableRebuilt("sessions", "it is older than the topic's delete.retention.ms"),
        {'table_rebuilds_total{table="sessions"}': 1},
        ("warning", "copy of a table is deleted, it is read again from its topic"),
    ),
    (
        seen.BadTableRecord("sessions", ORDERS, 5, "not Avro"),
        {'table_bad_records_total{table="sessions"}': 1},
        ("warning", "record of a table cannot be read, it is passed over"),
    ),
    (
        seen.WriterSchemaUnusable(17, "writer_schema_lacks_fields", "schema id 17: it lacks currency_code"),
        {'writer_schemas_unusable_total{reason="writer_schema_lacks_fields"}': 1},
        ("warning", "orders of a writer's schema cannot be delivered, they become dead letters"),
    ),
    (
        seen.WriterSchemaUnusable(18, "unknown_schema_id", "schema id 18: register the schema", "sessions"),
        {'writer_schemas_unusable_total{reason="unknown_schema_id"}': 1},
        ("warning", "records of a writer's schema cannot be read, they are passed over"),
    ),
    (
        seen.DependencyUnavailable("kafka", "all brokers are down"),
        {'dependency_failures_total{name="kafka"}': 1},
        ("warning", "dependency does not answer, waiting for it"),
    ),
]
