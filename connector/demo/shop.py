# SPDX-License-Identifier: Apache-2.0
"""A shop's day as commerce events: what the demo writes to Kafka.

Owns the events, named as in their schemas, and nothing of what they should lead to. The same seed gives the same day,
but for the clock that it is told with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

Event = dict[str, Any]

BUTTON_MODULE_ID = "1022"
TOKEN_KEY = "com.usebutton.source_token"  # noqa: S105  the name of an attribute, not a secret

_MINUTE_MS = 60_000
_CENT, _YEN, _FILS = Decimal("0.01"), Decimal(1), Decimal("0.001")
_CURRENCIES = (("USD", _CENT), ("USD", _CENT), ("USD", _CENT), ("EUR", _CENT), ("JPY", _YEN), ("KWD", _FILS))
_MAX_STEPS = 9_900
_GOODS = (
    ("TEE-BLK-M", "Black tee", "Apparel/Shirts"),
    ("MUG-02", "Enamel mug", "Home/Kitchen"),
    ("CAP-RED", "Red cap", "Apparel/Hats"),
    ("SOCK-3P", "Socks, three pairs", "Apparel/Socks"),
    ("BAG-TOTE", "Tote bag", "Accessories"),
    ("PEN-SET", "Set of pens", "Office"),
)


class Message(NamedTuple):
    """One record to be written; ``is_cut`` makes it a record that nobody can read."""

    key: str
    event: Event
    is_cut: bool = False


@dataclass(slots=True)
class Day:
    """What happened: tokens seen, by session, and commerce events, in order."""

    sessions: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


class _Shopper(NamedTuple):
    session_uuid: str
    mpid: int
    number: int


class Shop:
    """Makes up a day around ``now_ms``."""

    def __init__(self, seed: int, now_ms: int) -> None:
        """Open the shop."""
        self._random = Random(seed)  # noqa: S311  play money
        self._opened_ms = now_ms - 120 * _MINUTE_MS
        self._clock_ms = self._opened_ms + 60 * _MINUTE_MS
        self._orders = 0
        self._messages = 0
        self._day = Day()

    def day(self, orders: int) -> Day:
        """Return a day with so many orders, of which some have two to four events, and one record that is cut."""
        tales = (
            self._plain,
            self._duplicated,
            self._sent_back,
            self._cancelled,
            self._plain,
            self._all_at_once,
        )
        for number in range(orders):
            tales[number % len(tales)](self._shopper())
            if number == orders // 2:
                self._cut(self._shopper())
        return self._day

    # What can happen to an order.

    def _plain(self, shopper: _Shopper) -> None:
        self._browse(shopper)
        self._buy(shopper)

    def _duplicated(self, shopper: _Shopper) -> None:
        bought = self._buy(shopper)
        self._tell(bought)

    def _cancelled(self, shopper: _Shopper) -> None:
        bought = self._buy(shopper)
        self._take_back(shopper, bought)

    def _sent_back(self, shopper: _Shopper) -> None:
        bought = self._buy(shopper, fewest_products=2)
        product = self._random.choice(bought["product_action"]["products"])
        self._take_back(shopper, bought, {"id": product["id"], "quantity": Decimal(1), "price": product["price"]})

    def _all_at_once(self, shopper: _Shopper) -> None:
        bought = self._buy(shopper)
        self._tell(bought)
        refund = self._take_back(shopper, bought)
        self._tell(refund)

    def _cut(self, shopper: _Shopper) -> None:
        self._buy(shopper, is_cut=True)

    # The events.

    def _shopper(self) -> _Shopper:
        """Let somebody in: most of them by a link with a token, some without, one after the purchase."""
        number = self._orders + 1
        session = str(UUID(int=self._random.getrandbits(128))).upper()
        shopper = _Shopper(session, self._random.getrandbits(64) - (1 << 63), number)
        if number % 4 == 1:
            return shopper
        seen_ms = self._opened_ms + self._random.randrange(30 * _MINUTE_MS)
        if number % 7 == 0:
            seen_ms = self._clock_ms + 30 * _MINUTE_MS
        self._day.sessions.append(
            {"session_uuid": session, "mpid": shopper.mpid, "btn_ref": f"srctok-{session[:8]}", "observed_at": seen_ms},
        )
        return shopper

    def _browse(self, shopper: _Shopper) -> None:
        event = self._event(shopper, {"action": "add_to_cart", "products": [self._line(_CENT)]})
        self._tell(event, key=shopper.session_uuid)

    def _buy(
        self,
        shopper: _Shopper,
        *,
        fewest_products: int = 1,
        is_cut: bool = False,
    ) -> Event:
        self._orders += 1
        code, step = _CURRENCIES[self._orders % len(_CURRENCIES)]
        products = [self._line(step) for _ in range(self._random.randint(fewest_products, 3))]
        goods = sum((product["total_product_amount"] for product in products), Decimal(0))
        tax, shipping = self._amount(step, 500), self._amount(step, 800)
        action = {
            "action": "purchase",
            "transaction_id": f"shop-{1000 + self._orders}",
            "total_amount": goods + tax + shipping,
            "tax_amount": tax,
            "shipping_amount": shipping,
            "products": products,
        }
        event = self._event(shopper, action, currency_code=code)
        if shopper.number % 8 == 1:
            event["integration_attributes"] = {BUTTON_MODULE_ID: {TOKEN_KEY: f"srctok-app{self._orders}"}}
        self._tell(event, is_cut=is_cut)
        return event

    def _take_back(self, shopper: _Shopper, bought: Event, *products: Event) -> Event:
        """Take back some products, or the whole order."""
        action = {"action": "refund", "transaction_id": bought["product_action"]["transaction_id"]}
        if products:
            action["products"] = [*products]
        event = self._event(shopper, action, currency_code=bought["currency_code"])
        self._tell(event)
        return event

    def _event(self, shopper: _Shopper, action: Event, **more: object) -> Event:
        self._messages += 1
        self._clock_ms += self._random.randrange(1, 20_000)
        return {
            "occurred_at": self._clock_ms,
            "environment": "production",
            "source_channel": "native",
            "source_message_id": f"message-{self._messages}",
            "session_uuid": shopper.session_uuid,
            "mpid": shopper.mpid,
            "product_action": action,
            "user_identities": [
                {"identity_type": "customer_id", "identity": f"customer-{shopper.number}"},
                {"identity_type": "email", "identity": f" Shopper.{shopper.number}@Example.com "},
            ],
            **more,
        }

    def _tell(self, event: Event, *, key: str | None = None, is_cut: bool = False) -> None:
        order_id = event["product_action"].get("transaction_id", "")
        self._day.messages.append(Message(key or order_id, event, is_cut))

    def _line(self, step: Decimal) -> Event:
        sku, name, category = self._random.choice(_GOODS)
        price, quantity = self._amount(step, _MAX_STEPS), self._random.randint(1, 3)
        return {
            "id": f"{sku}-{self._random.getrandbits(32):08x}",
            "name": name,
            "category": category,
            "price": price,
            "quantity": Decimal(quantity),
            "total_product_amount": price * quantity,
        }

    def _amount(self, step: Decimal, most_steps: int) -> Decimal:
        return step * self._random.randint(1, most_steps)
