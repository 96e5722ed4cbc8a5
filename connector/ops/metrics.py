# SPDX-License-Identifier: Apache-2.0
"""The instruments behind the table of metrics, in a registry that is passed in.

Owns binding of labels: a label set is resolved once and then found in a dict, because that happens for every order.
The number of label sets is bounded. Never touches the library's global registry.

What is moved for every order is a plain number, or a list of them, until somebody scrapes: the library takes locks at
each step, and most of what an order costs the metrics is that. Such instruments are moved on the loop alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

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

_MOST_KEPT = 1000

_Instrument = TypeVar("_Instrument")


class Tally:
    """A counter that is moved for every order."""

    __slots__ = ("_counter", "_steps")

    def __init__(self, counter: prometheus.Counter) -> None:
        """Count nothing yet."""
        self._counter = counter
        self._steps = 0

    def inc(self) -> None:
        """Count one."""
        self._steps += 1

    def hand_over(self) -> None:
        """Let the library know."""
        self._counter.inc(self._steps)
        self._steps = 0


class Samples:
    """A histogram that is moved for every order."""

    __slots__ = ("_histogram", "_kept")

    def __init__(self, histogram: prometheus.Histogram) -> None:
        """Keep nothing yet."""
        self._histogram = histogram
        self._kept: list[float] = []

    def observe(self, value: float) -> None:
        """Keep a value."""
        self._kept.append(value)
        if len(self._kept) >= _MOST_KEPT:
            self.hand_over()

    def hand_over(self) -> None:
        """Let the library know, which is quick when it is done for many."""
        for value in self._kept:
            self._histogram.observe(value)
        self._kept.clear()


class Family(dict[tuple[str, ...], _Instrument]):
    """The label sets of one metric, each with its instrument, which is made when it is first asked for."""

    __slots__ = ("_bind", "_overflow", "_remove")

    def __init__(self, labels: int, bind: Callable[..., _Instrument], remove: Callable[..., None]) -> None:
        """Start with no label sets; ``labels`` is how many labels the metric has."""
        super().__init__()
        self._overflow = (_OVERFLOW,) * labels
        self._bind = bind
        self._remove = remove

    def __missing__(self, values: tuple[str, ...]) -> _Instrument:
        """Return the instrument of new label values."""
        if len(self) >= _MOST_LABEL_SETS and values != self._overflow:
            return self[self._overflow]
        # Label values may be enums, whose text in an exposition would be the member's name.
        self[values] = bound = self._bind(*(str(value) for value in values))
        return bound

    def forget(self, values: tuple[str, ...]) -> None:
        """Expose this label set no longer."""
        if self.pop(values, None) is not None:
            self._remove(*values)


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
        self._late = _Late()
        registry.register(self._late)

    def counter(self, row: table.Counter) -> prometheus.Counter:
        """Return a counter without labels."""
        return prometheus.Counter(row.name, row.help, registry=self.registry)

    def counters(self, row: table.Counter) -> Family[prometheus.Counter]:
        """Return a counter with labels."""
        parent = prometheus.Counter(row.name, row.help, row.labels, registry=self.registry)
        return Family(len(row.labels), parent.labels, parent.remove)

    def tallies(self, row: table.Counter) -> Family[Tally]:
        """Return a counter with labels that is moved for every order."""
        parent = prometheus.Counter(row.name, row.help, row.labels, registry=self.registry)
        return Family(len(row.labels), lambda *values: self._late.add(Tally(parent.labels(*values))), parent.remove)

    def gauges(self, row: table.Gauge) -> Family[prometheus.Gauge]:
        """Return a gauge with labels."""
        parent = prometheus.Gauge(row.name, row.help, row.labels, registry=self.registry)
        return Family(len(row.labels), parent.labels, parent.remove)

    def histogram(self, row: table.Histogram) -> prometheus.Histogram:
        """Return a histogram without labels."""
        return prometheus.Histogram(row.name, row.help, buckets=row.buckets, registry=self.registry)

    def samples(self, row: table.Histogram) -> Family[Samples]:
        """Return a histogram with labels that is moved for every order."""
        parent = prometheus.Histogram(row.name, row.help, row.labels, buckets=row.buckets, registry=self.registry)
        return Family(len(row.labels), lambda *values: self._late.add(Samples(parent.labels(*values))), parent.remove)

    def track(self, row: table.Tracked, read: Callable[[], Reading]) -> None:
        """Ask ``read`` at each scrape, on the loop that serves it; asking must be quick."""
        self._tracked.readers[row] = read

    def fault(self, where: str) -> None:
        """Count a fault of ours that is swallowed so that orders go on."""
        self._faults[where,].inc()


def open_metrics(version: str) -> Metrics:
    """Return the metrics of a process, in a registry of their own."""
    return Metrics(prometheus.CollectorRegistry(), version)


_LateT = TypeVar("_LateT", Tally, Samples)


class _Late(Collector):
    """Has everything handed over that was moved since the last scrape; registered before what it is handed to."""

    def __init__(self) -> None:
        self._instruments: list[Tally | Samples] = []

    def add(self, instrument: _LateT) -> _LateT:
        """Hand this one over, too, from now on."""
        self._instruments.append(instrument)
        return instrument

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the library shows what it is handed."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Hand everything over."""
        for instrument in self._instruments:
            instrument.hand_over()
        return ()


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
