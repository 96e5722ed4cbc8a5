# SPDX-License-Identifier: Apache-2.0
"""From a record of the sessions topic to what it says of a session's token.

Owns the codec that the sessions table is given, and what a writer's schema must have for it. Both wire formats may lie
side by side; the first byte tells them apart. Never raises for what a producer wrote, and never judges a token: what
can be one is the domain's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.avro.converters import BadValueError, Convert
from connector.avro.fields import Fields, Findings, always
from connector.avro.registered import Registered
from connector.avro.schemas import all_versions
from connector.avro.wire import (
    CONFLUENT_HEADER_BYTES,
    CONFLUENT_MARKER,
    SINGLE_OBJECT_HEADER_BYTES,
    single_object_header,
    unknown_header,
)
from connector.avro.writer_schema import WriterSchema, read, writer_schema
from connector.domain.orders import Reject
from connector.domain.sessions import SessionEntry, SessionProblem, SessionRecord, SessionTombstone, TokenSeen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connector.avro.fetched import Found
    from connector.avro.registered import RegisteredOptions
    from connector.engine.ports import Preparation

_ENCODING_REMEDY = "set schema_registry.url, or write Avro's single-object encoding with the connector's own schema"
_SCHEMA_REMEDY = "write the sessions topic with a schema that has these fields, as session_attribution has them"
_KEY_REMEDY = "the key must be the UTF-8 text of session_uuid, or, without one, session_id in decimal"


class SessionWriter(NamedTuple):
    """A writer's schema, ready to read what was seen of a session, given its key."""

    schema: WriterSchema
    convert: Convert[SessionRecord]


class RegisteredSessionWriters(Registered[SessionWriter]):
    """Gives the writers of the sessions topic."""

    table = "sessions"

    def bind(self, found: Found, label: str, options: RegisteredOptions) -> SessionWriter | Reject:  # noqa: ARG002  options are the events'
        """Bind the schema to a session's fields."""
        writer = bind_session_writer(found.schema, found.references)
        return Reject(writer.reason, f"{label}: {writer.message}") if isinstance(writer, Reject) else writer


class SessionDecoder:
    """Decodes values in Avro's single-object encoding and, given a registry, in Confluent's wire format.

    ``schemas`` are those that a value in single-object encoding may have been written with, by default the connector's
    own, replaced versions included. ``registered`` are those of a registry.
    """

    def __init__(
        self,
        schemas: Iterable[dict[str, Any]] | None = None,
        registered: RegisteredSessionWriters | None = None,
    ) -> None:
        """Bind every schema."""
        own = all_versions("session_attribution")
        self._writers = {single_object_header(schema): bind_session_writer(schema) for schema in schemas or own}
        self._registered = registered

    def decode(self, key: bytes | None, value: bytes | None) -> SessionRecord | Preparation:
        """Return what the record says, or what must be fetched first; a value of ``None`` is a tombstone."""
        session_key = _session_key(key)
        if session_key is None:
            return SessionProblem(f"the record's key is {'missing' if key is None else 'not text'}; {_KEY_REMEDY}")
        if value is None:
            return SessionTombstone(session_key)
        if value[:1] == CONFLUENT_MARKER and self._registered is not None:
            return self._decode_registered(session_key, value, self._registered)
        writer = self._writers.get(value[:SINGLE_OBJECT_HEADER_BYTES]) or unknown_header(value, _ENCODING_REMEDY)
        return _decode(session_key, value, SINGLE_OBJECT_HEADER_BYTES, writer)

    @staticmethod
    def _decode_registered(
        session_key: str,
        value: bytes,
        registered: RegisteredSessionWriters,
    ) -> SessionRecord | Preparation:
        header = value[:CONFLUENT_HEADER_BYTES]
        writer = registered.known.get(header)
        if writer is None:
            missed = unknown_header(value) if len(header) < CONFLUENT_HEADER_BYTES else registered.miss(header)
            if not isinstance(missed, Reject):
                return missed
            writer = missed
        return _decode(session_key, value, CONFLUENT_HEADER_BYTES, writer)


def _decode(session_key: str, value: bytes, start: int, writer: SessionWriter | Reject) -> SessionRecord:
    if isinstance(writer, Reject):
        return SessionProblem(writer.message)
    datum = read(value, start, writer.schema)
    if isinstance(datum, Reject):
        return SessionProblem(datum.message)
    try:
        return writer.convert((session_key, datum))
    except BadValueError as error:
        return SessionProblem(error.reject.message)


def _session_key(key: bytes | None) -> str | None:
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    # Serializers that add a header of their own leave bytes that no session id has.
    return text if text.isprintable() and text.strip() else None


def bind_session_writer(
    schema: Any,  # noqa: ANN401  any JSON
    references: Sequence[Any] = (),
) -> SessionWriter | Reject:
    """Make a writer's schema ready, or say why none of its records tells of a session; never raises."""
    prepared = writer_schema(schema, references)
    if isinstance(prepared, Reject):
        return prepared
    if prepared.root.kind != "record":
        problem = f"the writer's schema is {prepared.root.kind}, not a record; {_SCHEMA_REMEDY}"
        return Reject("unsupported_writer_schema", problem)
    findings = Findings()
    convert = _session(Fields(prepared.root, "", findings).needed("btn_ref").needed("observed_at"))
    if findings.missing:
        problem = f"the writer's schema lacks what a session needs: {', '.join(findings.missing)}; {_SCHEMA_REMEDY}"
        return Reject("writer_schema_lacks_fields", problem)
    return findings.reject() or SessionWriter(prepared, convert)


def _session(fields: Fields) -> Convert[SessionRecord]:
    session_uuid, session_id, mpid = fields.text("session_uuid"), fields.text("session_id"), fields.text("mpid")
    newest, previous = _token_seen(fields), _previous(fields)

    def convert(keyed: tuple[str, dict[str, Any]]) -> SessionRecord:
        key, datum = keyed
        names = {session_uuid(datum.get("session_uuid")), session_id(datum.get("session_id"))} - {None}
        if names and key not in names:
            return SessionProblem(f"the record's key is neither its value's session_uuid nor session_id; {_KEY_REMEDY}")
        return SessionEntry(key, mpid(datum.get("mpid")), newest(datum), previous(datum.get("previous")))

    return convert


def _token_seen(fields: Fields) -> Convert[TokenSeen]:
    token, observed_at = fields.verbatim("btn_ref"), fields.time("observed_at")

    def convert(datum: dict[str, Any]) -> TokenSeen:
        return TokenSeen(token(datum.get("btn_ref")), observed_at(datum.get("observed_at")))

    return convert


def _previous(fields: Fields) -> Convert[tuple[TokenSeen, ...]]:
    rows = fields.rows("previous")
    if rows is None:
        return always(())
    token_seen = _token_seen(rows.needed("btn_ref").needed("observed_at"))

    def convert(data: list[dict[str, Any]] | None) -> tuple[TokenSeen, ...]:
        return tuple([token_seen(datum) for datum in data or ()])

    return convert
