# SPDX-License-Identifier: Apache-2.0
"""The writers' schemas that a registry has, by the header of the values that were written with them.

Owns how long is asked, and what is remembered. While the registry says nothing (it is down, it refuses us) it is asked
without end and no record is blamed. An id that it does not know may be on its way there (registries replicate): it is
asked for within a bound, and then the id's records are given up until it is asked for again. That bound is waited
out once and not for each id: values that only look like Confluent's may name a new id each, and would otherwise hold
their partition for as long as there are ids.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from connector.avro.fetched import Found, Unknown, Unusable
from connector.avro.wire import CONFLUENT_MARKER
from connector.avro.writers import NOTHING_ELSEWHERE, Elsewhere, Writer, bind_writer
from connector.domain.orders import Reject
from connector.engine.observations import DependencyUnavailable, WriterSchemaUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random
    from typing import Self

    from connector.avro.fetched import SchemaSource
    from connector.engine.ports import Observer, Preparation

W = TypeVar("W")

_NAME = "schema registry"
_HIGHEST_ID = 2**31 - 1
_LONGEST_UNKNOWN_WAIT_SECONDS = 5.0
_LEAST_REMEMBERED_SECONDS = 1.0
"""With no wait at all, whoever asked must still find the answer."""
_IMPATIENCE = 10
"""After an id was waited for in vain, others are not waited for during so many times that bound."""


@dataclass(frozen=True, slots=True)
class RegisteredOptions:
    """How the registry is asked; waits between attempts grow from ``retry_seconds`` to ``max_retry_seconds``.

    ``unknown_id_seconds`` bounds the wait for an id that the registry does not know. ``max_schemas`` are remembered.
    """

    unknown_id_seconds: float = 30.0
    retry_seconds: float = 0.2
    max_retry_seconds: float = 15.0
    max_schemas: int = 1_000
    takes_doubles: bool = False
    elsewhere: Elsewhere = NOTHING_ELSEWHERE


class _UnknownId(NamedTuple):
    """What the records of an unknown id end as, until it is asked for again."""

    reject: Reject
    until: float


class _Patience(NamedTuple):
    """Since when an id is known to be unknown, and until when it is waited for."""

    since: float
    until: float


class Registered(ABC, Generic[W]):
    """Gives what writers' schemas were made into, by header; lives on the event loop.

    ``table`` names the table whose records are read, ``None`` where they are events.
    """

    table: str | None = None

    def __init__(self, registry: SchemaSource, options: RegisteredOptions, observer: Observer, random: Random) -> None:
        """Know nothing yet; ``known`` is what may be looked into for every record."""
        self.known: dict[bytes, W | Reject] = {}
        self._registry = registry
        self._options = options
        self._observe = observer
        self._random = random
        self._unknown: dict[bytes, _UnknownId] = {}
        self._asked: dict[bytes, _Question] = {}
        self._told: set[int] = set()
        self._patient_again_at = 0.0

    @classmethod
    def beside(cls, other: Registered[Any]) -> Self:
        """Ask the same registry in the same way; what one topic makes it wait for shortens no other topic's wait."""
        return cls(other._registry, other._options, other._observe, other._random)

    @abstractmethod
    def bind(self, found: Found, label: str, options: RegisteredOptions) -> W | Reject:
        """Make a schema ready, or say why no record that was written with it can be used."""

    def lacks(self, writer: W) -> Reject | None:  # noqa: ARG002  for those that can read a part of the records
        """Return what some of the records end as that were written with a schema that can be read."""
        return None

    def miss(self, header: bytes) -> Reject | Preparation:
        """Return what to wait for when a header is not known, or why its records are none for us."""
        unknown = self._unknown.get(header)
        if unknown is not None and _now() < unknown.until:
            return unknown.reject
        schema_id = int.from_bytes(header[len(CONFLUENT_MARKER) :], "big")
        if schema_id > _HIGHEST_ID:
            return Reject(
                "unknown_schema_id",
                f"the value begins like Confluent's wire format, but {schema_id} is no schema id; "
                "check the producer's serializer",
            )
        return self._asked.setdefault(header, _Question(self, header, schema_id))

    async def settle(self, header: bytes, schema_id: int) -> None:
        """Ask until it is known how the header's records are read, or that they are not."""
        pauses, patience = self._pauses(), None
        while True:
            fetched = await self._registry.fetch(schema_id)
            if isinstance(fetched, Found | Unusable):
                self._keep(header, schema_id, fetched, patience)
                return
            pause_seconds = next(pauses)
            if isinstance(fetched, Unknown):
                patience = patience or self._new_patience()
                if _now() >= patience.until:
                    self._give_up(header, schema_id, fetched, patience)
                    return
                pause_seconds = min(pause_seconds, _LONGEST_UNKNOWN_WAIT_SECONDS, patience.until - _now())
            self._observe(DependencyUnavailable(_NAME, fetched.message))
            await asyncio.sleep(pause_seconds)

    def _pauses(self) -> Iterator[float]:
        """Yield how long to wait before each further attempt, with jitter, so that replicas do not ask in step."""
        seconds = self._options.retry_seconds
        while True:
            yield seconds * self._random.uniform(0.5, 1.0)
            seconds = min(seconds * 2, self._options.max_retry_seconds)

    def _new_patience(self) -> _Patience:
        now = _now()
        return _Patience(now, now + (self._options.unknown_id_seconds if now >= self._patient_again_at else 0.0))

    def _keep(self, header: bytes, schema_id: int, fetched: Found | Unusable, patience: _Patience | None) -> None:
        writer = self._bind(schema_id, fetched)
        if patience is not None:
            self._patient_again_at = 0.0
        _put(self.known, header, writer, self._options.max_schemas)
        self._forget(header)
        reject = writer if isinstance(writer, Reject) else self.lacks(writer)
        if reject is not None and schema_id not in self._told:
            self._told.add(schema_id)
            self._observe(WriterSchemaUnusable(schema_id, reject.reason, reject.message, self.table))

    def _bind(self, schema_id: int, fetched: Found | Unusable) -> W | Reject:
        label = f"schema id {schema_id}"
        if isinstance(fetched, Unusable):
            return Reject("unsupported_writer_schema", f"{label}: {fetched.message}")
        return self.bind(fetched, label, self._options)

    def _give_up(self, header: bytes, schema_id: int, unknown: Unknown, patience: _Patience) -> None:
        bound_seconds, now = self._options.unknown_id_seconds, _now()
        reject = Reject(
            "unknown_schema_id",
            f"schema id {schema_id}: {unknown.message}, after a wait of {now - patience.since:.3g} s; register the "
            "schema there, or check that schema_registry.url is the registry that the producer uses",
        )
        if now >= self._patient_again_at:
            self._patient_again_at = now + _IMPATIENCE * bound_seconds
        self._forget(header)
        _put(
            self._unknown,
            header,
            _UnknownId(reject, now + max(bound_seconds, _LEAST_REMEMBERED_SECONDS)),
            self._options.max_schemas,
        )
        self._observe(WriterSchemaUnusable(schema_id, reject.reason, reject.message, self.table))

    def _forget(self, header: bytes) -> None:
        """Forget what was true until now."""
        self._asked.pop(header, None)
        self._unknown.pop(header, None)


class RegisteredWriters(Registered[Writer]):
    """Gives the writers of events."""

    def bind(self, found: Found, label: str, options: RegisteredOptions) -> Writer | Reject:
        """Bind the schema to an event's fields."""
        return bind_writer(
            found.schema,
            found.references,
            label=label,
            takes_doubles=options.takes_doubles,
            elsewhere=options.elsewhere,
        )

    def lacks(self, writer: Writer) -> Reject | None:
        """Return what the writer's purchases end as."""
        return writer.lacks


class _Question:
    """An id that is being asked for: once, however many partitions wait for it."""

    def __init__(self, writers: Registered[Any], header: bytes, schema_id: int) -> None:
        """Ask nothing yet."""
        self._writers = writers
        self._header = header
        self._schema_id = schema_id
        self._lock = asyncio.Lock()
        self._is_settled = False

    async def ready(self) -> None:
        """Return when it is known what becomes of the id's records."""
        # Whoever comes first asks; if it is cancelled, the next one does.
        async with self._lock:
            if not self._is_settled:
                await self._writers.settle(self._header, self._schema_id)
                self._is_settled = True


def _now() -> float:
    return asyncio.get_running_loop().time()


def _put(entries: dict[bytes, Any], header: bytes, entry: object, most: int) -> None:
    """Remember one more, and forget the one that was first."""
    entries.pop(header, None)
    if len(entries) >= most:
        del entries[next(iter(entries))]
    entries[header] = entry
