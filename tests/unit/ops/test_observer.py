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
from tests.support.observations import EXAMPLES, ORDERS

if TYPE_CHECKING:
    from connector.engine.observations import Observation

PREFIX = "button_connector_"


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
    line: tuple[str, str],
) -> None:
    """Metric and line belong together."""
    rig = Rig()
    rig.observe(observation)
    samples = rig.samples()
    assert {name: samples.get(name) for name in moved} == moved
    assert "ops_faults_total" not in str(samples)
    assert [(said["level"], said["event"]) for said in rig.lines()] == [line]


def test_at_info_nothing_is_written_for_what_goes_well() -> None:
    """An order that is delivered costs no line."""
    rig = Rig("info")
    for observation, _, line in EXAMPLES:
        if line[0] == "debug":
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
