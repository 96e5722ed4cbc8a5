# SPDX-License-Identifier: Apache-2.0
"""Orders made up by a seed, and what Button must hold of them in the end.

Owns an expectation that owes the connector nothing: it imports nothing of the domain, reckons with :mod:`decimal`,
and knows the few currencies that it uses by a table of its own. The expected amounts are made first, in minor units,
and the events' amounts from them, so that not even the direction of the arithmetic is shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.avro_records import encode_event, encode_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0, "CLP": 0, "KWD": 3}
BUTTON_MODULE_ID = "1022"

_FIRST_EVENT_MS = 1_767_225_600_000
_SHAPES = ("PP", "PR", "PPR", "PRR", "PPRP", "PPPR", "PL", "PA", "PPL", "PLL", "PLA", "PAL", "PLR", "PLPA", "PALR")
"""The events of an order that has several.

P is its purchase, R a refund of all of it, L of pieces of a line, A of an amount; those after the first are copies.
"""
_CALLS = {"P": "create", "R": "cancel", "L": "update", "A": "update"}
_HOUR_MS = 3_600_000


class Produced(NamedTuple):
    """One record to be produced; ``call`` is what it must make Button be told: create, update, cancel or nothing.

    Without a ``partition`` the key says where it lies.
    """

    key: bytes | None
    value: bytes | None
    order_id: str | None = None
    call: str | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


class ExpectedOrder(NamedTuple):
    """An order as the sandbox must hold it in the end."""

    fields: Mapping[str, Any]
    is_cancelled: bool


class ExpectedLetter(NamedTuple):
    """A dead letter that must be there: the original record, and why."""

    key: bytes | None
    value: bytes | None
    reason: str


@dataclass(slots=True)
class Plan:
    """What to produce, in order, and what must come of it."""

    sessions: list[Produced] = field(default_factory=list)
    records: list[Produced] = field(default_factory=list)
    orders: dict[str, ExpectedOrder] = field(default_factory=dict)
    dead_letters: list[ExpectedLetter] = field(default_factory=list)


def generate(
    seed: int,
    orders: int,
    *,
    plant_wrong_exponent: bool = False,
    encode: Callable[[Mapping[str, Any]], bytes] = encode_event,
) -> Plan:
    """Return the same plan for the same seed; ``plant_wrong_exponent`` spoils what is expected, not what is sent.

    ``encode`` makes an event a record's value.
    """
    decimals = {**DECIMALS, "KWD": 2} if plant_wrong_exponent else DECIMALS
    random = Random(seed)  # noqa: S311  play money
    plan = Plan()
    placed: list[tuple[float, Produced]] = []
    for number in range(orders):
        placed += _order(plan, random, number, decimals, encode)
        if number % 100 == 0:
            placed += _beside(plan, random, number, encode)
    plan.records = [record for _, record in sorted(placed, key=lambda each: each[0])]
    return plan


def _order(
    plan: Plan,
    random: Random,
    number: int,
    decimals: Mapping[str, int],
    encode: Callable[[Mapping[str, Any]], bytes],
) -> list[tuple[float, Produced]]:
    """Add one order; return its records with the places that they take among all others."""
    order_id = f"order-{number:05}"
    shape = random.choice(_SHAPES) if number % 3 == 0 else "P"
    purchase, fields, lines = _purchase(plan, random, order_id, least_pieces=2 if "L" in shape else 1)
    refunds = _refunds(random, purchase, lines, shape)
    events = {"P": purchase, **{letter: refund.event for letter, refund in refunds.items()}}
    values = {letter: encode(events[letter]) for letter in sorted(set(shape))}
    place, records = random.random(), []
    for letter in shape:
        records.append((place, Produced(order_id.encode(), values[letter], order_id, _CALLS[letter])))
        # An equal place stays adjacent, because the sort is stable.
        place += 0.0 if random.random() < 0.5 else random.random() * 0.2
    told = shape.partition("R")[0]  # A cancel leaves an order as it was told last.
    left = _less(lines, [refund for letter, refund in refunds.items() if letter in told])
    wrong = _wrong(decimals, fields["currency"])
    fields = {
        **fields,
        "total": int(sum(line.total for line in left) * wrong),
        "line_items": [line.item(wrong) for line in left],
    }
    plan.orders[order_id] = ExpectedOrder(fields, is_cancelled="R" in shape)
    return records


def _purchase(
    plan: Plan,
    random: Random,
    order_id: str,
    least_pieces: int,
) -> tuple[dict[str, Any], dict[str, Any], list[_Line]]:
    """Return a purchase, what Button must hold of it besides amounts, and its lines."""
    currency = random.choice(sorted(DECIMALS))
    lines = [
        _line(f"sku-{index}", random.randint(10, 99_999), random.randint(least_pieces, 4))
        for index in range(random.randint(1, 3))
    ]
    goods = sum(line.total for line in lines)
    tax, shipping = random.randint(0, 500), random.randint(0, 900)
    occurred_at = _FIRST_EVENT_MS + random.randrange(86_400_000)
    event = {
        "occurred_at": occurred_at,
        "source_message_id": f"purchase-{order_id}",
        "session_uuid": f"SESSION-{order_id}",
        "mpid": random.getrandbits(64) - (1 << 63),
        "currency_code": currency,
        "product_action": {
            "action": "purchase",
            "transaction_id": order_id,
            "total_amount": _major(goods + tax + shipping, currency),
            "tax_amount": _major(tax, currency),
            "shipping_amount": _major(shipping, currency),
            "products": [line.product(currency) for line in lines],
        },
        "user_identities": [{"identity_type": "email", "identity": f"{order_id}@Example.COM "}],
    }
    fields = {
        "order_id": order_id,
        "currency": currency,
        "purchase_date": datetime.fromtimestamp(occurred_at / 1000, UTC).isoformat(),
        "customer": {"email_sha256": sha256(f"{order_id}@example.com".encode()).hexdigest()},
    }
    return event, _with_token(plan, random, event, fields), lines


def _wrong(decimals: Mapping[str, int], currency: str) -> Decimal:
    """Return by what expected amounts are off: amounts are sent right, only a planted table expects them otherwise."""
    return Decimal(10) ** (decimals[currency] - DECIMALS[currency])


class _Line(NamedTuple):
    """A line of which ``quantity`` pieces are left, worth ``total`` minor units."""

    sku: str
    price: int
    quantity: int
    total: int

    def product(self, currency: str) -> dict[str, Any]:
        product = {"id": self.sku, "name": "A thing", "price": _major(self.price, currency), "quantity": self.quantity}
        if self.price % 2:
            product["total_product_amount"] = _major(self.total, currency)
        return product

    def item(self, wrong: Decimal) -> dict[str, Any]:
        total = int(self.total * wrong)
        sku = self.sku
        return {"identifier": sku, "sku": sku, "description": "A thing", "total": total, "quantity": self.quantity}


def _line(sku: str, price: int, quantity: int) -> _Line:
    return _Line(sku, price, quantity, price * quantity)


class _Refund(NamedTuple):
    """A refund: so many pieces of the first line, or so many minor units off all lines, or everything."""

    event: dict[str, Any]
    occurred_at: int
    pieces: int = 0
    amount: int = 0


def _refunds(random: Random, purchase: dict[str, Any], lines: list[_Line], shape: str) -> dict[str, _Refund]:
    """Return the refunds that an order of this shape has; what happened first need not come first."""
    hours = random.sample((1, 2), 2)
    pieces = random.randint(1, max(1, lines[0].quantity - 1))
    worth = sum(line.total for line in lines) - lines[0].price * pieces
    amount = max(1, worth // 10)
    tax, currency = random.randint(0, amount), purchase["currency_code"]
    actions: dict[str, dict[str, Any]] = {
        "L": {"products": [{**lines[0].product(currency), "quantity": pieces, "total_product_amount": None}]},
        "A": {"total_amount": _major(amount + tax, currency), "tax_amount": _major(tax, currency)},
        "R": {},
    }
    times = {"L": hours[0], "A": hours[1], "R": 3}
    refunds = {}
    for letter in sorted(set(shape) - {"P"}):
        occurred_at = purchase["occurred_at"] + times[letter] * _HOUR_MS
        order_id = purchase["product_action"]["transaction_id"]
        event = {
            **purchase,
            "occurred_at": occurred_at,
            "source_message_id": f"refund-{letter}-{order_id}",
            "product_action": {"action": "refund", "transaction_id": order_id, **actions[letter]},
        }
        refunds[letter] = _Refund(event, occurred_at, pieces * (letter == "L"), amount * (letter == "A"))
    return refunds


def _less(lines: list[_Line], refunds: list[_Refund]) -> list[_Line]:
    """Take refunds of parts off lines, in the order in which they happened."""
    for refund in sorted(refunds, key=lambda each: each.occurred_at):
        first, *others = lines
        taken = first.total * refund.pieces // first.quantity
        first = first._replace(quantity=first.quantity - refund.pieces, total=first.total - taken)
        lines = _spread([first, *others], refund.amount)
    return lines


def _spread(lines: list[_Line], amount: int) -> list[_Line]:
    """Take an amount off lines in proportion, by largest remainder; of equal ones the first."""
    worth = sum(line.total for line in lines)
    shares = [Fraction(amount * line.total, worth) for line in lines]
    taken = [int(share) for share in shares]
    by_rest = sorted(range(len(lines)), key=lambda index: taken[index] - shares[index])
    for index in by_rest[: amount - sum(taken)]:
        taken[index] += 1
    return [line._replace(total=line.total - less) for line, less in zip(lines, taken, strict=True)]


def _with_token(plan: Plan, random: Random, event: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Let the order have a token on its event, of its session, none, or one that came too late."""
    source = random.choice(("event", "session", "session", "none", "late"))
    token = f"srctok-{source}-{fields['order_id']}"
    if source == "event":
        event["integration_attributes"] = {BUTTON_MODULE_ID: {"com.usebutton.source_token": token}}
    if source in {"session", "late"}:
        seen = event["occurred_at"] + (3_600_000 if source == "late" else -random.randrange(3_600_000))
        session = {"session_uuid": event["session_uuid"], "btn_ref": token, "observed_at": seen}
        plan.sessions.append(Produced(event["session_uuid"].encode(), encode_session(session)))
    return {**fields, "btn_ref": token} if source in {"event", "session"} else fields


def _beside(
    plan: Plan,
    random: Random,
    number: int,
    encode: Callable[[Mapping[str, Any]], bytes],
) -> list[tuple[float, Produced]]:
    """Return records that are no orders: a cart, a cut record, and one whose amount no currency can hold."""
    cart = encode({"occurred_at": _FIRST_EVENT_MS, "product_action": {"action": "add_to_cart"}})
    fine = encode(
        {
            "occurred_at": _FIRST_EVENT_MS,
            "currency_code": "JPY",
            "product_action": {"action": "purchase", "transaction_id": f"fine-{number}", "total_amount": "0.5"},
        },
    )
    cut = ExpectedLetter(f"cut-{number}".encode(), fine[: len(fine) // 2], "truncated_avro")
    too_fine = ExpectedLetter(f"fine-{number}".encode(), fine, "amount_too_precise")
    plan.dead_letters += [cut, too_fine]
    records = [Produced(b"a-cart", cart), Produced(cut.key, cut.value), Produced(too_fine.key, too_fine.value)]
    return [(random.random(), record) for record in records]


def _major(minor_units: int, currency: str) -> str:
    return str(Decimal(minor_units).scaleb(-DECIMALS[currency]))
