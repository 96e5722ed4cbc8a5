# SPDX-License-Identifier: Apache-2.0
"""Whatever an event holds, it is decided about, and what is told of it is right."""

from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.actions import KNOWN_NAMES
from connector.domain.bodies import create_body
from connector.domain.events import CommerceEvent, Product
from connector.domain.lifecycle import decide, order_key
from connector.domain.lines import identifiers_of
from connector.domain.mapping import order_from
from connector.domain.money import Amount
from connector.domain.orders import Cancel, Create, Order, Reject, Skip
from connector.domain.policy import DEFAULT_POLICY
from tests.support.commerce import purchase

_EXPONENTS = {"JPY": 0, "USD": 2, "eur": 2, "KWD": 3, "CLF": 4}
_MARK = "marked-person"
_REASONS = {
    "amount_too_precise",
    "invalid_purchase_date",
    "invalid_quantity",
    "invalid_transaction_id",
    "missing_currency",
    "missing_line_total",
    "missing_total",
    "missing_transaction_id",
    "negative_amount",
    "negative_total",
    "partial_refund_unsupported",
    "sku_too_long",
    "total_out_of_range",
    "unknown_currency",
}

_pieces = st.builds(Amount, st.integers(1, 50), st.just(0))


@st.composite
def _orders(draw: st.DrawFn) -> CommerceEvent:
    """Draw purchases that Button can be told: amounts in whole minor units, tax and shipping within the total."""
    currency = draw(st.sampled_from(sorted(_EXPONENTS)))

    def amounts(least: int) -> st.SearchStrategy[Amount]:
        return st.builds(
            lambda minor_units, zeros: Amount(minor_units * 10**zeros, _EXPONENTS[currency] + zeros),
            st.integers(least, 10**7),
            st.integers(0, 4),
        )

    def line(price: Amount, quantity: Amount | None, total: Amount | None) -> Product:
        return _product("sku")._replace(price=price, quantity=quantity, total=total)

    products = draw(st.lists(st.builds(line, amounts(0), st.none() | _pieces, st.none() | amounts(0)), max_size=3))
    return purchase(
        *products,
        currency=currency,
        total_amount=draw(amounts(2 * 10**6) if not products else st.none() | amounts(2 * 10**6)),
        tax_amount=draw(st.none() | _up_to(1_000_000, _EXPONENTS[currency])),
        shipping_amount=draw(st.none() | _up_to(1_000_000, _EXPONENTS[currency])),
        mpid=_MARK,
        identities=draw(
            st.dictionaries(st.sampled_from(["email", "customer_id", "customer", "other"]), st.just(_MARK)),
        ),
    )


def _up_to(minor_units: int, exponent: int) -> st.SearchStrategy[Amount]:
    return st.builds(Amount, st.integers(0, minor_units), st.just(exponent))


_wild = st.none() | st.builds(Amount, st.one_of(st.integers(), st.just(10**6000)), st.integers(0, 12))
_names = st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["a", "a-2", "a-3", "a-2-2", "line-1", "x" * 256]))
_wild_products = st.builds(
    Product,
    sku=_names,
    name=_names,
    category=_names,
    price=_wild | st.just(Amount(5, 0)),
    quantity=_wild | _pieces,
    total=_wild,
    coupon_code=st.none(),
    attributes=st.just({}),
)
_wild_fields = st.one_of(
    st.tuples(st.just("action"), st.sampled_from(["PURCHASE", "refund", "REFUND"])),
    st.tuples(st.just("action"), st.sampled_from(sorted(KNOWN_NAMES)) | st.text(max_size=10)),
    st.tuples(st.just("order_id"), st.none() | st.text(max_size=300) | st.sampled_from([".", "..", "x" * 256])),
    st.tuples(st.just("occurred_at_ms"), st.integers()),
    st.tuples(st.just("currency"), st.none() | st.text(max_size=4) | st.sampled_from([*_EXPONENTS, "XAU"])),
    st.tuples(st.sampled_from(["total_amount", "tax_amount", "shipping_amount"]), _wild),
    st.tuples(st.just("products"), st.lists(_wild_products, max_size=4).map(tuple)),
)
_any_events = st.builds(
    lambda event, changes: event._replace(**changes),
    _orders(),
    st.lists(_wild_fields, max_size=3).map(dict),
)
"""Good purchases with up to three fields that hold anything."""


@settings(max_examples=200, deadline=None)
@given(event=_any_events, token=st.none() | st.just("srctok-1"))
def test_every_event_is_decided_and_only_purchases_and_refunds_are_told(
    event: CommerceEvent,
    token: str | None,
) -> None:
    """Total, with names from fixed lists, under the event's own id, and without a word about the person."""
    decision = decide(event, token, DEFAULT_POLICY)
    note(type(decision).__name__)
    match decision:
        case Create(order=order):
            assert event.action.lower() == "purchase"
            assert (order.order_id, order.btn_ref) == (order_key(event), token)
            create_body(order)
        case Cancel(order_id=order_id):
            assert event.action.lower() == "refund"
            assert not event.products
            assert order_id == order_key(event)
        case Skip(reason=reason):
            assert event.action.lower() not in ("purchase", "refund")
            assert reason.removeprefix("action_") in KNOWN_NAMES
        case Reject(reason=reason, message=message):
            note(reason)
            assert reason in _REASONS
            assert _MARK not in message
            assert len(message) < 1_000


@settings(max_examples=200, deadline=None)
@given(event=_any_events)
def test_no_order_is_told_with_a_number_that_button_does_not_take(event: CommerceEvent) -> None:
    """Totals from 0 to 31 bits, quantities from 1, identifiers unique, ids in ASCII."""
    order = order_from(event, None, DEFAULT_POLICY)
    note(type(order).__name__)
    if isinstance(order, Reject):
        return
    for total in (order.total, *(line.total for line in order.line_items)):
        assert 0 <= total < 2**31
    assert all(0 < line.quantity < 2**31 for line in order.line_items)
    assert all(line.sku is None or 0 < len(line.sku) <= 255 for line in order.line_items)
    assert len({line.identifier for line in order.line_items}) == len(order.line_items) == len(event.products)
    assert order.order_id.isascii()
    assert len(order.order_id) <= 255


@settings(deadline=None)
@given(event=_orders())
def test_the_total_is_what_the_amounts_say(event: CommerceEvent) -> None:
    """Net of tax and shipping, or the sum of the lines; decimal arithmetic says how much that is."""
    order = order_from(event, None, DEFAULT_POLICY)
    assert isinstance(order, Order), order
    with localcontext(prec=200):
        lines = [_line_total(product) for product in event.products]
        if event.total_amount is None:
            total = sum(lines, Decimal(0))
        else:
            total = _decimal(event.total_amount) - _decimal(event.tax_amount) - _decimal(event.shipping_amount)
        minor_unit = Decimal(1).scaleb(-_EXPONENTS[str(event.currency)])
        assert order.total * minor_unit == total
        assert [line.total * minor_unit for line in order.line_items] == lines


@settings(deadline=None)
@given(names=st.lists(st.text(alphabet="a-23", max_size=6), max_size=12))
def test_identifiers_are_unique_and_the_first_of_a_name_keeps_it(names: list[str]) -> None:
    """However the names collide with one another's suffixes."""
    products = [_product(name) for name in names]
    identifiers = identifiers_of(products)
    assert len(set(identifiers)) == len(names)
    wanted = [name or f"line-{position}" for position, name in enumerate(names, 1)]
    for position, name in enumerate(wanted):
        assert (identifiers[position] == name) == (name not in wanted[:position])
        assert identifiers[position].startswith(name)


def _product(sku: str) -> Product:
    return Product(sku, None, None, None, None, None, None, {})


def _decimal(amount: Amount | None) -> Decimal:
    return Decimal(0) if amount is None else Decimal(amount.unscaled).scaleb(-amount.scale)


def _line_total(product: Product) -> Decimal:
    if product.total is not None:
        return _decimal(product.total)
    return _decimal(product.price) * (1 if product.quantity is None else _decimal(product.quantity))
