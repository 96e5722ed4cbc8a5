# SPDX-License-Identifier: Apache-2.0
"""The headers of the wire formats."""

from __future__ import annotations

import pytest

from connector.avro.schemas import load_schema
from connector.avro.wire import confluent_schema_id, single_object_header, unknown_header
from tests.support import avro_records

NULL_FINGERPRINT = 0x63DD24E7CC258F8A
"""CRC-64-AVRO of ``"null"``: the Avro specification's own empty value run over the six bytes of its canonical form."""


def crc_64_avro(text: bytes) -> int:
    """Return the fingerprint, computed bit by bit as the Avro specification defines it."""
    empty = 0xC15D213AA4D7A795
    value = empty
    for byte in text:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (empty if value & 1 else 0)
    return value


def test_the_fingerprint_is_the_specifications() -> None:
    """The reference computation here gives the published value, so it may judge the header."""
    assert crc_64_avro(b'"null"') == NULL_FINGERPRINT


def test_a_header_is_the_marker_and_the_fingerprint_in_little_endian() -> None:
    """Ten bytes: C3 01 and the 64-bit fingerprint of the canonical form, least significant byte first."""
    schema = {
        "type": "record",
        "name": "R",
        "namespace": "n",
        "doc": "left out of the canonical form",
        "fields": [{"name": "a", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0}],
    }
    canonical = b'{"name":"n.R","type":"record","fields":[{"name":"a","type":"long"}]}'
    assert single_object_header(schema) == b"\xc3\x01" + crc_64_avro(canonical).to_bytes(8, "little")


@pytest.mark.parametrize("name", ["commerce_event", "session_attribution"])
def test_the_header_is_the_one_that_a_producer_writes(name: str) -> None:
    """Producer and connector agree on the fingerprint of the bundled schemas."""
    assert single_object_header(load_schema(name)) == avro_records.header(avro_records.schema(name))


@pytest.mark.parametrize(
    ("value", "schema_id"),
    [
        (b"\x00\x00\x00\x00\x07rest", 7),
        (b"\x00\xff\xff\xff\xff", 0xFFFF_FFFF),
        (b"\x00\x00\x00\x07", None),
        (b"\xc3\x01\x00\x00\x07", None),
        (b"", None),
    ],
)
def test_confluents_header_holds_a_big_endian_id(value: bytes, schema_id: int | None) -> None:
    """A zero byte and four bytes of id; anything shorter or different is another format."""
    assert confluent_schema_id(value) == schema_id


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (b"", "not_avro", "it is empty"),
        (b'{"action": "purchase"}', "not_avro", "begins with 7B 22"),
        (b"\x00\x01", "not_avro", "begins with 00 01"),
        (b"\xc3", "not_avro", "begins with C3"),
        (b"\xc3\x01\x01\x02", "truncated_avro", "after 4 of 10 bytes"),
        (b"\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08x", "unknown_schema_fingerprint", "0807060504030201"),
        (b"\x00\x00\x00\x00\x2ax", "no_schema_registry", "schema id 42"),
    ],
)
def test_an_unknown_header_is_told_for_what_it_is(value: bytes, reason: str, words: str) -> None:
    """Not Avro, a header cut short, a schema unknown to us and another wire format have names of their own."""
    reject = unknown_header(value)
    assert reject.reason == reason
    assert words in reject.message
