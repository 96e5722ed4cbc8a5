# SPDX-License-Identifier: Apache-2.0
"""What a shop says while everything goes wrong around its connector, made up by a seed.

Owns the orders, their events in the order in which they are written, and what the merchant's books expect of them.
Imports nothing of the connector. What an order's events come to does not depend on the order in which they arrive,
because partitions that are added, and orders that are scattered on purpose, let them cross; the one exception is named
(:attr:`Load.may_be_letters`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.simulation.merchant import Everything, Line, Merchant, Money, Pieces, Said, Sale
from tests.support.avro_records import encode_event, encode_session, purchase, refund, session
from tests.support.generator import Produced

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_MS = 1_767_225_600_000
_SKUS = "ABCDE"
_LIFE_SECONDS = 12.0
"""How far apart the events of one order may be said."""
REFUSED = "refused-"
"""What begins the id of an order that Button does not take."""


class Letter(NamedTuple):
    """A dead letter by the record that it is made of and its reason."""

    value: bytes
    reason: str


class Saying(NamedTuple):
    """A record and when it is due; ``place`` picks its partition, ``None`` leaves that to its key."""

    due_seconds: float
    record: Produced
    place: float | None = None


@dataclass(slots=True)
class Load:
    """What is written, in order, and what must come of it."""

    sayings: list[Saying] = field(default_factory=list)
    sessions: list[Produced] = field(default_factory=list)
    merchant: Merchant = field(default_factory=Merchant)
    events: dict[bytes, Said] = field(default_factory=dict)
    """What a record's value says; a copy has the same value."""
    tokens: dict[str, str] = field(default_factory=dict)
    letters: set[Letter] = field(default_factory=set)
    may_be_letters: set[Letter] = field(default_factory=set)
    """Parts that are taken back of an order of which all is: where the whole comes first, nothing is left for them."""


def make_load(seed: int, seconds: float, per_second: float) -> Load:
    """Return about so many records per second, over so many seconds; the same for the same seed."""
    random, load = Random(f"load {seed}"), Load()  # noqa: S311  play money
    written = number = 0
    while written < seconds * per_second:
        begin = written / per_second
        for saying in _order(random, load, number):
            latest = max(begin, seconds - 0.5)
            load.sayings.append(saying._replace(due_seconds=min(begin + saying.due_seconds, latest)))
            written += 1
        number += 1
    load.sayings.sort(key=_due)
    return load


def _due(saying: Saying) -> float:
    return saying.due_seconds


def _order(random: Random, load: Load, number: int) -> Iterator[Saying]:
    """Yield what is said of one order, with the seconds since its first word."""
    if number % 60 == 59:
        yield _cut(load, number)
        return
    order_id = f"{REFUSED if number % 60 == 29 else 'order-'}{number:06}"
    said = _said(random, order_id, number)
    if order_id.startswith(REFUSED):
        said = said[:1]
        load.merchant.order(order_id).refused_as = "http_400"
        load.letters.add(Letter(_value(load, random, said[0]), "http_400"))
    is_scattered = random.random() < 0.15
    takes_all = any(isinstance(each.what, Everything) for each in said)
    at = 0.0
    for each in _as_it_is_said(random, said):
        load.merchant.hear(each)
        value = _value(load, random, each)
        if takes_all and isinstance(each.what, Pieces | Money):
            load.may_be_letters.add(Letter(value, "over_refund"))
        place = random.random() if is_scattered else None
        yield Saying(at, Produced(order_id.encode(), value, order_id), place)
        at += 0.0 if random.random() < 0.4 else random.random() * _LIFE_SECONDS / 3


def _said(random: Random, order_id: str, number: int) -> list[Said]:
    """Return a sale and what is taken back of it."""
    lines = tuple(
        Line(sku, random.randrange(100, 3_000), random.randrange(1, 5))
        for sku in random.sample(_SKUS, random.randrange(1, 5))
    )
    sale = Sale(lines, random.choice((0, 137, 250)), random.choice((0, 499)))
    returns: list[Everything | Pieces | Money] = []
    chance = random.random()
    if 0.5 <= chance < 0.8 or chance >= 0.95:
        returns += _pieces(random, lines, keeps_one=chance >= 0.75)
    if 0.75 <= chance < 0.88:
        least = min(line.price for line in lines)
        returns.append(Money(random.randrange(1, least // 2), 0, 0))
    if chance >= 0.88:
        returns.append(Everything())
    at_ms = _FIRST_MS + number * 1_000
    whats = [sale, *returns]
    return [Said(f"{order_id}/{index}", order_id, at_ms + index, what) for index, what in enumerate(whats)]


def _pieces(random: Random, lines: tuple[Line, ...], *, keeps_one: bool) -> list[Everything | Pieces | Money]:
    """Return pieces of some lines, each line's in an event of its own; one piece of the first line may have to stay."""
    chosen = random.sample(lines, random.randrange(1, len(lines) + 1))
    most = {line.sku: line.quantity - (keeps_one and line is lines[0]) for line in chosen}
    return [
        Pieces(((line.sku, random.randrange(1, most[line.sku] + 1), line.price),)) for line in chosen if most[line.sku]
    ]


def _as_it_is_said(random: Random, said: list[Said]) -> list[Said]:
    """Return the events as they are written: now and then a return before its sale, now and then one again."""
    if len(said) > 1 and random.random() < 0.2:
        said = [said[1], said[0], *said[2:]]
    again = [] if said[0].order_id.startswith(REFUSED) else [each for each in said if random.random() < 0.08]
    return said + again


def _cut(load: Load, number: int) -> Saying:
    whole = encode_event(purchase(f"cut-{number}"))
    value = whole[: len(whole) // 2]
    load.letters.add(Letter(value, "truncated_avro"))
    return Saying(0.0, Produced(b"cut", value))


def _value(load: Load, random: Random, said: Said) -> bytes:
    """Return the record's value, which is the same for the same event."""
    order_id, what = said.order_id, said.what
    more: dict[str, Any] = {"source_message_id": said.event_id, "occurred_at": said.at_ms}
    if isinstance(what, Sale):
        if order_id not in load.tokens and random.random() < 0.5:
            token, name = f"srctok-{order_id}", f"SESSION-{order_id}"
            load.tokens[order_id] = token
            load.sessions.append(Produced(name.encode(), encode_session(session(name, token, said.at_ms - 60_000))))
        value = encode_event(purchase(order_id, **more, product_action=_sale(order_id, what)))
    else:
        value = encode_event(refund(order_id, **more, product_action=_return(order_id, what)))
    load.events[value] = said
    return value


def _sale(order_id: str, sale: Sale) -> dict[str, Any]:
    return {
        "action": "purchase",
        "transaction_id": order_id,
        "total_amount": _major(sale.gross),
        "tax_amount": _major(sale.tax),
        "shipping_amount": _major(sale.shipping),
        "products": [_product(line.sku, line.quantity, line.price) for line in sale.lines],
    }


def _return(order_id: str, what: Everything | Pieces | Money) -> dict[str, Any]:
    action: dict[str, Any] = {"action": "refund", "transaction_id": order_id}
    if isinstance(what, Pieces):
        action["products"] = [_product(sku, quantity or 1, price) for sku, quantity, price in what.items]
    if isinstance(what, Money):
        action["total_amount"] = _major(what.gross)
        action |= {"tax_amount": _major(what.tax or 0), "shipping_amount": _major(what.shipping or 0)}
    return action


def _product(sku: str, quantity: int, price: int) -> dict[str, Any]:
    return {"id": sku, "name": f"Product {sku}", "price": _major(price), "quantity": quantity}


def _major(cents: int) -> str:
    return str(Decimal(cents).scaleb(-2))
