# SPDX-License-Identifier: Apache-2.0
"""How a record's value says with which schema it was written.

Owns the headers of the wire formats and what to say of a value that has none of them. Never looks at what follows a
header.

- Avro's single-object encoding: ``C3 01``, then the CRC-64-AVRO fingerprint of the writer's schema in parsing
  canonical form, little-endian (Avro specification, "Single-object encoding").
- Confluent's wire format: ``00``, then the schema's id in the registry, 4 bytes, big-endian.
"""

from __future__ import annotations

from typing import Any

from fastavro.schema import fingerprint, to_parsing_canonical_form

from connector.domain.orders import Reject

SINGLE_OBJECT_MARKER = b"\xc3\x01"
SINGLE_OBJECT_HEADER_BYTES = 10

CONFLUENT_MARKER = b"\x00"
CONFLUENT_HEADER_BYTES = 5


CONFIGURE_A_REGISTRY = (
    "set schema_registry.url, or write Avro single-object encoding with one of the connector's own schemas"
)


def single_object_header(schema: dict[str, Any]) -> bytes:
    """Return the ten bytes that begin every value written with this schema.

    The fingerprint does not cover logical types: schemas that differ in a decimal's scale only share one header.
    """
    # fastavro gives the digits in the order of the bytes on the wire, not as a number.
    return SINGLE_OBJECT_MARKER + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def confluent_schema_id(value: bytes) -> int | None:
    """Return the registry's id of the writer's schema, ``None`` when the value is not in Confluent's wire format."""
    if not value.startswith(CONFLUENT_MARKER) or len(value) < CONFLUENT_HEADER_BYTES:
        return None
    return int.from_bytes(value[1:CONFLUENT_HEADER_BYTES], "big")


def unknown_header(value: bytes, instead_of_confluent: str = CONFIGURE_A_REGISTRY) -> Reject:
    """Say why a value whose header belongs to no known schema cannot be read.

    ``instead_of_confluent`` is the remedy for a value in Confluent's wire format, where no registry is asked.
    """
    if value.startswith(SINGLE_OBJECT_MARKER):
        return _unknown_single_object(value)
    schema_id = confluent_schema_id(value)
    if schema_id is not None:
        return Reject(
            "no_schema_registry",
            f"the value is in Confluent's wire format (schema id {schema_id}), and no schema registry is asked for it; "
            f"{instead_of_confluent}",
        )
    start = f"it begins with {value[:2].hex(' ').upper()}" if value else "it is empty"
    return Reject(
        "not_avro",
        f"the value is not Avro in single-object encoding (C3 01): {start}; check the producer's serializer",
    )


def _unknown_single_object(value: bytes) -> Reject:
    if len(value) < SINGLE_OBJECT_HEADER_BYTES:
        return Reject(
            "truncated_avro",
            f"the value ends within its header, after {len(value)} of {SINGLE_OBJECT_HEADER_BYTES} bytes; "
            "check what the producer wrote",
        )
    digits = value[len(SINGLE_OBJECT_MARKER) : SINGLE_OBJECT_HEADER_BYTES][::-1].hex()
    return Reject(
        "unknown_schema_fingerprint",
        f"the value was written with a schema that the connector does not have (CRC-64-AVRO fingerprint {digits}); "
        "write it with the schema that belongs to this version of the connector",
    )
