# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001  a script to be copied, not a package
"""Writes sessions and orders to Kafka as the connector reads them; docs/producers.md says why it is done like this.

Owns one example of each kind of record. Holds nothing of the connector: a shop needs its schemas and no more.

    pip install -r requirements.txt
    python produce.py --bootstrap-servers localhost:9092
"""

from __future__ import annotations

import argparse
import io
import json
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
from confluent_kafka import Producer
from fastavro.schema import fingerprint, to_parsing_canonical_form

if TYPE_CHECKING:
    from collections.abc import Callable

Record = dict[str, Any]

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas" / "avro"
MINUTE_MS = 60_000
SHOPPER = -7636538281262557000  # an mParticle id: a signed 64-bit number, never a float
OTHER_SHOPPER = 42
FIRST_SESSION, ENDED_SESSION = "5A7C7E0F-0B5D-4A6B-9B8F-0F6B5C0E1D11", "5A7C7E0F-0B5D-4A6B-9B8F-0F6B5C0E1D22"


class SingleObject:
    """Avro's single-object encoding: the schema's fingerprint, then the record. Needs no registry."""

    def __init__(self, schema_file: Path) -> None:
        """Read the schema."""
        schema = json.loads(schema_file.read_text(encoding="utf-8"))
        # fastavro gives the fingerprint's digits in the order in which the encoding has its bytes.
        self._header = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
        self._schema = fastavro.parse_schema(schema)

    def __call__(self, record: Record) -> bytes:
        """Return a record's value."""
        out = io.BytesIO()
        out.write(self._header)
        fastavro.schemaless_writer(out, self._schema, record)
        return out.getvalue()


def confluent(schema_file: Path, registry_url: str, topic: str) -> Callable[[Record], bytes]:
    """Return what writes Confluent's wire format: the schema's id in the registry, then the record."""
    from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415  only with a registry
    from confluent_kafka.schema_registry.avro import AvroSerializer  # noqa: PLC0415  as above
    from confluent_kafka.serialization import MessageField, SerializationContext  # noqa: PLC0415  as above

    serialize = AvroSerializer(SchemaRegistryClient({"url": registry_url}), schema_file.read_text(encoding="utf-8"))
    context = SerializationContext(topic, MessageField.VALUE)
    return lambda record: serialize(record, context)


def session(session_uuid: str, mpid: int, btn_ref: str | None, observed_at: int) -> Record:
    """Say which token a session, and its user, has from now on; None says that it has none any more."""
    return {"session_uuid": session_uuid, "mpid": mpid, "btn_ref": btn_ref, "observed_at": observed_at}


def sessions(now: int) -> list[Record]:
    """Return where shoppers came from before they bought."""
    arrived = now - 10 * MINUTE_MS
    return [
        session(FIRST_SESSION, SHOPPER, "srctok-example-1", arrived),
        session(ENDED_SESSION, OTHER_SHOPPER, "srctok-example-3", arrived),
        session(ENDED_SESSION, OTHER_SHOPPER, None, arrived + MINUTE_MS),
    ]


def event(action: str, order_id: str, occurred_at: int, amounts: Record | None = None, **more: Any) -> Record:  # noqa: ANN401  any field of the schema
    """Return an event; what it does not name gets the schema's default, which is: not known."""
    return {
        "occurred_at": occurred_at,
        "environment": "production",
        "source_message_id": f"{action}-{order_id}",  # the same for every copy of this event, and for no other
        "product_action": {"action": action, "transaction_id": order_id, **(amounts or {})},
        **more,
    }


def line(sku: str, name: str, price: str, quantity: int = 1, **more: Any) -> Record:  # noqa: ANN401  as above
    """Return a line; money is a decimal in the currency's major unit, made from text or whole numbers."""
    return {"id": sku, "name": name, "price": Decimal(price), "quantity": Decimal(quantity), **more}


def orders(now: int) -> list[Record]:
    """Return what happened in the shop, in the order in which it happened."""
    mug, tee = line("MUG-02", "Enamel mug", "12.34", 2), line("TEE-BLK-M", "Black tee", "25.49", category="Apparel")
    attributed = event(
        "purchase",
        "order-1001",
        now,
        {
            "total_amount": Decimal("59.97"),  # with tax and shipping; 12.34 * 2 + 25.49 + 4.80 + 5.00
            "tax_amount": Decimal("4.80"),
            "shipping_amount": Decimal("5.00"),
            "products": [mug, tee],
        },
        session_uuid=FIRST_SESSION,  # its token is in the sessions topic
        mpid=SHOPPER,
        currency_code="USD",
        user_identities=[
            {"identity_type": "customer_id", "identity": "customer-1"},
            {"identity_type": "email", "identity": "shopper@example.com"},  # leaves the connector as SHA-256 only
        ],
        consent_state={"gdpr": {"advertising": {"consented": True}}},
    )
    in_the_app = event(
        "purchase",
        "order-1002",
        now,
        {"total_amount": Decimal(1200), "products": [line("CAP-RED", "Red cap", "1200")]},
        btn_ref="srctok-example-2",  # known to the app, so no session is needed
        currency_code="JPY",
        order_channel="app",
        is_new_customer=True,
        device={"platform": "iOS", "ios_advertising_id": "6D92078A-8246-4BA4-AE5B-76104861E7DC"},
    )
    plain = {"total_amount": Decimal("10.00"), "products": [line("PEN-SET", "Set of pens", "10.00")]}
    without_token = event("purchase", "order-1003", now, plain, session_uuid=ENDED_SESSION, currency_code="USD")
    declined = event("purchase", "order-1004", now, plain, currency_code="USD")
    declined["consent_state"] = {"gdpr": {"advertising": {"consented": False}}}
    tried = event("purchase", "order-1005", now, plain, currency_code="USD")
    tried["environment"] = "development"
    taken_back = event("refund", "order-1001", now + 1)  # no products: the whole order
    return [attributed, in_the_app, without_token, declined, tried, taken_back]


def batch(now: int) -> tuple[str, Record]:
    """Return one record with several events of one user, and its key: the order that it is about."""
    plain = {"total_amount": Decimal("10.00"), "products": [line("PEN-SET", "Set of pens", "10.00")]}
    bought = event("purchase", "order-1006", now, plain, currency_code="USD")
    looked_at = event("view_detail", "order-1006", now)
    identities = [{"identity_type": "customer_id", "identity": "customer-6"}]
    return "order-1006", {"events": [looked_at, bought], "mpid": SHOPPER, "user_identities": identities}


def main() -> None:
    """Write everything, and return when it is in Kafka."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--events", default="commerce-events")
    parser.add_argument("--sessions", default="session-attribution")
    parser.add_argument("--schemas", type=Path, default=SCHEMAS)
    parser.add_argument("--registry", help="write events in Confluent's wire format, with the schemas of this registry")
    options = parser.parse_args()

    encode_session = SingleObject(options.schemas / "session_attribution.avsc")
    encode_batch = SingleObject(options.schemas / "commerce_event_batch.avsc")
    event_schema = options.schemas / "commerce_event.avsc"
    encode_event: Callable[[Record], bytes] = (
        confluent(event_schema, options.registry, options.events) if options.registry else SingleObject(event_schema)
    )

    failures = []
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap_servers,
            "enable.idempotence": True,  # nothing twice, nothing out of order
        },
    )

    def write(topic: str, key: str, value: bytes | None) -> None:
        producer.produce(topic, value, key, on_delivery=lambda error, _: failures.append(error) if error else None)

    now = round(time.time() * 1000)
    for each in sessions(now):
        write(options.sessions, each["session_uuid"], encode_session(each))
    write(options.sessions, "5A7C7E0F-0B5D-4A6B-9B8F-0F6B5C0E1D33", None)  # a tombstone: forget this session for good
    for record in orders(now):
        write(options.events, record["product_action"]["transaction_id"], encode_event(record))
    key, several = batch(now)
    write(options.events, key, encode_batch(several))
    if producer.flush(30) or failures:
        message = f"not everything was written: {failures}"
        raise SystemExit(message)


if __name__ == "__main__":
    main()
