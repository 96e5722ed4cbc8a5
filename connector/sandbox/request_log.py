# SPDX-License-Identifier: Apache-2.0
"""Every request of the Order API, in order of arrival, and what became of it.

Owns the log and the counts. Must never hold the key of a request, nor lose count: the log is bounded, the counts are of
all requests since the start or the last reset.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

Outcome = Literal["open", "answered", "dropped", "client_gone"]
"""Where a request stands: open, answered in full, cut or left in silence by a fault, or given up by its caller."""


class Request(NamedTuple):
    """A request that was read whole; ``path`` is raw and without its query."""

    method: str
    path: str
    query: str
    authorization: str
    body: bytes
    keep_alive: bool
    host: str


@dataclass(slots=True)
class Entry:
    """A request while it is served; its times are in seconds of the monotonic clock."""

    sequence: int
    connection: int
    method: str
    path: str
    operation: str
    order_id: str | None
    body: bytes
    host: str
    at_ms: int
    started: float
    attempt: int = 0
    fault: str | None = None
    delay_seconds: float = 0.0
    result: int | None = None
    applied: bool = False
    taken: float | None = None
    finished: float | None = None
    status: int | None = None
    outcome: Outcome = "open"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request as the log shows it.

    ``status`` is the status that was sent in full, else ``"dropped"`` (also when the caller left), ``None`` while the
    call is open; ``result`` is the status that the order book gave, whoever heard of it, ``None`` if it was never
    asked. ``applied`` says whether the call changed an order. ``at_ms`` is wall-clock time; the other times are
    milliseconds of the machine's monotonic clock: two calls overlapped if each started before the other finished.
    """

    sequence: int
    connection: int
    host: str
    method: str
    path: str
    operation: str
    order_id: str | None
    body: object
    attempt: int
    fault: str | None
    delay_ms: float
    status: int | Literal["dropped"] | None
    outcome: Outcome
    result: int | None
    applied: bool
    at_ms: int
    started_ms: float
    taken_ms: float | None
    finished_ms: float | None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _readable(body: bytes) -> object:
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")


def record_of(entry: Entry) -> RequestRecord:
    """Return what an entry says now."""
    unheard: Literal["dropped"] | None = None if entry.outcome == "open" else "dropped"
    return RequestRecord(
        sequence=entry.sequence,
        connection=entry.connection,
        host=entry.host,
        method=entry.method,
        path=entry.path,
        operation=entry.operation,
        order_id=entry.order_id,
        body=_readable(entry.body),
        attempt=entry.attempt,
        fault=entry.fault,
        delay_ms=round(entry.delay_seconds * 1000, 3),
        status=entry.status if entry.outcome == "answered" else unheard,
        outcome=entry.outcome,
        result=entry.result,
        applied=entry.applied,
        at_ms=entry.at_ms,
        started_ms=round(entry.started * 1000, 3),
        taken_ms=_milliseconds(entry.taken),
        finished_ms=_milliseconds(entry.finished),
    )


@dataclass(slots=True)
class RequestLog:
    """The newest ``limit`` requests, and counts of all of them."""

    limit: int
    total: int = 0
    open: int = 0
    most_open: int = 0
    by_operation: Counter[str] = field(default_factory=Counter)
    by_status: Counter[str] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    _entries: deque[Entry] = field(init=False)

    def __post_init__(self) -> None:
        """Make room."""
        self._entries = deque(maxlen=self.limit)

    def start(self, request: Request, connection: int, operation: str, now: float) -> Entry:
        """Enter a request that has been read whole."""
        self.total += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.by_operation[operation] += 1
        at_ms = time.time_ns() // 1_000_000
        entry = Entry(
            self.total,
            connection,
            request.method,
            request.path,
            operation,
            None,
            request.body,
            request.host,
            at_ms,
            now,
        )
        self._entries.append(entry)
        return entry

    def finish(self, entry: Entry, outcome: Outcome, now: float) -> None:
        """Note how a request ended."""
        entry.outcome, entry.finished = outcome, now
        self.open -= 1
        self.by_status[str(entry.status) if outcome == "answered" else outcome] += 1
        if entry.fault:
            self.by_fault[entry.fault] += 1

    def since(self, sequence: int = 0, limit: int | None = None) -> Iterator[RequestRecord]:
        """Return the requests that came after one, oldest first; those that no longer fit are left out."""
        first = self.oldest
        start = max(0, sequence + 1 - first)
        stop = None if limit is None else start + limit
        return map(record_of, islice(self._entries, start, stop))

    def newest(self, count: int) -> Iterator[RequestRecord]:
        """Return the last requests, newest first."""
        return map(record_of, islice(reversed(self._entries), count))

    @property
    def oldest(self) -> int:
        """The sequence of the oldest request that is still in the log."""
        return self._entries[0].sequence if self._entries else self.total + 1

    @property
    def kept(self) -> int:
        """How many requests the log holds."""
        return len(self._entries)
