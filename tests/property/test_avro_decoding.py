# SPDX-License-Identifier: Apache-2.0
"""Decoding on generated events and on generated rubbish."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from connector.avro.decoding import AvroDecoder
from connector.avro.session_decoding import SessionDecoder
from connector.domain.events import CommerceEvent
from connector.domain.orders import Reject
from connector.domain.sessions import SessionEntry, SessionProblem, SessionTombstone
from connector.engine.ports import RawRecord, TopicPartition
from tests.support import avro_records

DECODER = AvroDecoder()
SESSIONS = SessionDecoder()

text = st.none() | st.text(max_size=20)
long = st.integers(-(2**63), 2**63 - 1)
identifier = st.none() | long | st.text(max_size=20)
amount = st.none() | st.decimals(-(10**15), 10**15, places=4)
quantity = st.none() | st.decimals(-(10**13), 10**13, places=4)
attributes = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
time_ms = st.integers(100_000_000_000, 253_402_300_799_999)


def records(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a record in which any field may be left out but those that have no default."""
    needed = {
        name: fields.pop(name) for name in ("action", "occurred_at", "identity_type", "consented") if name in fields
    }
    return st.fixed_dictionaries(needed, optional=fields)


products = st.lists(
    records(
        id=text,
        name=text,
        brand=text,
        category=text,
        variant=text,
        price=amount,
        quantity=quantity,
        total_product_amount=amount,
        coupon_code=text,
        custom_attributes=attributes,
    ),
    max_size=3,
)  # fmt: skip  one field a line would be a page
actions = records(
    action=st.text(max_size=10),
    transaction_id=text,
    affiliation=text,
    total_amount=amount,
    tax_amount=amount,
    shipping_amount=amount,
    coupon_code=text,
    products=products,
)  # fmt: skip  one field a line would be a page
events = records(
    occurred_at=time_ms,
    environment=text,
    source_channel=text,
    source_message_id=text,
    event_id=identifier,
    session_uuid=text,
    session_id=identifier,
    mpid=identifier,
    currency_code=text,
    product_action=st.none() | actions,
    user_identities=st.lists(records(identity_type=st.text(max_size=8), identity=text), max_size=3),
    device=st.none() | records(platform=text, ios_advertising_id=text, limit_ad_tracking=st.none() | st.booleans()),
    consent_state=st.none()
    | records(
        gdpr=st.dictionaries(st.text(max_size=8), records(consented=st.booleans(), timestamp=time_ms), max_size=2),
        ccpa_data_sale_opt_out=st.none() | st.booleans(),
    ),
    integration_attributes=st.dictionaries(st.text(max_size=8), attributes, max_size=2),
    custom_attributes=attributes,
    user_attributes=attributes,
)  # fmt: skip  one field a line would be a page


def decode(value: bytes) -> CommerceEvent | Reject:
    """Return the one event of a value, or why there is none."""
    decoded = DECODER.decode(RawRecord(TopicPartition("orders", 0), 0, None, value, (), 0))
    if isinstance(decoded, Reject):
        return decoded
    assert isinstance(decoded, list)
    (event,) = decoded
    assert isinstance(event, CommerceEvent | Reject)
    return event


def as_text(value: object) -> str | None:
    """Return what text or an id must arrive as."""
    return None if value is None or not str(value).strip() else str(value)


def as_number(value: tuple[int, int] | None) -> Decimal | None:
    """Return a decoded amount as the number that was written."""
    return None if value is None else Decimal(value[0]).scaleb(-value[1])


@given(events)
def test_every_event_that_can_be_written_is_read_as_it_was(written: dict[str, Any]) -> None:
    """Fastavro writes, the connector reads: ids, text, amounts, maps and lines are those of the producer."""
    read = decode(avro_records.encode_event(written))
    assert isinstance(read, CommerceEvent)
    action = written.get("product_action") or {}
    assert read.occurred_at_ms == written["occurred_at"]
    for name in ("environment", "source_message_id", "event_id", "session_uuid", "session_id", "mpid"):
        assert getattr(read, name) == as_text(written.get(name))
    assert (read.currency, read.order_id) == (
        as_text(written.get("currency_code")),
        as_text(action.get("transaction_id")),
    )
    for name in ("total_amount", "tax_amount", "shipping_amount"):
        assert as_number(getattr(read, name)) == action.get(name)
    lines = action.get("products", [])
    assert [as_number(line.price) for line in read.products] == [line.get("price") for line in lines]
    assert [as_number(line.quantity) for line in read.products] == [line.get("quantity") for line in lines]
    assert [line.sku for line in read.products] == [as_text(line.get("id")) for line in lines]
    assert read.custom_attributes == {k: v for k, v in written.get("custom_attributes", {}).items() if v.strip()}
    consent = written.get("consent_state")
    assert (read.consent is None) == (consent is None)
    if read.consent is not None and consent is not None:
        assert read.consent.gdpr == {k: v["consented"] for k, v in consent.get("gdpr", {}).items()}


@given(events, st.data())
def test_no_prefix_of_a_record_is_an_event(written: dict[str, Any], data: st.DataObject) -> None:
    """A record that was cut short is always noticed."""
    value = avro_records.encode_event(written)
    assert isinstance(decode(value[: data.draw(st.integers(0, len(value) - 1))]), Reject)


@given(st.binary(max_size=200))
@example(b"\x01" * 100)
def test_rubbish_behind_a_good_header_never_raises(body: bytes) -> None:
    """Whatever follows the header ends as an event or as a named reason."""
    header = avro_records.header(avro_records.schema("commerce_event"))
    result = decode(header + body)
    assert isinstance(result, (CommerceEvent, Reject))


@given(events, st.data())
def test_a_damaged_record_never_raises(written: dict[str, Any], data: st.DataObject) -> None:
    """Bytes that were changed on the way end as an event or as a named reason."""
    value = bytearray(avro_records.encode_event(written))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(decode(bytes(value)), (CommerceEvent, Reject))


@given(st.binary(max_size=64))
def test_rubbish_is_never_an_event(value: bytes) -> None:
    """Without the fingerprint of a known schema nothing is read."""
    assert isinstance(decode(value), Reject)


@given(st.none() | st.binary(max_size=40), st.none() | st.binary(max_size=100), st.booleans())
def test_the_session_decoder_never_raises(key: bytes | None, rest: bytes | None, has_header: bool) -> None:  # noqa: FBT001  drawn
    """Any key and any value give an entry, a tombstone or a problem."""
    header = avro_records.header(avro_records.schema("session_attribution")) if has_header else b""
    value = None if rest is None else header + rest
    assert isinstance(SESSIONS.decode(key, value), (SessionEntry, SessionTombstone, SessionProblem))
