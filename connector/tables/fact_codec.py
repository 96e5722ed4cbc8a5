# SPDX-License-Identifier: Apache-2.0
"""Facts as bytes: the keys and the values of the order ledger's topic.

Owns the format. A key is a JSON array of order id and event id (a parked mark has a third element, so that it stands
beside its event's own fact); all keys of an order lie in one partition. A value is a JSON object that begins with the
format's version. Older versions stay readable for ever, because facts outlive the process that wrote them; newer ones
are refused, because a fact that is half understood would be told wrongly. Within a version nothing changes its
meaning; rows may grow at their end, where the names of the domain have defaults.

What the key says is not said again in the value. Sizes and times: ``docs/adr/0004-facts-as-json.md``.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import orjson

from connector.domain.facts import (
    Fact,
    Mark,
    MarkKind,
    Observed,
    Position,
    Purchase,
    Refund,
    RefundedLine,
    Said,
    UnreadableFactError,
    WaitingRecord,
)
from connector.domain.money import Amount
from connector.domain.orders import LineItem, Order
from connector.tables.fact_shapes import misshapen

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT_VERSION = 1
"""What is written; everything from 1 up to it is read."""

IDENTITY_KEY = b'["ledger"]'
"""The key of the record that says whose ledger this is; no order's key has one element."""

_KIND_AT = len(b'{"v":1,"')
_FACT, _MARK = 2, 3
"""How many elements the key of a fact has, and that of a mark which parks an event."""
_PARKED = "parked"
_LARGEST = 2**63
"""JSON's whole numbers are kept in 64 bits by most who read it; a larger one is written in hexadecimal, as text."""


PURCHASE, REFUND, OBSERVED, MARK = b"p", b"r", b"o", b"m"
"""What a fact says, as the byte that stands for it in the value."""

_READABLE = tuple(
    b'{"v":%d,"%b":' % (version, kind)
    for version in range(1, FORMAT_VERSION + 1)
    for kind in (PURCHASE, REFUND, OBSERVED, MARK)
)


class FactKey(NamedTuple):
    """What a key says."""

    order_id: str
    event_id: str
    is_parked: bool = False


def fact_key(order_id: str, fact: Fact) -> FactKey:
    """Return what the key of an order's fact says."""
    said = fact.said
    return FactKey(order_id, fact.event_id, isinstance(said, Mark) and said.kind is MarkKind.PARKED)


def key_of(order_id: str, fact: Fact) -> bytes:
    """Return the key of an order's fact."""
    return encode_key(fact_key(order_id, fact))


def encode_key(key: FactKey) -> bytes:
    """Return a key as bytes."""
    return orjson.dumps([key[0], key[1], _PARKED] if key[2] else [key[0], key[1]])


def decode_key(key: bytes) -> FactKey | None:
    """Return what a key says; ``None`` if it is no fact's."""
    try:
        parts = orjson.loads(key)
    except orjson.JSONDecodeError:
        return None
    # Written out, because a restore reads a topic's worth of keys.
    if type(parts) is not list:
        return None
    if len(parts) == _FACT:
        order_id, event_id = parts
        is_parked = False
    elif len(parts) == _MARK and parts[2] == _PARKED:
        order_id, event_id, _ = parts
        is_parked = True
    else:
        return None
    return FactKey(order_id, event_id, is_parked) if type(order_id) is type(event_id) is str else None


def partition_of(order_id: str, partitions: int) -> int:
    """Return the partition of all facts of an order: the CRC-32 of its id in UTF-8, modulo the topic's count."""
    return crc32(order_id.encode()) % partitions


def is_readable(value: bytes) -> bool:
    """Return whether a value is of a version that can be decoded; looks at its beginning only."""
    return value.startswith(_READABLE)


def is_newer(value: bytes) -> bool:
    """Return whether a value that is not readable is a newer connector's."""
    version = _version(value)
    return version is not None and version > FORMAT_VERSION


def refusal_of(value: bytes) -> str:
    """Return why a value that is not readable is refused, and the remedy."""
    if not is_newer(value):
        return "it is no fact: another program writes to this topic. Stop it, and delete the record with a tombstone."
    return (
        f"it was written by a newer connector (format {_version(value)}; this one reads up to {FORMAT_VERSION}). "
        "Upgrade this replica first: a fact that is half understood would be told wrongly."
    )


def _version(value: bytes) -> int | None:
    try:
        version = orjson.loads(value)["v"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return None
    return version if type(version) is int else None


def kind_of(value: bytes) -> bytes:
    """Return what a readable value is the fact of, without decoding it."""
    return value[_KIND_AT : _KIND_AT + 1]


def told_of(event_id: str, value: bytes) -> frozenset[str]:
    """Return only the identities that were told with a fact; raises :class:`UnreadableFactError`."""
    try:
        told = orjson.loads(value).get("told", ())
        return frozenset(event_id if each is None else each for each in told)
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        raise UnreadableFactError(_not_as_written(event_id, "told")) from None


def encode_fact(fact: Fact) -> bytes:
    """Return a fact's value."""
    row: dict[str, Any] = {"v": FORMAT_VERSION}
    said = fact.said
    kind = type(said)
    row[_NAMES[kind]] = _WRITERS[kind](said)
    row["at"] = fact.occurred_at_ms
    row["w"] = fact.written_at_ms
    if fact.told:
        own = fact.event_id
        row["told"] = [None if each == own else each for each in fact.told]
    if fact.base >= 0:
        row["base"] = fact.base
    if fact.call:
        row["call"] = fact.call
    if fact.answer:
        row["ans"] = fact.answer
    if fact.button_order_id is not None:
        row["id"] = fact.button_order_id
    if fact.token_source:
        row["tok"] = fact.token_source
    if fact.source is not None:
        row["src"] = [*fact.source]
    if fact.record is not None:
        row["rec"] = _record_row(fact.record)
    return orjson.dumps(row)


def decode_fact(order_id: str, event_id: str, value: bytes) -> Fact:
    """Return the fact that a value holds; raises :class:`UnreadableFactError`."""
    if not value.startswith(_READABLE):
        raise UnreadableFactError(refusal_of(value))
    kind = value[_KIND_AT : _KIND_AT + 1]
    try:
        row = orjson.loads(value)
        wrong = misshapen(row, kind.decode())
        if wrong is None:
            return _fact(order_id, event_id, row, kind)
    except ValueError:  # no JSON, no base64, no number, no such mark
        wrong = kind.decode()
    raise UnreadableFactError(_not_as_written(event_id, wrong))


def _not_as_written(event_id: str, name: str) -> str:
    return (
        f"the ledger's fact of event {event_id!r} cannot be read: its field {name!r} is not as format {FORMAT_VERSION} "
        "has it, so another program writes to ledger.topic. Stop it, and delete the record with a tombstone."
    )


def _fact(order_id: str, event_id: str, row: dict[str, Any], kind: bytes) -> Fact:
    get = row.get
    told = get("told", ())
    source = get("src")
    record = get("rec")
    return Fact(
        event_id,
        _said(order_id, row, kind),
        row["at"],
        tuple([event_id if each is None else each for each in told]),
        get("base", -1),
        get("call", ""),
        get("ans", ""),
        get("id"),
        get("tok", ""),
        None if source is None else Position(*source),
        row["w"],
        None if record is None else _record(record),
    )


def _said(order_id: str, row: dict[str, Any], kind: bytes) -> Said:
    if kind == b"p":
        order, gross_total = row["p"]
        return Purchase(_order(order_id, order), None if gross_total is None else _whole(gross_total))
    name = kind.decode()
    said: Said = _READERS[name](order_id, row[name])
    return said


def _purchase_row(said: Purchase) -> list[Any]:
    gross_total = said.gross_total
    return [_order_row(said.order), None if gross_total is None else _number(gross_total)]


def _order_row(order: Order) -> list[Any]:
    """Return an order without its id, which is in the key, and without its customer, who is nobody's business here."""
    return [
        order.total,
        order.currency,
        order.purchase_date,
        [_line_row(line) for line in order.line_items],
        order.btn_ref,
        order.customer_order_id,
        order.partner_order_channel,
        order.finalization_date,
    ]


def _order(order_id: str, row: Sequence[Any]) -> Order:
    total, currency, date, lines, btn_ref, customer_order_id, channel, finalization_date = row
    return Order(
        order_id,
        total,
        currency,
        date,
        tuple([_line(each) for each in lines]),
        btn_ref,
        None,
        customer_order_id,
        channel,
        finalization_date,
    )


def _line_row(line: LineItem) -> list[Any]:
    identifier, total, quantity, sku, description, category, attributes, upc = line
    attributes = None if attributes is None else dict(attributes)
    return [identifier, total, quantity, sku, description, [*category], attributes, upc]


def _line(row: Sequence[Any]) -> LineItem:
    identifier, total, quantity, sku, description, category, attributes, upc = row
    return LineItem(identifier, total, quantity, sku, description, tuple(category), attributes, upc)


def _refund_row(said: Refund) -> list[Any]:
    amounts = [_amount_row(each) for each in (said.amount, said.tax, said.shipping)]
    lines = [_refunded_row(line) for line in said.lines]
    return [lines, *amounts, said.currency, said.is_new_total, said.is_order_level]


def _refund(_order_id: str, row: Sequence[Any]) -> Refund:
    lines, amount, tax, shipping, *rest = row
    read = tuple([_refunded(each) for each in lines])
    return Refund(read, _amount(amount), _amount(tax), _amount(shipping), *rest)


def _refunded_row(line: RefundedLine) -> list[Any]:
    quantity = None if line.quantity is None else _number(line.quantity)
    return [line.sku, line.name, quantity, _amount_row(line.unit_price), _amount_row(line.total)]


def _refunded(row: Sequence[Any]) -> RefundedLine:
    sku, name, quantity, unit_price, total = row
    return RefundedLine(sku, name, None if quantity is None else _whole(quantity), _amount(unit_price), _amount(total))


def _observed_row(said: Observed) -> list[Any]:
    return [_order_row(said.order), said.is_cancelled]


def _observed(order_id: str, row: Sequence[Any]) -> Observed:
    return Observed(_order(order_id, row[0]), row[1])


def _mark_row(said: Mark) -> list[Any]:
    return [said.kind.value, said.reason]


def _mark(_order_id: str, row: Sequence[Any]) -> Mark:
    return Mark(MarkKind(row[0]), row[1])


def _amount_row(amount: Amount | None) -> list[Any] | None:
    return None if amount is None else [_number(amount.unscaled), amount.scale]


def _amount(row: Sequence[Any] | None) -> Amount | None:
    return None if row is None else Amount(_whole(row[0]), row[1])


def _number(number: int) -> int | str:
    return number if -_LARGEST <= number < _LARGEST else hex(number)


def _whole(written: int | str) -> int:
    return int(written, 16) if isinstance(written, str) else written


def _record_row(record: WaitingRecord) -> list[Any]:
    headers = [[name, _text(value)] for name, value in record.headers]
    return [_text(record.key), _text(record.value), headers, record.timestamp_ms]


def _record(row: Sequence[Any]) -> WaitingRecord:
    key, value, headers, timestamp_ms = row
    read = tuple((name, _bytes(each)) for name, each in headers)
    return WaitingRecord(_bytes(key), b64decode(value), read, timestamp_ms)


def _text(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


_NAMES: dict[type, str] = {Purchase: "p", Refund: "r", Observed: "o", Mark: "m"}
_WRITERS: dict[type, Any] = {Purchase: _purchase_row, Refund: _refund_row, Observed: _observed_row, Mark: _mark_row}
_READERS: dict[str, Any] = {"r": _refund, "o": _observed, "m": _mark}
