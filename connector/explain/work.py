# SPDX-License-Identifier: Apache-2.0
"""From records to explanations.

Owns how a record is decoded here: as the connector does it, and once more without smart mapping where that is
configured. Looks tokens up only where a cluster is named, and only when an event needs it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from connector import wiring
from connector.avro.decoding import AvroDecoder
from connector.avro.samples import Sample
from connector.avro.writers import bind_writer, decode_events
from connector.domain.attribution import needs_lookup, session_keys, user_key
from connector.domain.orders import Reject
from connector.engine.observations import DependencyUnavailable
from connector.engine.ports import RawRecord, TopicPartition
from connector.explain.explanation import Explanation, Sources, explain, not_an_event, skipped_record
from connector.explain.tokens import read_sessions
from connector.kafka.failures import KafkaFailure
from connector.settings import MappingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.avro.writers import Events
    from connector.domain.attribution import SessionLookup
    from connector.domain.events import CommerceEvent
    from connector.engine.observations import Observation
    from connector.kafka.options import KafkaConnection
    from connector.settings import Settings
    from connector.tables.sessions import Sessions

_NOWHERE = TopicPartition("", 0)
NO_CLUSTER = "it was not looked up, because no cluster was named; --config names one"


class Unexplained(Exception):  # noqa: N818  it is data until the command says it
    """The event cannot be explained now; the text says why, and what to do."""


class Options(NamedTuple):
    """What explaining needs; ``through`` is ``None`` when no cluster is named."""

    settings: Settings
    through: KafkaConnection | None
    timeout_seconds: float
    shows_personal: bool


class Explainer:
    """Explains the events of records; lives on the loop that it is used on."""

    def __init__(self, options: Options) -> None:
        """Ask nobody yet."""
        self._options = options
        self._settings = options.settings
        self._policy = options.settings.policy.to_policy()
        self._sessions: Sessions | None = None
        self._complaint = ""

    async def explain(self, sample: Sample) -> list[Explanation]:
        """Return what becomes of each event of a record; raises :class:`Unexplained`."""
        decoded = await self._decode(sample, self._settings)
        if isinstance(decoded, Reject):
            return [not_an_event("decode", decoded)]
        before: Sequence[CommerceEvent | Reject | None] = [None] * len(decoded)
        if self._settings.mapping.fields:
            unmapped = await self._decode(sample, self._settings.model_copy(update={"mapping": MappingSettings()}))
            before = unmapped if isinstance(unmapped, list) else before
        return [await self._one(event, plain) for event, plain in zip(decoded, before, strict=True)]

    async def explain_record(self, record: RawRecord) -> list[Explanation]:
        """Return the same for a record of Kafka's."""
        if record.value is None:
            return [skipped_record("tombstone", "the record has no value; the connector skips it and counts it")]
        return await self.explain(Sample("", record.value))

    async def _one(self, event: CommerceEvent | Reject, unmapped: CommerceEvent | Reject | None) -> Explanation:
        if isinstance(event, Reject):
            return not_an_event("decode", event)
        plain = None if isinstance(unmapped, Reject) else unmapped
        sources = Sources(event, await self._look_up(event), plain, dict(self._settings.mapping.fields))
        return explain(
            sources,
            self._policy,
            has_ledger=self._settings.ledger.enabled,
            shows_personal=self._options.shows_personal,
        )

    async def _look_up(self, event: CommerceEvent) -> SessionLookup | str:
        through = self._options.through
        if through is None or not needs_lookup(event, self._policy):
            return NO_CLUSTER
        if self._sessions is None:
            try:
                self._sessions = await read_sessions(self._settings, through, self._options.timeout_seconds)
            except KafkaFailure as failure:
                raise Unexplained(failure.reason) from None
        return self._sessions.lookup(
            session_keys=session_keys(event),
            user_key=user_key(event),
            as_of_ms=event.occurred_at_ms,
        )

    async def _decode(self, sample: Sample, settings: Settings) -> Events | Reject:
        elsewhere = wiring.elsewhere(settings)
        if sample.schema is not None:
            takes_doubles = settings.avro.double_amounts == "shortest"
            writer = bind_writer(sample.schema, takes_doubles=takes_doubles, elsewhere=elsewhere)
            return writer if isinstance(writer, Reject) else decode_events(sample.value, 0, writer)
        registry = settings.schema_registry.model_copy(update={"unknown_id_seconds": 0.0})
        impatient = settings.model_copy(update={"schema_registry": registry})
        decoder = AvroDecoder(
            registered=wiring.registered_writers(impatient, self._read_registry_password, self._note),
            elsewhere=elsewhere,
        )
        record = RawRecord(_NOWHERE, 0, None, sample.value, (), 0)
        decoded = decoder.decode(record)
        if isinstance(decoded, list | Reject):
            return decoded
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                await decoded.ready()
        except TimeoutError:
            msg = f"schema_registry.url: the schema cannot be had: {self._complaint or 'no answer in time'}"
            raise Unexplained(msg) from None
        again = decoder.decode(record)
        return again if isinstance(again, list | Reject) else Reject("unknown_schema_id", "the schema cannot be had")

    def _read_registry_password(self) -> str:
        secret = self._settings.schema_registry.read_password()
        return "" if secret is None else secret.get_secret_value()

    def _note(self, observation: Observation) -> None:
        if isinstance(observation, DependencyUnavailable):
            self._complaint = observation.message
