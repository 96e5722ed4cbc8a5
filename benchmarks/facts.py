# SPDX-License-Identifier: Apache-2.0
"""What a fact costs: JSON against Avro, in time and in bytes.

Owns the comparison that ADR 4 rests on. The Avro side is as quick as it can be made: plain tuples in, no logical
types, one schema parsed once, no wire format around it.

    python -m benchmarks.facts
"""

from __future__ import annotations

import io
import json
import time
import uuid
import zlib
from random import Random
from typing import TYPE_CHECKING, Any

import fastavro

from connector.domain.facts import Fact, Position, Purchase
from connector.domain.orders import LineItem, Order
from connector.tables.fact_codec import decode_fact, encode_fact

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, TIMES = 5, 20_000
ORDER_ID = "M-2026-000123456"
EVENT_ID = "5ad2b6d1-6d0c-4f59-8c0f-9d5c1c2f7a10"
_LINE = {
    "type": "record",
    "name": "Line",
    "fields": [
        {"name": "identifier", "type": "string"},
        {"name": "total", "type": "long"},
        {"name": "quantity", "type": "long"},
        {"name": "sku", "type": ["null", "string"]},
        {"name": "description", "type": ["null", "string"]},
        {"name": "category", "type": {"type": "array", "items": "string"}},
        {"name": "attributes", "type": ["null", {"type": "map", "values": "string"}]},
        {"name": "upc", "type": ["null", "string"]},
    ],
}
_OPTIONAL = ("btn_ref", "customer_order_id", "partner_order_channel", "finalization_date")
_POSITION = {
    "type": "record",
    "name": "Position",
    "fields": [
        *({"name": name, "type": "string"} for name in ("cluster", "topic_id", "topic")),
        *({"name": name, "type": "long"} for name in ("partition", "offset", "event_index")),
    ],
}
SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "PurchaseFact",
        "fields": [
            {"name": "total", "type": "long"},
            {"name": "currency", "type": "string"},
            {"name": "purchase_date", "type": "string"},
            {"name": "line_items", "type": {"type": "array", "items": _LINE}},
            *({"name": name, "type": ["null", "string"]} for name in _OPTIONAL),
            {"name": "gross_total", "type": ["null", "long"]},
            {"name": "occurred_at_ms", "type": "long"},
            {"name": "told", "type": {"type": "array", "items": "string"}},
            {"name": "base", "type": "long"},
            *({"name": name, "type": "string"} for name in ("call", "answer")),
            {"name": "button_order_id", "type": ["null", "string"]},
            {"name": "token_source", "type": "string"},
            {"name": "source", "type": ["null", _POSITION]},
            {"name": "written_at_ms", "type": "long"},
        ],
    },
)


def purchase_fact(order_id: str = ORDER_ID, event_id: str = EVENT_ID) -> Fact:
    """Return the fact of a purchase of three lines, as most are."""
    lines = tuple(
        LineItem(f"{each}90113", 1999 + each, 1, f"{each}90113", f"Cotton shirt no. {each}", ("Apparel", "Shirts"))
        for each in range(3)
    )
    order = Order(order_id, 6000, "USD", "2026-03-01T12:00:00Z", lines, "srctok-0a1b2c3d4e5f60718293")
    return Fact(
        event_id,
        Purchase(order, 6600),
        1_772_366_400_000,
        told=(event_id,),
        call="create",
        answer="applied",
        button_order_id="btnorder-5aa3fb1ad1fdc8be",
        token_source="session",  # noqa: S106  where a token came from is no password
        source=Position("MkU3OEVBNTcwNTJENDM2Qk", "Zq7gTgC2Q5y4n0a8x0u5nA", "commerce-events", 3, 123_456, 0),
        written_at_ms=1_772_366_400_500,
    )


def another_fact(random: Random) -> Fact:
    """Return a fact that shares with others what facts share, and no ids."""
    event_id = str(uuid.UUID(int=random.getrandbits(128)))
    fact = purchase_fact(f"M-2026-{random.randrange(10**9):09}", event_id)
    said = fact.said
    if isinstance(said, Purchase):
        lines = tuple(each._replace(total=random.randrange(10_000)) for each in said.order.line_items)
        order = said.order._replace(btn_ref=f"srctok-{random.getrandbits(80):020x}", line_items=lines)
        said = said._replace(order=order)
    return fact._replace(said=said, button_order_id=f"btnorder-{random.getrandbits(64):016x}")


def to_avro(fact: Fact) -> bytes:
    """Return the fact in Avro's binary encoding."""
    said = fact.said
    if not isinstance(said, Purchase):
        raise TypeError(said)
    row: dict[str, Any] = {**said.order._asdict(), **fact._asdict()}
    row["line_items"] = [each._asdict() for each in said.order.line_items]
    row["gross_total"] = said.gross_total
    row["source"] = None if fact.source is None else fact.source._asdict()
    out = io.BytesIO()
    fastavro.schemaless_writer(out, SCHEMA, row)
    return out.getvalue()


def from_avro(order_id: str, event_id: str, value: bytes) -> Fact:
    """Return the fact again."""
    row: Any = fastavro.schemaless_reader(io.BytesIO(value), SCHEMA, None)
    lines = tuple([LineItem(**{**each, "category": tuple(each["category"])}) for each in row["line_items"]])
    order = Order(
        order_id,
        row["total"],
        row["currency"],
        row["purchase_date"],
        lines,
        row["btn_ref"],
        None,
        row["customer_order_id"],
        row["partner_order_channel"],
        row["finalization_date"],
    )
    return Fact(
        event_id,
        Purchase(order, row["gross_total"]),
        row["occurred_at_ms"],
        tuple(row["told"]),
        row["base"],
        row["call"],
        row["answer"],
        row["button_order_id"],
        row["token_source"],
        None if row["source"] is None else Position(**row["source"]),
        row["written_at_ms"],
    )


def microseconds(work: Callable[[], object]) -> float:
    """Return what one call costs at best: other programs only ever add to it."""
    return min(_timed(work) for _ in range(ROUNDS)) / TIMES * 1e6


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(TIMES):
        work()
    return time.perf_counter() - began


def main() -> None:
    """Print the comparison."""
    fact = purchase_fact()
    as_json, as_avro = encode_fact(fact), to_avro(fact)
    if not decode_fact(ORDER_ID, EVENT_ID, as_json) == from_avro(ORDER_ID, EVENT_ID, as_avro) == fact:
        message = "the two do not say the same"
        raise AssertionError(message)
    many = [another_fact(Random(each)) for each in range(40)]  # noqa: S311  the same facts every time
    sizes = {
        "json": (len(as_json), len(zlib.compress(b"".join(map(encode_fact, many)), 1)) / len(many)),
        "avro": (len(as_avro), len(zlib.compress(b"".join(map(to_avro, many)), 1)) / len(many)),
    }
    result = {
        "json": {
            "encode_us": microseconds(lambda: encode_fact(fact)),
            "decode_us": microseconds(lambda: decode_fact(ORDER_ID, EVENT_ID, as_json)),
        },
        "avro": {
            "encode_us": microseconds(lambda: to_avro(fact)),
            "decode_us": microseconds(lambda: from_avro(ORDER_ID, EVENT_ID, as_avro)),
        },
    }
    for name, (plain, compressed) in sizes.items():
        result[name] |= {"bytes": plain, "bytes_in_a_compressed_batch": compressed}
    print(json.dumps({name: {key: round(each, 2) for key, each in row.items()} for name, row in result.items()}))  # noqa: T201  it is what the program is for


if __name__ == "__main__":
    main()
