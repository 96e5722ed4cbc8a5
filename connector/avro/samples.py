# SPDX-License-Identifier: Apache-2.0
"""Records in files, whatever form somebody has them in: to try out what becomes of them.

Owns how the form is told: an Avro container file, a record's value with one of the headers of the wire, JSON, or a bare
Avro record without header. Opens no file and asks no registry.
"""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any, NamedTuple

import fastavro

from connector.avro.json_events import JsonProblemError, encode_json
from connector.avro.schemas import load_schema
from connector.avro.wire import CONFLUENT_MARKER, SINGLE_OBJECT_MARKER
from connector.avro.writer_schema import read, writer_schema
from connector.domain.orders import Reject

_CONTAINER_MARKER = b"Obj\x01"
_BOM = b"\xef\xbb\xbf"
_EVENT, _BATCH = "commerce_event", "commerce_event_batch"


class Sample(NamedTuple):
    """A record's value; ``schema`` is that of a value without header. ``notes`` say what was left out."""

    form: str
    value: bytes
    schema: Any = None
    notes: tuple[str, ...] = ()


class SampleError(Exception):
    """There is no record to be had of these bytes; the text says why, and what to do."""


def read_samples(data: bytes, schema: Any = None) -> list[Sample]:  # noqa: ANN401  any JSON
    """Return the records in a file; raises :class:`SampleError`.

    ``schema`` is what JSON, and Avro without header, are taken for; by default the connector's own.
    """
    if data.startswith(_CONTAINER_MARKER):
        return _container(data)
    if data.startswith((SINGLE_OBJECT_MARKER, CONFLUENT_MARKER)):
        return [Sample(f"a record's value, {form_of(data)}", data)]
    text = data.removeprefix(_BOM).lstrip()
    if text.startswith((b"{", b"[")):
        return _json(text, schema)
    return [_bare(data, schema)]


def form_of(value: bytes) -> str:
    """Return the name of the encoding that a record's value begins like."""
    if value.startswith(SINGLE_OBJECT_MARKER):
        return "Avro single-object encoding"
    return "Confluent's wire format" if value.startswith(CONFLUENT_MARKER) else "no known encoding"


def _container(data: bytes) -> list[Sample]:
    try:
        reader = fastavro.reader(io.BytesIO(data))
        schema = reader.writer_schema
        parsed = fastavro.parse_schema(schema)
        return [Sample("Avro container file", _encoded(datum, parsed), schema) for datum in reader]
    except Exception as error:  # noqa: BLE001  a foreign file; fastavro does not say what it raises
        msg = f"the Avro container file cannot be read ({type(error).__name__}); is it whole?"
        raise SampleError(msg) from None


def _encoded(datum: object, parsed: Any) -> bytes:  # noqa: ANN401  as fastavro has it
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed, datum)
    return out.getvalue()


def _json(text: bytes, schema: Any) -> list[Sample]:  # noqa: ANN401  any JSON
    values = _parsed_json(text)
    samples = []
    for index, value in enumerate(values):
        chosen = schema or load_schema(_BATCH if _is_batch(value) else _EVENT)
        try:
            event = encode_json(value, chosen)
        except JsonProblemError as problem:
            msg = f"event {index}: {problem}" if len(values) > 1 else str(problem)
            raise SampleError(msg) from None
        samples.append(Sample("JSON", event.body, chosen, event.notes))
    return samples


def _parsed_json(text: bytes) -> list[Any]:
    """Return one object, a list's objects, or one object a line."""
    try:
        parsed = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line, parse_float=Decimal) for line in lines]
        except (ValueError, RecursionError):
            where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            msg = f"this is not JSON: {getattr(error, 'msg', 'it cannot be read')}{where}. Correct it."
            raise SampleError(msg) from None
    return parsed if isinstance(parsed, list) else [parsed]


def _is_batch(value: object) -> bool:
    return isinstance(value, dict) and "events" in value and "product_action" not in value


def _bare(data: bytes, schema: Any) -> Sample:  # noqa: ANN401  any JSON
    for chosen in [schema] if schema else [load_schema(_EVENT), load_schema(_BATCH)]:
        prepared = writer_schema(chosen)
        if not isinstance(prepared, Reject) and not isinstance(read(data, 0, prepared), Reject):
            return Sample("a bare Avro record without header", data, chosen)
    what = "is empty" if not data else "is neither JSON, nor an Avro container file, nor a record's value"
    msg = f"the input {what}. Give one of them, or name the writer's schema by --schema."
    raise SampleError(msg)
