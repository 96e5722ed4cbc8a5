# SPDX-License-Identifier: Apache-2.0
"""What is left of a run: what the sandbox heard and holds, what lies in the topics, and what went wrong when.

Owns how the raw evidence is read (calls, records of orders, entries of the ledger); judges nothing, and imports nothing
of the connector but the shape of a record that was read back.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.merchant import Open
from tests.support.oracle import Call, call_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connector.demo.topics import Record
    from tests.chaos.load import Load
    from tests.simulation.merchant import Said

_SETTLING_MS = 15_000.0
"""How long after its end a trouble may still move partitions: a session, and a rebalance with its drain."""
_PASSED_ON_LATE_MS = 500.0
_SERVER_ERROR = 500
_TOO_MANY = 429


class Trouble(NamedTuple):
    """Something that was made to go wrong, in milliseconds of the machine's monotonic clock.

    ``moves`` says that records may be read again because of it; ``hides`` that answers which the sandbox gave may not
    have arrived.
    """

    kind: str
    from_ms: float
    until_ms: float
    moves: bool
    hides: bool


class Snapshot(NamedTuple):
    """The committed and the end offsets by partition, at a moment."""

    at_ms: float
    committed: Mapping[int, int]
    ends: Mapping[int, int]


class Place(NamedTuple):
    """Where a record lies, and what it says."""

    partition: int
    offset: int
    said: Said


class Entry(NamedTuple):
    """A record of the ledger's topic that is an event's fact; it ``waits`` if nothing was told with it."""

    partition: int
    offset: int
    order_id: str
    event_id: str
    told: frozenset[str]
    base: int


class Told(NamedTuple):
    """A call that tells Button something, and as what; ``state`` is ``None`` for a cancel."""

    call: Call
    state: Open | None
    is_final: bool
    """Whether it was answered in a way that needs no further attempt."""


@dataclass(frozen=True)
class Evidence:
    """All of it. ``requests`` is the sandbox's log, ``ledger`` the whole log of its topic."""

    load: Load
    orders: Mapping[str, Mapping[str, Any]]
    requests: Sequence[Mapping[str, Any]]
    input: Sequence[Record]
    dead_letters: Sequence[Record]
    ledger: Sequence[Record]
    committed: Mapping[int, int]
    ends: Mapping[int, int]
    troubles: Sequence[Trouble] = ()
    snapshots: Sequence[Snapshot] = ()
    surprises: Sequence[str] = ()
    """What the processes did that nothing asked them to."""
    places: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    told: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    looked: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    """The lookups that showed the order, or failed: after either it is decided anew."""

    def __post_init__(self) -> None:
        """Sort the records and the calls by order."""
        for record in self.input:
            said = self.load.events.get(record.value or b"")
            if said is not None:
                self.places[said.order_id].append(Place(record.partition, record.offset, said))
        for request in sorted(self.requests, key=_started_ms):
            call = call_of(request)
            if call.tells:
                self.told[str(request["order_id"])].append(Told(call, _state(request), _is_final(request)))
            elif not call.is_gone:
                self.looked[str(request["order_id"])].append(call)

    def read_again(self, trouble: Trouble) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """Return the offsets between which a trouble may have let records be read again: from, and below."""
        times = [each.at_ms for each in self.snapshots]
        before = bisect_right(times, trouble.from_ms) - 1
        after = bisect_left(times, trouble.until_ms + _SETTLING_MS)
        committed = self.snapshots[before].committed if before >= 0 else {}
        return committed, self.snapshots[after].ends if after < len(times) else self.ends

    def may_be_unheard(self, call: Call) -> bool:
        """Return whether the sandbox's answer may have been lost on its way."""
        return any(
            each.hides and call.started_ms <= each.until_ms and each.from_ms <= call.finished_ms + _PASSED_ON_LATE_MS
            for each in self.troubles
        )

    def entries(self) -> list[Entry]:
        """Return the facts of the ledger's log, each partition in its order; marks and tombstones are none."""
        return [entry for record in self.ledger if (entry := _entry(record)) is not None]


def _started_ms(request: Mapping[str, Any]) -> float:
    return float(request["started_ms"])


def _state(request: Mapping[str, Any]) -> Open | None:
    body = request["body"]
    return state_of(body) if request["operation"] != "cancel" and isinstance(body, dict) else None


def state_of(fields: Mapping[str, Any]) -> Open:
    """Return what an order's fields come to, in the merchant's words."""
    lines = fields.get("line_items") or ()
    return Open(fields["total"], tuple(sorted((line["sku"], line["total"], line["quantity"]) for line in lines)))


def _is_final(request: Mapping[str, Any]) -> bool:
    if request["outcome"] != "answered":
        return False
    status = int(request["status"])
    return status < _SERVER_ERROR and status != _TOO_MANY


def _entry(record: Record) -> Entry | None:
    key = json.loads(record.key or b"[]")
    if len(key) != 2 or record.value is None:
        return None
    value = json.loads(record.value)
    if "m" in value:
        return None
    told = frozenset(key[1] if each is None else each for each in value.get("told", ()))
    return Entry(record.partition, record.offset, key[0], key[1], told, value.get("base", -1))
