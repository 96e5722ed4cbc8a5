# SPDX-License-Identifier: Apache-2.0
"""What is left of an order when refunds are taken off it.

Owns the arithmetic of refunds. All of it is in whole minor units: nothing is lost between the lines and the total, and
taking everything back leaves exactly nothing. Lines never fall below zero; that a refund asks for more than is left is
said beside the result, and what follows from it is for others to decide.

- A refund of products takes pieces of lines. ``k`` of the ``n`` pieces that are left of a line are worth ``k/n`` of
  what is left of its total, rounded down, so all of them are worth all of it. The prices in the refund only find the
  line. The order's total falls by as much as its lines do. Nothing is left when no piece is.
- A refund of an amount alone takes off the total. Amounts are gross: less their own tax and shipping where they have
  any, else by the order's ratio of net to gross, rounded half up over all such amounts taken together, so that amounts
  that make up the whole gross total make up the whole net total. Nothing is left when the total is nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.domain.amounts import minor_units_of
from connector.domain.money import find_currency, times, to_minor_units
from connector.domain.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.domain.facts import Refund, RefundedLine
    from connector.domain.money import Amount, Currency
    from connector.domain.orders import LineItem, Order

_MAX_SHOWN_CHARACTERS = 60


class Balance(NamedTuple):
    """What is left of an order, in minor units.

    ``pieces`` and ``totals`` are what is left of each line of ``purchased``; ``gross`` is the purchase's total with
    tax and shipping (its net total where it gave none); ``netted`` the gross amounts that were netted by ratio so far.
    """

    purchased: Order
    gross: int
    pieces: tuple[int, ...]
    totals: tuple[int, ...]
    total: int
    netted: int = 0
    is_empty: bool = False


class Applied(NamedTuple):
    """The balance after a refund; ``is_over`` says that it asked for more than was left."""

    balance: Balance
    is_over: bool = False


def opened(order: Order, gross_total: int | None) -> Balance:
    """Return the balance of an order of which nothing was taken back yet."""
    lines = order.line_items
    return Balance(
        order,
        order.total if gross_total is None else gross_total,
        tuple(line.quantity for line in lines),
        tuple(line.total for line in lines),
        order.total,
    )


def order_left(balance: Balance) -> Order:
    """Return the order as it stands; lines of which nothing is left are gone."""
    purchased = balance.purchased
    lines = tuple(
        line._replace(total=total, quantity=pieces)
        for line, pieces, total in zip(purchased.line_items, balance.pieces, balance.totals, strict=True)
        if pieces
    )
    return purchased._replace(total=balance.total, line_items=lines)


def take(balance: Balance, refund: Refund) -> Applied | Reject:
    """Return what a refund leaves, or why it cannot be applied to this order at all."""
    if refund.amount is None and not refund.lines:
        return Applied(_emptied(balance))
    currency = find_currency(balance.purchased.currency)
    if currency is None or (refund.currency is not None and find_currency(refund.currency) != currency):
        return Reject(
            "refund_currency_mismatch",
            f"currency_code of the refund is {str(refund.currency)[:_MAX_SHOWN_CHARACTERS]!a}, its order's is "
            f"{balance.purchased.currency[:_MAX_SHOWN_CHARACTERS]!a}; send refunds in the order's currency",
        )
    if refund.lines and (balance.purchased.line_items or refund.amount is None):
        return _take_lines(balance, refund.lines, currency)
    # An order that was told without lines has only its total to take from.
    return Applied(balance) if refund.amount is None else _take_amount(balance, refund, refund.amount, currency)


def _emptied(balance: Balance) -> Balance:
    nothing = (0,) * len(balance.pieces)
    return balance._replace(pieces=nothing, totals=nothing, total=0, is_empty=True)


def _take_lines(balance: Balance, refunded: Sequence[RefundedLine], currency: Currency) -> Applied | Reject:
    pieces, totals, is_over = list(balance.pieces), list(balance.totals), False
    for line in refunded:
        found = _lines_of(line, balance.purchased.line_items, currency)
        if not found:
            shown = (line.sku or line.name or "no id")[:_MAX_SHOWN_CHARACTERS]
            return Reject(
                "unknown_product",
                f"the refund names the product {shown!a}, which its order does not have; send the id (or, without one, "
                "the name) that it had in the purchase",
            )
        is_over |= _take_pieces(line.quantity, found, pieces, totals)
    taken = sum(balance.totals) - sum(totals)
    # Discounts on the whole order are in the total alone, so it may be worth less than its lines.
    left = balance._replace(pieces=tuple(pieces), totals=tuple(totals), total=max(0, balance.total - taken))
    return Applied(left if any(pieces) else _emptied(left), is_over)


def _take_pieces(quantity: int | None, found: Sequence[int], pieces: list[int], totals: list[int]) -> bool:
    """Take pieces off the lines ``found``, one line after the other; return whether more were asked for than left.

    Without a quantity it is the first of them of which anything is left, as a whole.
    """
    if quantity is None:
        quantity = next((pieces[index] for index in found if pieces[index]), 1)
    for index in found:
        taken = min(quantity, pieces[index])
        if taken:
            totals[index] -= totals[index] * taken // pieces[index]
            pieces[index] -= taken
            quantity -= taken
    return quantity > 0


def _lines_of(refunded: RefundedLine, lines: Sequence[LineItem], currency: Currency) -> list[int]:
    """Return which lines a refunded product may be, the best first: at the same price, then in order."""
    if refunded.sku is not None:
        found = [index for index, line in enumerate(lines) if line.sku == refunded.sku]
        # What Button shows of an order that somebody else reported may name its lines by the identifier alone.
        found = found or [index for index, line in enumerate(lines) if line.identifier == refunded.sku]
    else:
        found = [index for index, line in enumerate(lines) if refunded.name in (line.description, line.identifier)]
    return sorted(found, key=lambda index: not _is_priced(refunded, lines[index], currency)) if found[1:] else found


def _is_priced(refunded: RefundedLine, line: LineItem, currency: Currency) -> bool:
    """Return whether a product was refunded at what a piece of the line was sold for."""
    if refunded.unit_price is not None and _comes_to(refunded.unit_price, line.quantity, currency, line.total):
        return True
    if refunded.total is None or refunded.quantity is None:
        return False
    return _comes_to(refunded.total, line.quantity, currency, line.total * refunded.quantity)


def _comes_to(amount: Amount, count: int, currency: Currency, minor_units: int) -> bool:
    return to_minor_units(times(amount, count), currency) == minor_units


def _take_amount(balance: Balance, refund: Refund, amount: Amount, currency: Currency) -> Applied | Reject:
    gross = minor_units_of("product_action.total_amount", amount, currency)
    if isinstance(gross, Reject):
        return gross
    if gross == balance.gross and not refund.is_new_total:
        return Applied(_emptied(balance))
    netted = balance.netted
    if refund.tax is None and refund.shipping is None:
        before = 0 if refund.is_new_total else netted
        net = _net_share(balance, before + gross) - _net_share(balance, before)
        netted = netted if refund.is_new_total else netted + gross
    else:
        own = _less_own_parts(gross, refund, currency)
        if isinstance(own, Reject):
            return own
        net = own
    wanted = balance.total - net if refund.is_new_total else net
    is_over = not 0 <= wanted <= balance.total
    if wanted >= balance.total and (wanted > 0 or not gross):
        return Applied(_emptied(balance), is_over)
    return Applied(_reduced(balance, max(0, wanted), refund)._replace(netted=netted), is_over)


def _net_share(balance: Balance, gross: int) -> int:
    """Return what a gross amount is worth without tax and shipping, by the order's ratio, rounded half up."""
    if not balance.gross:
        return gross
    return (2 * gross * balance.purchased.total + balance.gross) // (2 * balance.gross)


def _less_own_parts(gross: int, refund: Refund, currency: Currency) -> int | Reject:
    net = gross
    for name, part in (("tax_amount", refund.tax), ("shipping_amount", refund.shipping)):
        minor_units = 0 if part is None else minor_units_of(f"product_action.{name}", part, currency)
        if isinstance(minor_units, Reject):
            return minor_units
        net -= minor_units
    if net < 0:
        return Reject(
            "negative_total",
            "product_action.total_amount of the refund less its tax_amount and shipping_amount is less than nothing; "
            "send the whole amount that was given back, with the tax and shipping that are in it",
        )
    return net


def _reduced(balance: Balance, taken: int, refund: Refund) -> Balance:
    totals = balance.totals if refund.is_order_level else _spread(balance.totals, taken)
    return balance._replace(totals=totals, total=balance.total - taken)


def _spread(totals: tuple[int, ...], taken: int) -> tuple[int, ...]:
    """Take an amount off lines in proportion to what is left of them, by largest remainder, earlier lines first."""
    worth = sum(totals)
    taken = min(taken, worth)
    if not taken:
        return totals
    shares = [divmod(taken * total, worth) for total in totals]
    rest = taken - sum(share for share, _ in shares)
    largest = set(sorted(range(len(totals)), key=lambda index: -shares[index][1])[:rest])
    return tuple(
        total - share - (index in largest) for index, (total, (share, _)) in enumerate(zip(totals, shares, strict=True))
    )
