# SPDX-License-Identifier: Apache-2.0
"""Whatever an event holds, it is decided about, and what is told of it is right."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.actions import KNOWN_NAMES
from connector.domain.bodies import create_body
from connector.domain.events import CommerceEvent, Consent, Device, Product
from connector.domain.lifecycle import decide, order_key
from connector.domain.lines import identifiers_of
from connector.domain.mapping import order_from
from connector.domain.money import Amount
from connector.domain.orders import Cancel, Create, Order, Reject, Skip
from connector.domain.policy import (
    DEFAULT_POLICY,
    FirstPurchaseFlag,
    InvalidUpc,
    MissingToken,
    Policy,
    TotalFrom,
    WithoutConsent,
)
from tests.support.commerce import purchase

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPONENTS = {"JPY": 0, "USD": 2, "eur": 2, "KWD": 3, "CLF": 4}
_MARK = "marked-person"
_SKIPS = {"environment_development", "consent_gdpr", "consent_gdpr_not_asked", "consent_ccpa", "missing_token"}
_REASONS = {
    "amount_too_precise",
    "customer_order_id_too_long",
    "invalid_finalization_date",
    "invalid_purchase_date",
    "invalid_quantity",
    "invalid_transaction_id",
    "invalid_upc",
    "lines_do_not_add_up",
    "missing_currency",
    "missing_line_total",
    "missing_token",
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
    coupon_code=_names,
    attributes=st.dictionaries(
        st.sampled_from(["size", "upc", "category_1", "category_5", "brand"]),
        st.text(max_size=6),
    ),
    brand=_names,
    variant=_names,
    upc=st.none() | st.text(alphabet="0123456789x\u0661", max_size=14),
    discount=st.none() | _wild,
    categories=st.lists(st.text(max_size=3), max_size=10).map(tuple),
)
_consents = st.builds(
    Consent,
    st.dictionaries(st.sampled_from(["advertising", "Advertising", "analytics", "x"]), st.booleans()),
    st.none() | st.booleans(),
)
_consequences = st.sampled_from(WithoutConsent)
_policies = st.builds(
    Policy,
    skips_development=st.booleans(),
    gdpr=st.dictionaries(st.sampled_from(["advertising", "analytics"]), _consequences),
    gdpr_not_asked=_consequences,
    ccpa_opt_out=_consequences,
    missing_token=st.sampled_from(MissingToken),
    refuses_test_tokens=st.booleans(),
    default_currency=st.none() | st.sampled_from(["USD", "JPY"]),
    total_from=st.sampled_from(TotalFrom),
    lines_must_add_up=st.booleans(),
    invalid_upc=st.sampled_from(InvalidUpc),
    first_purchase_flag=st.sampled_from(FirstPurchaseFlag),
    sends_finalization_date=st.booleans(),
)
_tokens = st.none() | st.sampled_from(["srctok-1", "org-1", "fakesrctok-1"])
_wild_fields = st.one_of(
    st.tuples(st.just("action"), st.sampled_from(["PURCHASE", "refund", "REFUND"])),
    st.tuples(st.just("action"), st.sampled_from(sorted(KNOWN_NAMES)) | st.text(max_size=10)),
    st.tuples(st.just("order_id"), st.none() | st.text(max_size=300) | st.sampled_from([".", "..", "x" * 256])),
    st.tuples(st.just("occurred_at_ms"), st.integers()),
    st.tuples(st.just("currency"), st.none() | st.text(max_size=4) | st.sampled_from([*_EXPONENTS, "XAU"])),
    st.tuples(st.sampled_from(["total_amount", "tax_amount", "shipping_amount"]), _wild),
    st.tuples(
        st.just("customer_order_id"),
        st.none() | st.text(max_size=300) | st.text(alphabet="\u00e9", max_size=200),
    ),
    st.tuples(st.sampled_from(["purchased_at_ms", "finalized_at_ms"]), st.none() | st.integers()),
    st.tuples(st.just("order_channel"), st.none() | st.text(max_size=5) | st.sampled_from(["app", "WEBVIEW", "web"])),
    st.tuples(st.sampled_from(["coupon_code", "btn_ref", "environment"]), _names),
    st.tuples(st.just("device"), st.builds(Device, _names, _names, _names, st.none() | st.booleans(), _names)),
    st.tuples(st.just("consent"), _consents),
    st.tuples(st.just("products"), st.lists(_wild_products, max_size=4).map(tuple)),
)
_any_events = st.builds(
    lambda event, changes: event._replace(**changes),
    _orders(),
    st.lists(_wild_fields, max_size=3).map(dict),
)
"""Good purchases with up to three fields that hold anything."""


@settings(max_examples=200, deadline=None)
@given(event=_any_events, token=_tokens, policy=_policies)
def test_every_event_is_decided_and_only_purchases_and_refunds_are_told(
    event: CommerceEvent,
    token: str | None,
    policy: Policy,
) -> None:
    """Total, with names from fixed lists, under the event's own id, and without a word about the person."""
    decision = decide(event, None, token, policy)
    note(type(decision).__name__)
    match decision:
        case Create(order=order):
            assert event.action.lower() == "purchase"
            assert order.order_id == order_key(event)
            assert order.btn_ref in (token, None)
            json.dumps(create_body(order)).encode()
        case Cancel(order_id=order_id):
            assert event.action.lower() == "refund"
            assert not event.products
            assert event.total_amount is None
            assert order_id == order_key(event)
        case Skip(reason=reason):
            if reason.startswith("action_"):
                assert event.action.lower() not in ("purchase", "refund")
                assert reason.removeprefix("action_") in KNOWN_NAMES
            else:
                assert reason in _SKIPS
        case Reject(reason=reason, message=message):
            note(reason)
            assert reason in _REASONS
            assert _MARK not in message
            assert len(message) < 1_000


@settings(max_examples=200, deadline=None)
@given(event=_any_events, policy=_policies)
def test_no_order_is_told_with_a_value_that_button_does_not_take(event: CommerceEvent, policy: Policy) -> None:
    """Totals from 0 to 31 bits, quantities from 1, identifiers unique, ids in ASCII, seven categories, 12 digits."""
    order = order_from(event, None, policy)
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
    assert all(len(line.category) <= 7 and all(line.category) for line in order.line_items)
    assert all(line.upc is None or (len(line.upc) == 12 and line.upc.isdecimal()) for line in order.line_items)
    assert order.customer_order_id is None or 0 < len(order.customer_order_id.encode()) <= 255
    assert order.partner_order_channel in (None, "app", "webview")
    assert order.finalization_date is None or policy.sends_finalization_date


@settings(deadline=None)
@given(event=_orders(), policy=_policies)
def test_lines_add_up_where_they_must(event: CommerceEvent, policy: Policy) -> None:
    """Where the policy asks for it, where the total is theirs, and where the event has no other."""
    order = order_from(event, None, policy)
    note(order.reason if isinstance(order, Reject) else "Order")
    if isinstance(order, Reject):
        assert order.reason == "lines_do_not_add_up"
        assert policy.lines_must_add_up
    elif order.line_items and (
        policy.lines_must_add_up or policy.total_from is TotalFrom.LINES or event.total_amount is None
    ):
        assert order.total == sum(line.total for line in order.line_items)


@settings(max_examples=200, deadline=None)
@given(event=_orders(), consent=st.none() | _consents, token=_tokens, policy=_policies)
def test_who_declined_is_not_told_of(
    event: CommerceEvent,
    consent: Consent | None,
    token: str | None,
    policy: Policy,
) -> None:
    """The strongest consequence of all answers, read off one by one; an organisation is never told as a token."""
    decision = decide(event._replace(consent=consent), None, token, policy)
    consequences = set(_consequences_of(consent, policy))
    note(type(decision).__name__)
    if WithoutConsent.SKIP in consequences:
        assert isinstance(decision, Skip)
        assert decision.reason.startswith("consent_")
    elif isinstance(decision, Create):
        assert WithoutConsent.STRIP_IDENTITY not in consequences or decision.order.customer is None
        assert decision.order.btn_ref is None or not decision.order.btn_ref.startswith("org-")
        assert decision.order.btn_ref != "fakesrctok-1" or not policy.refuses_test_tokens
    else:
        assert not isinstance(decision, Skip) or decision.reason == "missing_token"


def _consequences_of(consent: Consent | None, policy: Policy) -> Iterator[WithoutConsent]:
    if consent is None:
        return
    if consent.ccpa_opted_out is True:
        yield policy.ccpa_opt_out
    answers: dict[str, set[bool]] = {}
    for name, answer in consent.gdpr.items():
        answers.setdefault(name.lower(), set()).add(answer)
    for purpose, consequence in policy.gdpr.items() if answers else ():
        if purpose not in answers:
            yield policy.gdpr_not_asked
        elif False in answers[purpose]:
            yield consequence


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
