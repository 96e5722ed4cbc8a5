# SPDX-License-Identifier: Apache-2.0
"""From a record of the sessions topic to what it says of a session's token.

Owns the codec that the sessions table is given. Never raises for what a producer wrote, and never judges a token:
what can be one is the domain's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.avro.converters import BadValueError, Convert
from connector.avro.fields import Fields, Findings, always
from connector.avro.schemas import load_schema
from connector.avro.wire import SINGLE_OBJECT_HEADER_BYTES, single_object_header, unknown_header
from connector.avro.writer_schema import WriterSchema, read, writer_schema
from connector.domain.orders import Reject
from connector.domain.sessions import SessionEntry, SessionProblem, SessionRecord, SessionTombstone, TokenSeen

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENCODING_REMEDY = "write the sessions topic in Avro single-object encoding with the connector's own schema"
_KEY_REMEDY = "the key must be the UTF-8 text of session_uuid, or, without one, session_id in decimal"


class SessionDecoder:
    """Decodes records of the sessions topic; values are in Avro's single-object encoding."""

    def __init__(self, schemas: Iterable[dict[str, Any]] | None = None) -> None:
        """Bind the schemas that values may have been written with, by default the connector's own."""
        bundled = [load_schema("session_attribution")]
        self._writers = {single_object_header(schema): _bind(schema) for schema in schemas or bundled}

    def decode(self, key: bytes | None, value: bytes | None) -> SessionRecord:
        """Return what the record says; a value of ``None`` is a tombstone."""
        session_key = _session_key(key)
        if session_key is None:
            return SessionProblem(f"the record's key is {'missing' if key is None else 'not text'}; {_KEY_REMEDY}")
        return SessionTombstone(session_key) if value is None else self._entry(session_key, value)

    def _entry(self, session_key: str, value: bytes) -> SessionRecord:
        writer = self._writers.get(value[:SINGLE_OBJECT_HEADER_BYTES]) or unknown_header(value, _ENCODING_REMEDY)
        if isinstance(writer, Reject):
            return SessionProblem(writer.message)
        schema, convert = writer
        datum = read(value, SINGLE_OBJECT_HEADER_BYTES, schema)
        if isinstance(datum, Reject):
            return SessionProblem(datum.message)
        try:
            return convert((session_key, datum))
        except BadValueError as error:
            return SessionProblem(error.reject.message)


def _session_key(key: bytes | None) -> str | None:
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    # Serializers that add a header of their own leave bytes that no session id has.
    return text if text.isprintable() and text.strip() else None


def _bind(schema: dict[str, Any]) -> tuple[WriterSchema, Convert[SessionRecord]] | Reject:
    prepared = writer_schema(schema)
    if isinstance(prepared, Reject):
        return prepared
    findings = Findings()
    convert = _session(Fields(prepared.root, "", findings).needed("btn_ref").needed("observed_at"))
    return findings.reject() or (prepared, convert)


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
