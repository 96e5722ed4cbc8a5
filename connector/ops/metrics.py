# SPDX-License-Identifier: Apache-2.0
"""The instruments behind the table of metrics, in a registry that is passed in.

Owns binding of labels: a label set is resolved once and then found in a dict, because that happens for every order.
The number of label sets is bounded. Never touches the library's global registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

import prometheus_client as prometheus
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from connector.ops import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

Reading = float | Mapping[tuple[str | int, ...], float]
"""One value, or one for each set of label values (a ``TopicPartition`` is such a set)."""

_MOST_LABEL_SETS = 500
_OVERFLOW = "other"

_Instrument = TypeVar("_Instrument", prometheus.Counter, prometheus.Gauge, prometheus.Histogram)


class Family(Generic[_Instrument]):
    """The label sets of one metric."""

    def __init__(self, parent: _Instrument, labels: int) -> None:
        """Start with no label sets; ``labels`` is how many labels the metric has."""
        self._parent: _Instrument = parent
        self._overflow = (_OVERFLOW,) * labels
        self._bound: dict[tuple[str, ...], _Instrument] = {}

    def __getitem__(self, values: tuple[str, ...]) -> _Instrument:
        """Return the instrument of these label values."""
        try:
            return self._bound[values]
        except KeyError:
            return self._bind(values)

    def _bind(self, values: tuple[str, ...]) -> _Instrument:
        if len(self._bound) >= _MOST_LABEL_SETS:
            return self._parent.labels(*self._overflow)
        # Label values may be enums, whose text in an exposition would be the member's name.
        self._bound[values] = bound = self._parent.labels(*(str(value) for value in values))
        return bound

    def forget(self, values: tuple[str, ...]) -> None:
        """Expose this label set no longer."""
        if self._bound.pop(values, None) is not None:
            self._parent.remove(*values)


class Metrics:
    """Makes and keeps the instruments; each row of the table is asked for at most once."""

    def __init__(self, registry: prometheus.CollectorRegistry, version: str) -> None:
        """Expose the process's own figures and the version, too."""
        self.registry = registry
        prometheus.ProcessCollector(registry=registry)
        prometheus.GCCollector(registry=registry)
        self.gauges(table.BUILD_INFO)[version,].set(1)
        self._faults = self.counters(table.OPS_FAULTS)
        self._tracked = _Tracked(self.fault)
        registry.register(self._tracked)

    def counter(self, row: table.Counter) -> prometheus.Counter:
        """Return a counter without labels."""
        return prometheus.Counter(row.name, row.help, registry=self.registry)

    def counters(self, row: table.Counter) -> Family[prometheus.Counter]:
        """Return a counter with labels."""
        return Family(prometheus.Counter(row.name, row.help, row.labels, registry=self.registry), len(row.labels))

    def gauges(self, row: table.Gauge) -> Family[prometheus.Gauge]:
        """Return a gauge with labels."""
        return Family(prometheus.Gauge(row.name, row.help, row.labels, registry=self.registry), len(row.labels))

    def histogram(self, row: table.Histogram) -> prometheus.Histogram:
        """Return a histogram without labels."""
        return prometheus.Histogram(row.name, row.help, buckets=row.buckets, registry=self.registry)

    def histograms(self, row: table.Histogram) -> Family[prometheus.Histogram]:
        """Return a histogram with labels."""
        parent = prometheus.Histogram(row.name, row.help, row.labels, buckets=row.buckets, registry=self.registry)
        return Family(parent, len(row.labels))

    def track(self, row: table.Tracked, read: Callable[[], Reading]) -> None:
        """Ask ``read`` at each scrape, on the loop that serves it; asking must be quick."""
        self._tracked.readers[row] = read

    def fault(self, where: str) -> None:
        """Count a fault of ours that is swallowed so that orders go on."""
        self._faults[where,].inc()


def open_metrics(version: str) -> Metrics:
    """Return the metrics of a process, in a registry of their own."""
    return Metrics(prometheus.CollectorRegistry(), version)


class _Tracked(Collector):
    """Reads tracked values; one that cannot be read is left out and counted, the others are shown."""

    def __init__(self, fault: Callable[[str], None]) -> None:
        self.readers: dict[table.Tracked, Callable[[], Reading]] = {}
        self._fault = fault

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what will be tracked is not known when this is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read every tracked value."""
        for row, read in self.readers.items():
            family = GaugeMetricFamily(row.name, row.help, labels=row.labels)
            try:
                reading = read()
            except Exception:  # noqa: BLE001  a scrape must show what can be shown
                self._fault(row.name)
                continue
            by_labels: Mapping[tuple[str | int, ...], float] = (
                reading if isinstance(reading, Mapping) else {(): reading}
            )
            for values, value in by_labels.items():
                family.add_metric([str(part) for part in values], value)
            yield family
