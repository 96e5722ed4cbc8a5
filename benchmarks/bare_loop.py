# SPDX-License-Identifier: Apache-2.0
"""What could be had without any promise: consume, decode, look up, map, POST, as fast as Python can.

No order, no retries, no offsets, no dead letters, no metrics: the ceiling that the connector is compared with, in the
same run, on the same topic, schema, concurrency and server, with byte-identical bodies (tested). It is written as a
competent engineer would who wants speed alone: uvloop, pyreqwest, orjson, and fastavro with the schema's logical
types taken out, which is several times as fast as letting it make ``Decimal`` objects.

    python -m benchmarks.bare_loop --bootstrap-servers ... --topic ... --sessions-topic ... --url ... --concurrency 64
"""

from __future__ import annotations

import argparse
import asyncio
import io
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import fastavro
import orjson
import uvloop
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from pyreqwest.client import ClientBuilder

from benchmarks.workload import schema

_EXPONENTS = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3}
_HEADER_BYTES = 10
_SCALE = 4


def _bare(node: Any) -> Any:  # noqa: ANN401  a schema is JSON
    if isinstance(node, dict):
        return {name: _bare(value) for name, value in node.items() if name != "logicalType"}
    return [_bare(each) for each in node] if isinstance(node, list) else node


_EVENT = fastavro.parse_schema(_bare(schema("commerce_event")))
_SESSION = fastavro.parse_schema(_bare(schema("session_attribution")))


def _units(amount: bytes | None, exponent: int) -> int:
    if amount is None:
        return 0
    divisor: int = 10 ** (_SCALE - exponent)
    return int.from_bytes(amount, "big", signed=True) // divisor


def body_of(value: bytes, tokens: dict[str, str]) -> bytes:
    """Return the JSON body for a purchase."""
    event: Any = fastavro.schemaless_reader(io.BytesIO(memoryview(value)[_HEADER_BYTES:]), _EVENT)
    action = event["product_action"]
    exponent = _EXPONENTS[event["currency_code"]]
    identities = {each["identity_type"]: each["identity"] for each in event["user_identities"]}
    seconds, milliseconds = divmod(event["occurred_at"], 1000)
    date = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    lines = []
    for product in action["products"]:
        quantity = _units(product["quantity"], 0)
        lines.append(
            {
                "identifier": product["id"],
                "total": _units(product["price"], exponent) * quantity,
                "quantity": quantity,
                "sku": product["id"],
                "category": [product["category"]],
                "description": product["name"],
            },
        )
    return orjson.dumps(
        {
            "total": _units(action["total_amount"], exponent)
            - _units(action["tax_amount"], exponent)
            - _units(action["shipping_amount"], exponent),
            "currency": event["currency_code"],
            "order_id": action["transaction_id"],
            "purchase_date": f"{date}.{milliseconds:03}Z" if milliseconds else f"{date}Z",
            "btn_ref": tokens[event["session_uuid"]],
            "customer": {
                "id": identities["customer_id"],
                "email_sha256": sha256(identities["email"].strip().lower().encode()).hexdigest(),
            },
            "line_items": lines,
        },
    )


def _consumer(bootstrap_servers: str, topic: str) -> tuple[Consumer, int]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "bare-loop",
            "enable.auto.commit": False,
            "enable.partition.eof": False,
        },
    )
    partitions = list(consumer.list_topics(timeout=10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1] for partition in partitions]
    return consumer, sum(ends)


def read_tokens(bootstrap_servers: str, topic: str) -> dict[str, str]:
    """Read the sessions topic to its end."""
    consumer, left = _consumer(bootstrap_servers, topic)
    tokens: dict[str, str] = {}
    while left:
        for message in consumer.consume(1000, 1.0):
            value = message.value()
            assert value is not None  # noqa: S101  the workload has no tombstones
            session: Any = fastavro.schemaless_reader(io.BytesIO(value[_HEADER_BYTES:]), _SESSION)
            tokens[session["session_uuid"]] = session["btn_ref"]
            left -= 1
    consumer.close()
    return tokens


async def _run(arguments: argparse.Namespace) -> None:
    tokens = read_tokens(arguments.bootstrap_servers, arguments.sessions_topic)
    consumer, left = _consumer(arguments.bootstrap_servers, arguments.topic)
    client = (
        ClientBuilder()
        .default_headers({"content-type": "application/json", "authorization": "Basic c2stYmVuY2g6"})
        .max_connections(arguments.concurrency)
        .build()
    )
    url = f"{arguments.url}/v1/order"
    values: asyncio.Queue[bytes] = asyncio.Queue(arguments.concurrency)
    loop = asyncio.get_running_loop()

    async def post() -> None:
        while True:
            body = body_of(await values.get(), tokens)
            response = await client.post(url).body_bytes(body).build().send()
            await response.bytes()

    workers = [loop.create_task(post()) for _ in range(arguments.concurrency)]
    while left:
        messages = await loop.run_in_executor(None, consumer.consume, 500, 1.0)
        for message in messages:
            value = message.value()
            if value is not None:
                await values.put(value)
        left -= len(messages)
    await asyncio.gather(*workers)  # Idle by now; the driver ends the process.


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--sessions-topic", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--concurrency", type=int, default=64)
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
