# SPDX-License-Identifier: Apache-2.0
"""What is measured on: purchases of three products, as a shop behind mParticle would emit them.

Owns the topic's content. Every order has a session that the sessions topic knows; three in ten events are another
event (a cancellation) of the order two before, so that order per order matters. Deterministic for a seed.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import uuid
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from fastavro.schema import fingerprint, to_parsing_canonical_form

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = Path(__file__).resolve().parents[1] / "schemas" / "avro"
PARTITIONS = 8
SESSIONS = 1_000
_START_MS = 1_764_000_000_000
_PRODUCTS = (
    ("Organic cotton T-shirt, blue, large, regular fit", "Clothes/Shirts/Men"),
    ("Stoneware mug with handle, 330 ml, matt white", "Home/Kitchen/Mugs"),
    ("Notebook A5, lined, 120 pages, recycled paper", "Office/Paper"),
    ("Steel water bottle, 0.7 l, insulated, dark green", "Sport/Bottles"),
)


def schema(name: str) -> dict[str, Any]:
    """Return one of the project's schemas."""
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.avsc").read_text(encoding="utf-8"))
    return loaded


class Encoder:
    """Writes Avro's single-object encoding."""

    def __init__(self, name: str) -> None:
        """Write with the named schema."""
        written = schema(name)
        self._schema = fastavro.parse_schema(written)
        digest = fingerprint(to_parsing_canonical_form(written), "CRC-64-AVRO")
        self._header = b"\xc3\x01" + bytes.fromhex(digest)

    def __call__(self, datum: dict[str, Any]) -> bytes:
        """Return the datum's bytes."""
        out = io.BytesIO()
        out.write(self._header)
        fastavro.schemaless_writer(out, self._schema, datum)
        return out.getvalue()


def session_of(number: int) -> str:
    """Return a session's id."""
    return str(uuid.UUID(int=(number % SESSIONS) * 0x9E3779B97F4A7C15 % 2**128))


def events(count: int, *, only_purchases: bool = True) -> Iterator[dict[str, Any]]:
    """Yield commerce events in the order in which they happened."""
    draw = random.Random(1)  # noqa: S311  a workload, not a secret
    for number in range(count):
        is_cancel = not only_purchases and number % 10 in {3, 6, 9}
        yield _cancel(number - 2, number) if is_cancel else _purchase(number, draw)


def _purchase(number: int, draw: random.Random) -> dict[str, Any]:
    products: list[dict[str, Any]] = []
    for _ in range(3):
        name, category = draw.choice(_PRODUCTS)
        products.append(
            {
                "id": f"sku-{draw.randrange(10**6):06d}",
                "name": name,
                "category": category,
                "price": Decimal(draw.randrange(100, 99_999)).scaleb(-2),
                "quantity": Decimal(draw.randrange(1, 4)),
            },
        )
    net = sum((product["price"] * product["quantity"] for product in products), Decimal(0))
    tax = (net * Decimal("0.19")).quantize(Decimal("0.01"))
    return {
        "occurred_at": _START_MS + number * 7,
        "environment": "production",
        "source_message_id": f"message-{number}",
        "session_uuid": session_of(number),
        "mpid": (number * 2_654_435_761) % 2**63,
        "currency_code": draw.choice(("USD", "EUR", "GBP")),
        "product_action": {
            "action": "purchase",
            "transaction_id": f"order-{number:08d}",
            "total_amount": net + tax + Decimal("4.90"),
            "tax_amount": tax,
            "shipping_amount": Decimal("4.90"),
            "products": products,
        },
        "user_identities": [
            {"identity_type": "customer_id", "identity": f"customer-{number % 20_000:05d}"},
            {"identity_type": "email", "identity": f"shopper.{number % 20_000}@example.com"},
        ],
    }


def _cancel(purchase: int, number: int) -> dict[str, Any]:
    return {
        "occurred_at": _START_MS + number * 7,
        "source_message_id": f"message-{number}",
        "session_uuid": session_of(purchase),
        "product_action": {"action": "refund", "transaction_id": f"order-{purchase:08d}"},
    }


def load(bootstrap_servers: str, topic: str, sessions_topic: str, dead_letters_topic: str, count: int) -> int:
    """Create the topics and fill them; return the mean size of a record's value in bytes."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    wanted = [
        NewTopic(topic, PARTITIONS, 1),
        NewTopic(sessions_topic, 4, 1, config={"cleanup.policy": "compact"}),
        NewTopic(dead_letters_topic, 1, 1),
    ]
    for future in admin.create_topics(wanted).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 20, "compression.type": "lz4"})
    _produce_sessions(producer, sessions_topic)
    encode = Encoder("commerce_event")
    size = 0
    for event in events(count):
        value = encode(event)
        size += len(value)
        _produce(producer, topic, event["product_action"]["transaction_id"], value)
    if producer.flush(60):
        message = "the broker did not take the workload within a minute"
        raise RuntimeError(message)
    return size // max(count, 1)


def _produce_sessions(producer: Producer, topic: str) -> None:
    encode = Encoder("session_attribution")
    for number in range(SESSIONS):
        session = session_of(number)
        token = f"srctok-{hashlib.sha256(session.encode()).hexdigest()[:16]}"
        entry = {"session_uuid": session, "btn_ref": token, "observed_at": _START_MS - 60_000}
        _produce(producer, topic, session, encode(entry))


def _produce(producer: Producer, topic: str, key: str, value: bytes) -> None:
    while True:
        try:
            producer.produce(topic, key=key, value=value)
        except BufferError:
            producer.poll(0.1)
        else:
            return
