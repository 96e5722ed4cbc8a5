# SPDX-License-Identifier: Apache-2.0
"""Producers that share a topic, each with its own way to write an event.

Owns the producers' side of the wire formats. Confluent's is written by Confluent's own serializer, which registers the
schemas; nothing of the connector is imported.
"""

from __future__ import annotations

import copy
import json
from random import Random
from typing import TYPE_CHECKING, Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from tests.support.avro_records import encode_event, schema, with_decimals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SINGLE_OBJECT_SHARE = 0.25
_TEXT_SHARE = 0.25


class MixedWires:
    """Encodes events by turns, as a seed has it: single objects, and Confluent's format with two schemas.

    One of the two is the connector's own, the other a writer's that has amounts as text.
    """

    def __init__(self, registry_url: str, topic: str, seed: int) -> None:
        """Take the registry in which the schemas are registered, with the first event of each."""
        self._client = SchemaRegistryClient({"url": registry_url})
        self._context = SerializationContext(topic, MessageField.VALUE)
        self._random = Random(seed)  # noqa: S311  play money
        self._decimal = self.serializer(schema("commerce_event"))
        self._text = self.serializer(with_text_amounts(schema("commerce_event")))

    def __call__(self, event: Mapping[str, Any]) -> bytes:
        """Return the event as a record's value."""
        draw = self._random.random()
        if draw < _SINGLE_OBJECT_SHARE:
            return encode_event(event)
        if draw < _SINGLE_OBJECT_SHARE + _TEXT_SHARE:
            return self._text(_with_text_quantities(event))
        return self._decimal(with_decimals(event))

    def serializer(self, writer_schema: object) -> Callable[[Mapping[str, Any]], bytes]:
        """Return what writes events by a schema of its own in Confluent's format."""
        serialize = AvroSerializer(self._client, json.dumps(writer_schema))

        def encode(event: Mapping[str, Any]) -> bytes:
            value: bytes = serialize(event, self._context)
            return value

        return encode


def with_text_amounts(writer_schema: Any) -> Any:  # noqa: ANN401  any JSON
    """Return the schema with every decimal as text."""
    if isinstance(writer_schema, list):
        return [with_text_amounts(each) for each in writer_schema]
    if not isinstance(writer_schema, dict):
        return writer_schema
    if writer_schema.get("logicalType") == "decimal":
        return "string"
    return {name: with_text_amounts(each) for name, each in writer_schema.items()}


def _with_text_quantities(event: Mapping[str, Any]) -> dict[str, Any]:
    action = copy.deepcopy(event["product_action"])
    for product in action.get("products", ()):
        product["quantity"] = str(product["quantity"])
    return {**event, "product_action": action}
