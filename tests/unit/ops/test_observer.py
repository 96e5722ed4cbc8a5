# SPDX-License-Identifier: Apache-2.0
"""Every observation becomes a metric, and a line where one is due."""

from __future__ import annotations

import io
import json
import timeit
from typing import TYPE_CHECKING, get_args

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connector.engine import observations as seen
from connector.engine.ports import TopicPartition
from connector.ops.logs import Level, open_log
from connector.ops.metrics import Metrics
from connector.ops.observer import OpsObserver

if TYPE_CHECKING:
    from connector.engine.observations import Observation

ORDERS = TopicPartition("orders", 3)
PREFIX = "button_connector_"

# Observation, the samples that it must have moved, and its line (level and words) in a log at debug.
EXAMPLES: list[tuple[Observation, dict[str, float], tuple[str, str] | None]] = [
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
    (seen.TokenLookedUp("session"), {'tokens_looked_up_total{source="session"}': 1}, ("debug", "token looked up")),
    (
        seen.AdmissionChanged("halted", "unauthorized", "the key was refused"),
        {'admission_state{state="halted"}': 1, 'admission_state{state="running"}': 0},
        ("warning", "admission changed"),
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
        seen.DependencyUnavailable("kafka", "all brokers are down"),
        {'dependency_failures_total{name="kafka"}': 1},
        ("warning", "dependency does not answer, waiting for it"),
    ),
]


class Rig:
    """An observer with its log and its registry."""

    def __init__(self, level: Level = "debug") -> None:
        """Start at second 0."""
        self.seconds = 0.0
        self.stream = io.StringIO()
        self.registry = CollectorRegistry()
        log = open_log(self.stream, level, "json")
        self.observe = OpsObserver(Metrics(self.registry, "1.2.3"), log, lambda: self.seconds)

    def lines(self) -> list[dict[str, object]]:
        """Return what was logged."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def samples(self) -> dict[str, float]:
        """Return every sample of ours as Prometheus would read it, without the prefix."""
        return {
            f"{sample.name.removeprefix(PREFIX)}{{{_labels(sample.labels)}}}": sample.value
            for family in text_string_to_metric_families(generate_latest(self.registry).decode())
            for sample in family.samples
            if sample.name.startswith(PREFIX)
        }


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))


def test_every_observation_has_an_example_and_a_handler() -> None:
    """A new kind of observation cannot be forgotten here."""
    kinds = set(get_args(seen.Observation))
    assert kinds == {type(observation) for observation, _, _ in EXAMPLES}
    assert kinds == set(Rig().observe.handlers)


@pytest.mark.parametrize(("observation", "moved", "line"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_observation_moves_its_metric_and_writes_its_line(
    observation: Observation,
    moved: dict[str, float],
    line: tuple[str, str] | None,
) -> None:
    """Metric and line belong together."""
    rig = Rig()
    rig.observe(observation)
    samples = rig.samples()
    assert {name: samples.get(name) for name in moved} == moved
    assert "ops_faults_total" not in str(samples)
    assert [(said["level"], said["event"]) for said in rig.lines()] == ([line] if line else [])


def test_at_info_nothing_is_written_for_what_goes_well() -> None:
    """An order that is delivered costs no line."""
    rig = Rig("info")
    for observation, _, line in EXAMPLES:
        if line is not None and line[0] == "debug":
            rig.observe(observation)
    assert rig.lines() == []


def test_a_line_says_where_and_why() -> None:
    """The field names are the same in every line."""
    rig = Rig("info")
    rig.observe(seen.DeadLettered(ORDERS, 5, 1, "map", "missing_order_id", "no transaction id"))
    (line,) = rig.lines()
    assert {name: line[name] for name in ("topic", "partition", "offset", "event_index", "stage")} == {
        "topic": "orders",
        "partition": 3,
        "offset": 5,
        "event_index": 1,
        "stage": "map",
    }
    assert (line["reason"], line["message"]) == ("missing_order_id", "no transaction id")
    assert str(line["timestamp"]).endswith("Z")


def test_like_failures_are_written_once_a_second_and_counted_always() -> None:
    """An outage does not fill the disk; the line that is written says how many like it were not."""
    rig = Rig()
    failed = seen.AttemptFailed(ORDERS, 5, "create", "http_503", "busy", 1, 0.25)
    for second in (0.0, 0.1, 0.9, 1.0):
        rig.seconds = second
        rig.observe(failed)
    assert [line.get("like_lines_left_out") for line in rig.lines()] == [None, 2]
    assert rig.samples()['attempts_failed_total{operation="create",reason="http_503"}'] == 4


def test_other_failures_are_not_silenced() -> None:
    """The limit is per reason."""
    rig = Rig()
    for reason in ("http_503", "no_answer"):
        rig.observe(seen.AttemptFailed(ORDERS, 5, "create", reason, "", 1, 0.25))
    assert [line["reason"] for line in rig.lines()] == ["http_503", "no_answer"]


def test_dead_letters_are_never_left_out() -> None:
    """Each is money that somebody has to look after."""
    rig = Rig("info")
    for _ in range(5):
        rig.observe(seen.DeadLettered(ORDERS, 5, 0, "map", "missing_order_id", "no transaction id"))
    assert len(rig.lines()) == 5


def test_a_partition_that_went_has_no_committed_offset_any_more() -> None:
    """Otherwise two replicas would show one partition, one of them for ever."""
    rig = Rig()
    rig.observe(seen.OffsetsCommitted({ORDERS: 42, TopicPartition("orders", 4): 1}))
    rig.observe(seen.PartitionsRevoked((ORDERS,), 0, 0.0))
    samples = rig.samples()
    assert 'committed_offset{partition="3",topic="orders"}' not in samples
    assert samples['committed_offset{partition="4",topic="orders"}'] == 1


def test_exactly_one_state_of_admission_is_shown() -> None:
    """The states are exclusive, from the start on."""
    rig = Rig()
    states = []
    for state in (None, "probing", "halted", "running"):
        if state is not None:
            rig.observe(seen.AdmissionChanged(state, "why", "because"))
        states.append({name for name, value in rig.samples().items() if name.startswith("admission") and value})
    assert states == [{f'admission_state{{state="{s}"}}'} for s in ("running", "probing", "halted", "running")]


def test_a_fault_of_the_log_is_counted_and_stops_nothing() -> None:
    """Orders go on when the disk under the log is full."""
    rig = Rig()
    rig.stream.close()
    rig.observe(seen.DependencyUnavailable("kafka", "all brokers are down"))
    samples = rig.samples()
    assert samples['dependency_failures_total{name="kafka"}'] == 1
    assert samples['ops_faults_total{where="DependencyUnavailable"}'] == 1


def test_label_values_are_bounded() -> None:
    """A reason that is made of data by mistake cannot fill the memory."""
    rig = Rig("info")
    for number in range(2_000):
        rig.observe(seen.EventSkipped(f"reason-{number}"))
    skipped = {name: value for name, value in rig.samples().items() if name.startswith("events_skipped_total")}
    assert len(skipped) == 501
    assert skipped['events_skipped_total{reason="other"}'] == 1_500


@pytest.mark.parametrize(
    "observation",
    [
        seen.OrderDelivered("create", "applied", 1),
        seen.AttemptFinished("create", "applied", 0.02),
        seen.EventSkipped("action_view_detail"),
        seen.TokenLookedUp("session"),
        seen.RecordsReceived(3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_happens_for_every_order_is_cheap(observation: Observation) -> None:
    """About a microsecond each; the bound leaves room for a machine that is slow and shared."""
    rig = Rig("info")
    rounds = 5_000
    seconds = min(timeit.repeat(lambda: rig.observe(observation), number=rounds, repeat=5)) / rounds
    assert seconds < 10e-6
