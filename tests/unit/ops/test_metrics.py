# SPDX-License-Identifier: Apache-2.0
"""The metrics: one table, and values that are asked for at a scrape."""

from __future__ import annotations

import prometheus_client as library
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connector.engine.ports import TopicPartition
from connector.ops import table
from connector.ops.instruments import Instruments
from connector.ops.metrics import Metrics


def exposed(registry: CollectorRegistry) -> dict[str, str]:
    """Return name and help text of each metric of ours."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {f.name: f.documentation for f in families if f.name.startswith("button_connector_")}


def test_the_table_and_what_is_exposed_are_the_same() -> None:
    """Every row is made, and nothing is made that has no row."""
    metrics = Metrics(CollectorRegistry(), "1.2.3")
    Instruments(metrics)
    for row in table.TABLE:
        if isinstance(row, table.Tracked):
            metrics.track(row, lambda: 1.0)
    shown = {name for name in exposed(metrics.registry) if not name.endswith("_created")}
    assert shown == {row.name for row in table.TABLE}


def test_every_row_of_the_module_is_in_the_table_and_has_a_sentence() -> None:
    """The reference is generated from the table."""
    rows = [value for value in vars(table).values() if isinstance(value, table.Metric)]
    assert sorted(rows, key=lambda row: row.name) == sorted(table.TABLE, key=lambda row: row.name)
    assert [row.name for row in rows if not row.help.endswith(".")] == []


def test_nothing_is_in_the_global_registry() -> None:
    """Two connectors may live in one process, as in the tests."""
    for _ in range(2):
        Instruments(Metrics(CollectorRegistry(), "1.2.3"))
    assert exposed(REGISTRY) == {}


def test_a_tracked_value_is_read_at_each_scrape() -> None:
    """By itself, or for each partition."""
    metrics = Metrics(CollectorRegistry(), "1.2.3")
    lanes = [3]
    metrics.track(table.LANES, lambda: lanes[0])
    metrics.track(table.LAG, lambda: {TopicPartition("orders", 2): 17})
    assert metrics.registry.get_sample_value("button_connector_lanes") == 3
    lanes[0] = 4
    assert metrics.registry.get_sample_value("button_connector_lanes") == 4
    labels = {"topic": "orders", "partition": "2"}
    assert metrics.registry.get_sample_value("button_connector_lag_records", labels) == 17


def test_a_tracked_value_that_cannot_be_read_hides_no_other() -> None:
    """It is left out and counted."""
    metrics = Metrics(CollectorRegistry(), "1.2.3")
    metrics.track(table.CALLS_IN_FLIGHT, lambda: 1 / 0)
    metrics.track(table.LANES, lambda: 3)
    text = generate_latest(metrics.registry).decode()
    assert "button_connector_lanes 3.0" in text
    assert "button_connector_calls_in_flight" not in text.replace('where="button_connector_calls_in_flight"', "")
    where = {"where": "button_connector_calls_in_flight"}
    assert metrics.registry.get_sample_value("button_connector_ops_faults_total", where) == 1


def test_the_version_is_shown() -> None:
    """Which replica runs what is seen at a glance."""
    registry = Metrics(CollectorRegistry(), "1.2.3").registry
    assert registry.get_sample_value("button_connector_build_info", {"version": "1.2.3"}) == 1


@pytest.mark.parametrize("moves", [1, 1000, 2500])
def test_what_is_moved_for_every_order_is_shown_as_the_library_itself_would(moves: int) -> None:
    """At every scrape, however much was moved since the last one, and in a second one nothing twice."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    metrics = Metrics(ours, "1.2.3")
    calls, seconds = metrics.tallies(table.ORDERS_DELIVERED), metrics.samples(table.ATTEMPT_SECONDS)
    labels = table.ORDERS_DELIVERED.labels
    counter = library.Counter(table.ORDERS_DELIVERED.name, table.ORDERS_DELIVERED.help, labels, registry=theirs)
    name, text, buckets, labels = table.ATTEMPT_SECONDS
    histogram = library.Histogram(name, text, labels, buckets=buckets, registry=theirs)
    for scrape in range(2):
        for move in range(moves):
            calls["create", "applied"].inc()
            counter.labels("create", "applied").inc()
            seconds["create", "applied"].observe((move + scrape) * 0.013)
            histogram.labels("create", "applied").observe((move + scrape) * 0.013)
        assert set(_samples(theirs)) <= set(_samples(ours))


def test_label_sets_that_are_too_many_are_counted_as_one() -> None:
    """Whatever the instrument is: what is shown stays bounded and nothing is left out."""
    registry = CollectorRegistry()
    sources = Metrics(registry, "1.2.3").tallies(table.TOKENS_LOOKED_UP)
    for number in range(1000):
        sources[str(number),].inc()
    counts = [line for line in _samples(registry) if line.startswith("button_connector_tokens_looked_up_total")]
    assert len(counts) == 501
    assert 'button_connector_tokens_looked_up_total{source="other"} 500.0' in counts


def _samples(registry: CollectorRegistry) -> list[str]:
    """Return what is exposed, without the times at which it began."""
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
