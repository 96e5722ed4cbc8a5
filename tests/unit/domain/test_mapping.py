# SPDX-License-Identifier: Apache-2.0
"""Rules of the way from a purchase to the order that Button is told, with published payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from connector.domain.customers import hash_email
from connector.domain.mapping import order_from
from connector.domain.orders import Customer, Order, Reject
from connector.domain.policy import DEFAULT_POLICY
from tests.support.commerce import amount, product, published, purchase

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent


def _order(event: CommerceEvent) -> Order:
    order = order_from(event, None, DEFAULT_POLICY)
    assert isinstance(order, Order), order
    return order


def _reject(event: CommerceEvent) -> Reject:
    reject = order_from(event, None, DEFAULT_POLICY)
    assert isinstance(reject, Reject), reject
    return reject


def test_button_s_sample_order_comes_out_of_the_purchase_that_it_describes() -> None:
    """Total, lines, date, token and customer are those of Button's documentation."""
    sample = cast("dict[str, Any]", published("button_create_order"))
    event = purchase(
        product("sku-1234", "20.00", name="T-shirts", category="Clothes", quantity=amount("2.0")),
        product("sku-4567", "30.00", name="Pants", category="Clothes"),
        total_amount=amount("70.00"),
        identities={"customer_id": "mycustomer-1234"},
    )
    order = order_from(event, "srctok-XXX", DEFAULT_POLICY)
    assert isinstance(order, Order)
    for field in ("total", "currency", "order_id", "purchase_date", "btn_ref"):
        assert getattr(order, field) == sample[field]
    assert order.customer == Customer(sample["customer"]["id"], None)
    for line, expected in zip(order.line_items, sample["line_items"], strict=True):
        for field in ("identifier", "total", "quantity", "sku", "description"):
            assert getattr(line, field) == expected[field]
        assert list(line.category) == expected["category"]


def test_mparticle_s_web_sample_is_told_net_of_tax_with_lines_that_are_told_apart() -> None:
    """Two products have one SKU, and the lines (800.00) do not add up to the revenue (430.00, of which 30 is tax)."""
    sample = cast("dict[str, Any]", published("mparticle_web_purchase"))
    products = [
        product(each["id"], str(each["price"]), name=each["name"], quantity=amount(each["quantity"]))
        for each in sample["products"]
    ]
    transaction = sample["transaction"]
    order = _order(
        purchase(
            *products,
            order_id=transaction["Id"],
            total_amount=amount(transaction["Revenue"]),
            tax_amount=amount(transaction["Tax"]),
        ),
    )
    assert (order.order_id, order.total) == ("foo-transaction-id", 40_000)
    assert [(line.identifier, line.sku, line.total) for line in order.line_items] == [
        ("econ-1", "econ-1", 40_000),
        ("econ-1-2", "econ-1", 40_000),
    ]


def test_mparticle_s_sdk_sample_keeps_its_customer() -> None:
    """Its Python SDK writes customerid."""
    sample = cast("dict[str, Any]", published("mparticle_sdk_purchase"))
    data = sample["events"][0]["data"]
    action = data["product_action"]
    order = _order(
        purchase(
            *(
                product(each["id"], str(each["price"]), quantity=amount(each["quantity"]))
                for each in action["products"]
            ),
            order_id=action["transaction_id"],
            currency=data["currency_code"],
            total_amount=amount(action["total_amount"]),
            identities=sample["user_identities"],
        ),
    )
    assert (order.order_id, order.total, order.line_items[0].total) == ("T", 300, 300)
    assert order.customer is not None
    assert order.customer.id == "1"


@pytest.mark.parametrize(
    ("address", "digest"),
    [
        # Published by an avatar service that knows people by the same hash.
        ("MyEmailAddress@example.com ", "84059b07d4be67b806386c0aad8070a23f18836bbaae342275dc0a83414c32ee"),
        # The first test value of the SHA-256 standard.
        ("\tABC\n", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (" ", None),
    ],
)
def test_an_address_is_hashed_trimmed_and_in_lower_case(address: str, digest: str | None) -> None:
    """Button finds the customer only by the same spelling."""
    assert hash_email(address) == digest


def test_the_address_itself_never_gets_into_the_order() -> None:
    """Only its hash does."""
    order = _order(purchase(product(), identities={"email": "MyEmailAddress@example.com"}))
    assert "emailaddress" not in repr(order).lower()
    assert order.customer == Customer(None, "84059b07d4be67b806386c0aad8070a23f18836bbaae342275dc0a83414c32ee")


@pytest.mark.parametrize("identity_type", ["customer_id", "customerid", "customer"])
def test_the_customer_s_id_has_three_names(identity_type: str) -> None:
    """Documents, Python SDK and Firehose each write their own."""
    assert _order(purchase(product(), identities={identity_type: "c-1"})).customer == Customer("c-1", None)


def test_a_customer_of_whom_nothing_is_known_is_left_out() -> None:
    """Other identities and blank ones are not the customer's."""
    assert _order(purchase(product(), identities={"facebook": "f", "email": " ", "customer_id": ""})).customer is None


@pytest.mark.parametrize(
    ("currency", "total", "tax", "shipping", "net"),
    [
        ("USD", "12.34", None, None, 1_234),
        ("USD", "430.0000", "30", "0", 40_000),
        ("USD", "10.00", "1.50", "2.25", 625),
        ("USD", "5.00", "5.00", None, 0),
        ("JPY", "500", "45", None, 455),
        ("KWD", "5.124", "0.124", None, 5_000),
        ("CLF", "1.0001", None, None, 10_001),
        ("USD", "30000000.00", "10000000.00", None, 2_000_000_000),
    ],
)
def test_the_total_is_net_of_tax_and_shipping(
    currency: str,
    total: str,
    tax: str | None,
    shipping: str | None,
    net: int,
) -> None:
    """Button pays commission on what is left; only that has to fit into 32 bits."""
    event = purchase(
        currency=currency,
        total_amount=amount(total),
        tax_amount=None if tax is None else amount(tax),
        shipping_amount=None if shipping is None else amount(shipping),
    )
    assert _order(event).total == net


def test_without_a_total_it_is_the_sum_of_the_lines() -> None:
    """Tax that is named beside no total is not in the lines."""
    event = purchase(product("a", "1.10"), product("b", "2.20", quantity=amount("3")), tax_amount=amount("1"))
    assert _order(event).total == 770


def test_the_lines_need_not_add_up_to_the_total() -> None:
    """A discount on the whole order is in the total alone."""
    order = _order(purchase(product("a", "10.00"), total_amount=amount("8.00")))
    assert (order.total, order.line_items[0].total) == (800, 1_000)


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        ({"total_amount": None}, "missing_total", "total_amount"),
        ({"total_amount": amount("-5.00")}, "negative_total", "-5"),
        ({"tax_amount": amount("10.01")}, "negative_total", "tax_amount"),
        ({"tax_amount": amount("-1.00")}, "negative_amount", "tax_amount is -1"),
        ({"shipping_amount": amount("-1.00")}, "negative_amount", "shipping_amount is -1"),
        ({"total_amount": amount("10.005")}, "amount_too_precise", "10.005"),
        ({"shipping_amount": amount("0.001")}, "amount_too_precise", "shipping_amount is 0.001"),
        ({"currency": "JPY", "total_amount": amount("10.5")}, "amount_too_precise", "JPY (0 decimals)"),
        ({"total_amount": amount("21474836.48")}, "total_out_of_range", "2147483647"),
        ({"currency": None}, "missing_currency", "currency_code"),
        ({"currency": " "}, "missing_currency", "currency_code"),
        ({"currency": "XAU"}, "unknown_currency", "'XAU'"),
        ({"occurred_at_ms": -1}, "invalid_purchase_date", "occurred_at is -1"),
        ({"occurred_at_ms": 253_402_300_800_000}, "invalid_purchase_date", "253402300800000"),
    ],
)
def test_what_button_cannot_be_told_is_refused_and_named(changes: dict[str, Any], reason: str, named: str) -> None:
    """The message says which field, what is in it, and what to do."""
    reject = _reject(purchase(**({"total_amount": amount("10.00")} | changes)))
    assert reject.reason == reason
    assert named in reject.message
    assert "send" in reject.message or "agree" in reject.message


def test_the_greatest_total_is_told() -> None:
    """Button's totals have 31 bits."""
    assert _order(purchase(total_amount=amount("21474836.47"))).total == 2_147_483_647


@pytest.mark.parametrize(
    ("unix_ms", "date"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400_000, "2000-02-29T00:00:00Z"),
        (1_500_971_032_000, "2017-07-25T08:23:52Z"),
        (1_500_971_032_007, "2017-07-25T08:23:52.007Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_purchase_date_is_in_utc_with_milliseconds_only_where_there_are_any(unix_ms: int, date: str) -> None:
    """As Button's documentation writes it, to the last digit."""
    assert _order(purchase(product(), occurred_at_ms=unix_ms)).purchase_date == date


def test_a_currency_in_small_letters_is_told_in_capitals() -> None:
    """ISO 4217 is what Button asks for."""
    assert _order(purchase(product(), currency="usd")).currency == "USD"


def test_no_message_says_who_the_customer_is() -> None:
    """Dead letters and logs hold messages."""
    identities = {"email": "marked@example.com", "customer_id": "marked"}
    reject = _reject(purchase(product(None, None), identities=identities, mpid="marked"))
    assert "marked" not in reject.message
