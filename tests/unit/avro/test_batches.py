# SPDX-License-Identifier: Apache-2.0
"""Several events in one record: in order, each for itself, with what the batch says of the user."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector.avro.decoding import AvroDecoder
from connector.avro.writers import bind_writer
from connector.domain.events import CommerceEvent, Consent, Device
from connector.domain.orders import Reject
from connector.engine.ports import RawRecord, TopicPartition
from tests.support.avro_records import purchase, refund, schema, single_object, small_event, small_event_schema

DECODER = AvroDecoder()
BATCH = schema("commerce_event_batch")


def with_decimals(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its amounts as the writer wants them."""
    action = event["product_action"]
    lines = [{**line, "price": Decimal(line["price"]), "quantity": Decimal(1)} for line in action.get("products", ())]
    total = {"total_amount": Decimal(action["total_amount"])} if "total_amount" in action else {}
    return {**event, "product_action": {**action, **total, "products": lines}}


def decode(batch: dict[str, Any], writer: dict[str, Any] = BATCH) -> list[CommerceEvent | Reject]:
    """Return the events of a batch after a way through the wire."""
    decoder = DECODER if writer is BATCH else AvroDecoder([writer])
    record = RawRecord(TopicPartition("orders", 0), 7, b"key", single_object(batch, writer), (), 0)
    decoded = decoder.decode(record)
    assert isinstance(decoded, list)
    return decoded


def decoded_event(batch: dict[str, Any], index: int = 0) -> CommerceEvent:
    """Return one event, which must be good."""
    event = decode(batch)[index]
    assert isinstance(event, CommerceEvent)
    return event


def test_the_batchs_events_are_the_event_schemas() -> None:
    """One event means the same alone and in a batch."""
    events = next(field for field in BATCH["fields"] if field["name"] == "events")
    assert events["type"]["items"] == schema("commerce_event")


def test_events_come_in_the_order_of_the_batch() -> None:
    """A refund behind its purchase stays behind it."""
    events = [with_decimals(each) for each in (purchase("a"), refund("a"), purchase("b"))]
    decoded = decode({"events": events})
    assert [(event.action, event.order_id) for event in decoded if isinstance(event, CommerceEvent)] == [
        ("purchase", "a"),
        ("refund", "a"),
        ("purchase", "b"),
    ]


def test_an_event_inherits_what_it_does_not_say() -> None:
    """Who the user is, where and with which consent is said once for all events."""
    event = with_decimals(purchase("a", mpid=None, environment=None))
    batch = {
        "events": [event],
        "mpid": -5,
        "environment": "development",
        "user_identities": [{"identity_type": "email", "identity": "a@example.com"}],
        "device_info": {"platform": "iOS"},
        "consent_state": {"gdpr": {"advertising": {"consented": True}}},
        "integration_attributes": {"1022": {"com.usebutton.source_token": "srctok-1"}},
    }
    inherited = decoded_event(batch)
    assert (inherited.mpid, inherited.environment) == ("-5", "development")
    assert inherited.identities == {"email": "a@example.com"}
    assert inherited.device == Device("iOS")
    assert inherited.consent == Consent({"advertising": True})
    assert inherited.integration_attributes == {"1022": {"com.usebutton.source_token": "srctok-1"}}


def test_what_an_event_says_itself_counts() -> None:
    """An event of another device or user is not overridden by its batch."""
    own = purchase(
        "a",
        mpid=7,
        environment="production",
        user_identities=[{"identity_type": "customer_id", "identity": "c-1"}],
        device={"platform": "Android"},
        consent_state={"gdpr": {}, "ccpa_data_sale_opt_out": True},
        integration_attributes={"1022": {"com.usebutton.source_token": "own"}},
    )
    batch = {
        "events": [with_decimals(own)],
        "mpid": 8,
        "environment": "development",
        "user_identities": [{"identity_type": "email", "identity": "a@example.com"}],
        "device_info": {"platform": "iOS"},
        "consent_state": {"gdpr": {"advertising": {"consented": True}}},
        "integration_attributes": {"1022": {"com.usebutton.source_token": "the batch's"}},
    }
    event = decoded_event(batch)
    assert (event.mpid, event.environment, event.device) == ("7", "production", Device("Android"))
    assert event.identities == {"customer_id": "c-1"}
    assert event.consent == Consent({}, ccpa_opted_out=True)
    assert event.integration_attributes == {"1022": {"com.usebutton.source_token": "own"}}


def test_what_tells_events_apart_is_never_inherited() -> None:
    """With the batch's id as their own, all events but the first would be taken for copies."""
    event = with_decimals(purchase("a", source_message_id=None))
    read = decoded_event({"events": [event], "batch_id": 5, "source_request_id": "request-1"})
    assert (read.source_message_id, read.event_id) == (None, None)


def test_one_bad_event_stops_no_other() -> None:
    """It is refused in its place, with its field named."""
    bad = with_decimals(purchase("b", occurred_at=0))
    decoded = decode({"events": [with_decimals(purchase("a")), bad, with_decimals(purchase("c"))]})
    assert [event.order_id for event in decoded if isinstance(event, CommerceEvent)] == ["a", "c"]
    refused = decoded[1]
    assert isinstance(refused, Reject)
    assert refused.reason == "bad_time"
    assert refused.message.startswith("events[].occurred_at")


def test_a_batch_without_events_has_none() -> None:
    """Such batches are what mParticle sends by default."""
    assert decode({"events": []}) == []


def own_batch(event: dict[str, Any], **fields: object) -> dict[str, Any]:
    """Return a batch of a writer's own making around events of its own making."""
    types = {"events": ["null", {"type": "array", "items": event}], **fields}
    return {
        "type": "record",
        "name": "OwnBatch",
        "fields": [{"name": name, "type": type_} for name, type_ in types.items()],
    }


def test_a_writers_own_batch_is_known_by_its_events() -> None:
    """Its fields are found by name, as in a single event; a null array is an empty batch."""
    writer = own_batch(small_event_schema("string"), mpid="long", user_identities={"type": "map", "values": "string"})
    batch = {"events": [small_event("1.50")], "mpid": 2**60, "user_identities": {"email": "a@example.com"}}
    (event,) = decode(batch, writer)
    assert isinstance(event, CommerceEvent)
    assert (event.order_id, event.mpid, event.identities) == ("order-1", str(2**60), {"email": "a@example.com"})
    assert decode({**batch, "events": None}, writer) == []


def test_a_batch_whose_events_lack_something_names_them_as_the_batchs() -> None:
    """The path says where the field belongs."""
    event = small_event_schema("string")
    event["fields"] = [field for field in event["fields"] if field["name"] != "occurred_at"]
    refused = bind_writer(own_batch(event))
    assert isinstance(refused, Reject)
    assert "lacks what an order needs: events[].occurred_at;" in refused.message


@pytest.mark.parametrize("events", ["string", {"type": "array", "items": "long"}])
def test_a_batch_without_records_is_refused_by_name(events: object) -> None:
    """What is called events and is none cannot be read."""
    refused = bind_writer({"type": "record", "name": "B", "fields": [{"name": "events", "type": events}]})
    assert isinstance(refused, Reject)
    assert "events (" in refused.message
    assert "where an array of records is expected" in refused.message


def test_an_event_with_a_field_called_events_is_still_an_event() -> None:
    """A product action of its own says that the record is the event."""
    writer = small_event_schema("string", events={"type": "array", "items": "long"})
    (event,) = decode(small_event("1.50", events=[1, 2]), writer)
    assert isinstance(event, CommerceEvent)
