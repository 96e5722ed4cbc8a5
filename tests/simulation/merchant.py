# SPDX-License-Identifier: Apache-2.0
"""The merchant's truth: what an order must come to at Button, said as plainly as a shop would.

Owns the expectation of the model-based test: what became of every order, which events end as dead letters and why, and
which wait. Written apart from the connector, and imports nothing of it. Amounts are whole cents.

What a shop says in one breath (a *phase*) may arrive in any order; between phases everything has come to rest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import NamedTuple


class Line(NamedTuple):
    """So many pieces of a product at a price each."""

    sku: str
    price: int
    quantity: int


class Sale(NamedTuple):
    """What was bought; the customer pays tax and shipping on top."""

    lines: tuple[Line, ...]
    tax: int = 0
    shipping: int = 0

    @property
    def net(self) -> int:
        """Return what the lines come to."""
        return sum(line.price * line.quantity for line in self.lines)

    @property
    def gross(self) -> int:
        """Return what the customer paid."""
        return self.net + self.tax + self.shipping


class Everything(NamedTuple):
    """All of the order comes back."""


class Pieces(NamedTuple):
    """Some pieces come back; no number means all pieces of one line."""

    items: tuple[tuple[str, int | None, int], ...]  # SKU, how many, at what price


class Money(NamedTuple):
    """So much money is given back, with or without saying how much tax and shipping is in it."""

    gross: int
    tax: int | None = None
    shipping: int | None = None


class Said(NamedTuple):
    """One event of the shop."""

    event_id: str
    order_id: str
    at_ms: int
    what: Sale | Everything | Pieces | Money


class OverRefundError(Exception):
    """More is taken back than there is."""


class UnknownProductError(Exception):
    """Something is taken back that was never sold."""


@dataclass
class Left:
    """What is left of a sale, line by line."""

    sale: Sale
    pieces: list[int] = field(init=False)
    worth: list[int] = field(init=False)
    total: int = field(init=False)
    by_ratio: int = 0

    def __post_init__(self) -> None:
        """Begin with all of it."""
        self.pieces = [line.quantity for line in self.sale.lines]
        self.worth = [line.price * line.quantity for line in self.sale.lines]
        self.total = self.sale.net

    @property
    def is_nothing(self) -> bool:
        """Return whether all of it came back."""
        return not any(self.pieces)

    def take(self, what: Everything | Pieces | Money) -> None:
        """Take something back; raise where that cannot be."""
        if isinstance(what, Everything) or (isinstance(what, Money) and what.gross == self.sale.gross):
            self._take_all()
        elif isinstance(what, Pieces):
            for sku, quantity, price in what.items:
                self._take_pieces(sku, quantity, price)
        else:
            self._take_money(what)

    def _take_all(self) -> None:
        self.pieces, self.worth, self.total = [0] * len(self.pieces), [0] * len(self.pieces), 0

    def _take_pieces(self, sku: str, quantity: int | None, price: int) -> None:
        lines = [index for index, line in enumerate(self.sale.lines) if line.sku == sku]
        if not lines:
            raise UnknownProductError
        lines.sort(key=lambda index: self.sale.lines[index].price != price)
        if quantity is None:
            quantity = next((self.pieces[index] for index in lines if self.pieces[index]), 1)
        for index in lines:
            taken = min(quantity, self.pieces[index])
            if taken:
                worth = floor(Fraction(self.worth[index] * taken, self.pieces[index]))
                self.worth[index] -= worth
                self.total -= worth
                self.pieces[index] -= taken
                quantity -= taken
        if quantity:
            raise OverRefundError
        if self.is_nothing:
            self.total = 0

    def _take_money(self, what: Money) -> None:
        if what.tax is None and what.shipping is None:
            share = Fraction(self.sale.net, self.sale.gross)
            before, self.by_ratio = self.by_ratio, self.by_ratio + what.gross
            net = floor(self.by_ratio * share + Fraction(1, 2)) - floor(before * share + Fraction(1, 2))
        else:
            net = what.gross - (what.tax or 0) - (what.shipping or 0)
        if net > self.total:
            raise OverRefundError
        if net == self.total and net:
            self._take_all()
            return
        worth, total = sum(self.worth), self.total
        self.total = total - net
        exact = [Fraction(min(net, worth) * each, worth) if worth else Fraction(0) for each in self.worth]
        whole = [floor(each) for each in exact]
        by_remainder = sorted(range(len(exact)), key=lambda index: (whole[index] - exact[index], index))
        for index in by_remainder[: min(net, worth) - sum(whole)]:
            whole[index] += 1
        self.worth = [each - part for each, part in zip(self.worth, whole, strict=True)]


class Open(NamedTuple):
    """An order as Button must have it: its total, and of each product the pieces and what they come to."""

    total: int
    lines: tuple[tuple[str, int, int], ...]


@dataclass
class Order:
    """The merchant's books of one order."""

    sale: Said | None = None
    sales: list[Sale] = field(default_factory=list)
    returns: list[Said] = field(default_factory=list)
    is_cancelled: bool = False
    is_parked: bool = False
    refused_as: str | None = None
    is_final: bool = False

    def left(self, *others: Said) -> Left:
        """Return what is left of the sale less the returns, as they happened."""
        assert self.sale is not None
        assert isinstance(self.sale.what, Sale)
        left = Left(self.sale.what)
        for said in sorted((*self.returns, *others), key=lambda each: (each.at_ms, each.event_id)):
            assert not isinstance(said.what, Sale)
            left.take(said.what)
        return left


class Merchant:
    """The merchant's books."""

    def __init__(self) -> None:
        """Begin with no order."""
        self.orders: dict[str, Order] = {}
        self.letters: set[tuple[str, str]] = set()
        self.endings: Counter[str] = Counter()
        self._taken: set[str] = set()

    def order(self, order_id: str) -> Order:
        """Return the books of an order."""
        return self.orders.setdefault(order_id, Order())

    def hear(self, said: Said) -> None:
        """Take an event into the books; what was taken before counts once."""
        if said.event_id in self._taken:
            self.endings["repeated"] += 1
            return
        order = self.order(said.order_id)
        ending = self._sold(order, said) if isinstance(said.what, Sale) else self._returned(order, said)
        self.endings[ending or "taken"] += 1
        if ending is None:
            self._taken.add(said.event_id)
        elif ending:
            self.letters.add((said.event_id, ending))

    def waiting(self) -> set[str]:
        """Return the returns that wait for their sale."""
        return {said.event_id for order in self.orders.values() if order.sale is None for said in order.returns}

    def at_button(self) -> dict[str, Open]:
        """Return every order that must be open at Button."""
        return {
            order_id: _open(order.left())
            for order_id, order in self.orders.items()
            if order.sale is not None and not order.is_cancelled
        }

    # None: taken into the books; empty: of no consequence; else the reason of a dead letter.

    def _sold(self, order: Order, said: Said) -> str | None:
        assert isinstance(said.what, Sale)
        if said.what in order.sales:
            return ""
        if order.refused_as is not None:
            order.is_parked = True
            return order.refused_as
        ending = None if order.sale is None else _changed(order, order.sale, said)
        if ending is None:
            order.sale = said
            order.sales.append(said.what)
            order.is_cancelled = order.left().is_nothing
        return ending

    def _returned(self, order: Order, said: Said) -> str | None:
        ending = None
        if order.sale is not None:
            ending = _amended(order, said)
        elif order.is_parked:
            ending = "order_parked"
        if ending is None:
            order.returns.append(said)
            order.is_cancelled = order.sale is not None and order.left().is_nothing
        return ending


def _changed(order: Order, sale: Said, said: Said) -> str | None:
    if order.is_cancelled:
        return "purchase_after_cancel"
    if said.at_ms < sale.at_ms:
        return ""
    if order.returns:
        return "changed_after_refund"
    return "finalized" if order.is_final else None


def _amended(order: Order, said: Said) -> str | None:
    if order.is_cancelled:
        return "" if _takes_all(order, said) else "over_refund"
    try:
        left = order.left(said)
    except UnknownProductError:
        return "unknown_product"
    except OverRefundError:
        return "over_refund"
    before = order.left()
    if left == before:
        return ""
    return "finalized" if order.is_final and _open(left) != _open(before) else None


def _takes_all(order: Order, said: Said) -> bool:
    try:
        return Order(order.sale).left(said).is_nothing
    except (OverRefundError, UnknownProductError):
        return False


def _open(left: Left) -> Open:
    lines = zip(left.sale.lines, left.worth, left.pieces, strict=True)
    return Open(left.total, tuple(sorted((line.sku, worth, pieces) for line, worth, pieces in lines if pieces)))
