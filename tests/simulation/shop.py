# SPDX-License-Identifier: Apache-2.0
"""A shop that says anything a shop may say of its orders, one phase after the other.

Owns the choice of what is said next, from a seed and from what the merchant's books hold, and how it looks as an event.
What is said in one phase may arrive in any order and more than once, so a phase holds only what comes to the same
either way; who contradicts himself does so in two phases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.domain.money import Amount
from tests.simulation.merchant import Everything, Left, Line, Merchant, Money, Order, Pieces, Said, Sale
from tests.support.commerce import product, purchase

if TYPE_CHECKING:
    from random import Random

    from connector.domain.events import CommerceEvent

    What = Sale | Everything | Pieces | Money

_BEGINNING_MS = 1_700_000_000_000
_SKUS = "ABCDE"
_NEVER_SOLD = "Z"


class Shop:
    """Says things of its orders; nothing that it says depends on anything but the seed and the books."""

    def __init__(self, random: Random, merchant: Merchant) -> None:
        """Say nothing yet."""
        self._random = random
        self._merchant = merchant
        self._events = 0
        self._now_ms = _BEGINNING_MS
        self._promised: dict[str, Sale] = {}

    def phase(self, order_id: str) -> list[Said]:
        """Return what is said of an order next; some of it twice."""
        self._now_ms += 1000
        order = self._merchant.order(order_id)
        said = [
            self._say(order_id, each) if not isinstance(each, Said) else each for each in self._whats(order_id, order)
        ]
        return said + [each for each in said if self._random.random() < 0.15]

    def _whats(self, order_id: str, order: Order) -> list[What | Said]:
        if order.refused_as is not None:
            return self._of_a_refused_order(order)
        if order.sale is None:
            return self._before_the_sale(order_id, order)
        if order.is_cancelled:
            return self._after_the_end(order)
        return self._in_life(order, order.sale)

    def _of_a_refused_order(self, order: Order) -> list[What | Said]:
        if order.is_parked and self._random.random() < 0.7:
            return [self._any_return(self._sale())]
        return [self._sale()]

    def _before_the_sale(self, order_id: str, order: Order) -> list[What | Said]:
        sale = self._promised.setdefault(order_id, self._sale())
        chance = self._random.random()
        if order.returns and chance < 0.2:
            return [self._random.choice(order.returns)]
        if not order.returns and chance < 0.25:
            return [self._any_return(sale)]
        left = Left(sale)
        for said in order.returns:
            assert not isinstance(said.what, Sale)
            left.take(said.what)
        return [sale, *(self._some_pieces(left) if chance < 0.6 else ())]

    def _in_life(self, order: Order, sale: Said) -> list[What | Said]:
        what = sale.what
        assert isinstance(what, Sale)
        left = order.left()
        choices: list[list[What | Said]] = [
            [sale],
            [self._again(order)],
            [self._sale()],
            [self._say(sale.order_id, self._sale(), at_ms=sale.at_ms - 500)],
            [Pieces(((_NEVER_SOLD, 1, 100),))],
            [Money(what.gross + 1 + self._random.randrange(1000))],
            [self._random.choice((Everything(), Money(what.gross)))],
            [self._money(what, left.total)],
            [self._random.choice(order.returns)] if order.returns else [sale],
            [*self._some_pieces(left)],
        ]
        return self._random.choices(choices, weights=(2, 2, 2, 1, 1, 1, 1, 3, 2, 5))[0]

    def _again(self, order: Order) -> Sale:
        """Say what was said before, as a new event."""
        return self._random.choice(order.sales)

    def _after_the_end(self, order: Order) -> list[What | Said]:
        assert order.sale is not None
        choices: list[What | Said] = [
            order.sale,
            self._again(order),
            self._sale(),
            Everything(),
            Pieces((("A", 1, 100),)),
            self._random.choice(order.returns),
        ]
        return [self._random.choice(choices)]

    def _say(self, order_id: str, what: What, at_ms: int | None = None) -> Said:
        self._events += 1
        return Said(f"event-{self._events:06}", order_id, at_ms or self._now_ms, what)

    def _sale(self) -> Sale:
        chance = self._random
        lines = [
            Line(chance.choice(_SKUS), chance.randrange(1, 3000), chance.randrange(1, 5))
            for _ in range(chance.randrange(1, 4))
        ]
        return Sale(tuple(lines), chance.choice((0, 137, 250)), chance.choice((0, 499)))

    def _any_return(self, sale: Sale) -> What:
        choices: list[What] = [Everything(), self._money(sale, sale.net), *self._some_pieces(Left(sale))]
        return self._random.choice(choices)

    def _money(self, sale: Sale, left: int) -> Money:
        """Give some money back, at most about what is left."""
        net = self._random.randrange(1, max(left, 1) + 1)
        if self._random.random() < 0.5:
            return Money(net)
        tax, shipping = self._random.choice((0, 99)), self._random.choice((None, 0, sale.shipping))
        return Money(net + tax + (shipping or 0), tax, shipping)

    def _some_pieces(self, left: Left) -> list[Pieces]:
        """Return pieces of different products, each in an event of its own: in any order they come to the same."""
        sold: dict[str, int] = {}
        for line, pieces in zip(left.sale.lines, left.pieces, strict=True):
            sold[line.sku] = sold.get(line.sku, 0) + pieces
        skus = [sku for sku, pieces in sold.items() if pieces]
        chosen = self._random.sample(skus, min(len(skus), self._random.randrange(1, 3)))
        return [Pieces((self._pieces_of(sku, sold[sku], left.sale),)) for sku in chosen]

    def _pieces_of(self, sku: str, pieces: int, sale: Sale) -> tuple[str, int | None, int]:
        prices = [line.price for line in sale.lines if line.sku == sku]
        quantity = None if self._random.random() < 0.2 else self._random.randrange(1, pieces + 1)
        return sku, quantity, self._random.choice(prices)


def event_of(said: Said) -> CommerceEvent:
    """Return what was said as it arrives."""
    what = said.what
    base = purchase(
        action="purchase" if isinstance(what, Sale) else "refund",
        order_id=said.order_id,
        occurred_at_ms=said.at_ms,
        source_message_id=said.event_id,
    )
    match what:
        case Sale():
            return base._replace(
                total_amount=Amount(what.gross, 2),
                tax_amount=Amount(what.tax, 2),
                shipping_amount=Amount(what.shipping, 2),
                products=tuple(
                    product(line.sku, price=None)._replace(
                        price=Amount(line.price, 2),
                        quantity=Amount(line.quantity, 0),
                    )
                    for line in what.lines
                ),
            )
        case Everything():
            return base
        case Pieces():
            return base._replace(
                products=tuple(
                    product(sku, price=None)._replace(
                        price=Amount(price, 2),
                        quantity=None if quantity is None else Amount(quantity, 0),
                    )
                    for sku, quantity, price in what.items
                ),
            )
        case Money():
            return base._replace(
                total_amount=Amount(what.gross, 2),
                tax_amount=None if what.tax is None else Amount(what.tax, 2),
                shipping_amount=None if what.shipping is None else Amount(what.shipping, 2),
            )
