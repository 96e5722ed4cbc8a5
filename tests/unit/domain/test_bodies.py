# SPDX-License-Identifier: Apache-2.0
"""Rules of the JSON that Button gets."""

from __future__ import annotations

import json
from typing import Any, cast

from connector.domain.bodies import create_body, update_body
from connector.domain.orders import Customer, LineItem, Order
from tests.support.commerce import published


def test_button_s_sample_is_written_with_its_fields_in_its_order() -> None:
    """Byte by byte the published body, less the legacy unit price."""
    sample = cast("dict[str, Any]", published("button_create_order"))
    for line in sample["line_items"]:
        del line["amount"]
    customer = sample["customer"]
    lines = tuple(
        LineItem(
            identifier=line["identifier"],
            total=line["total"],
            quantity=line["quantity"],
            sku=line["sku"],
            description=line["description"],
            category=tuple(line["category"]),
            attributes=line["attributes"],
            upc=line["upc"],
        )
        for line in sample["line_items"]
    )
    order = Order(
        order_id=sample["order_id"],
        total=sample["total"],
        currency=sample["currency"],
        purchase_date=sample["purchase_date"],
        line_items=lines,
        btn_ref=sample["btn_ref"],
        customer=Customer(customer["id"], customer["email_sha256"], customer["device_id"], is_new=True),
        customer_order_id=sample["customer_order_id"],
        finalization_date=sample["finalization_date"],
    )
    assert json.dumps(create_body(order)) == json.dumps(sample)


def test_what_is_not_known_is_left_out() -> None:
    """An order without token, customer and lines has the four fields that are required, and no null."""
    order = Order("1989", 50, "USD", "2017-07-25T08:23:52Z", ())
    assert json.dumps(create_body(order)) == (
        '{"total": 50, "currency": "USD", "order_id": "1989", "purchase_date": "2017-07-25T08:23:52Z"}'
    )
    plain = order._replace(line_items=(LineItem("a", 0, 1),), customer=Customer(None, "00"))
    body = create_body(plain)
    assert body["line_items"] == [{"identifier": "a", "total": 0, "quantity": 1}]
    assert body["customer"] == {"email_sha256": "00"}
    assert create_body(plain._replace(customer=Customer("c", None)))["customer"] == {"id": "c"}
    assert create_body(plain._replace(customer=Customer(is_new_user=False)))["customer"] == {"is_new_user": False}
    assert create_body(plain._replace(partner_order_channel="app"))["partner_order_channel"] == "app"


def test_an_update_tells_the_total_and_all_lines_and_leaves_the_rest_as_it_was() -> None:
    """What Button advises; lines that nobody knows are not taken away by an empty list."""
    line = LineItem("a", 50, 1)
    order = Order("1989", 50, "USD", "2017-07-25T08:23:52Z", (line,), btn_ref="srctok-XXX")
    assert update_body(order) == {"total": 50, "line_items": [{"identifier": "a", "total": 50, "quantity": 1}]}
    assert update_body(order._replace(line_items=())) == {"total": 50}


def test_an_update_of_all_that_is_known_says_nothing_that_is_not_known() -> None:
    """An order that was only seen at Button may have no purchase date."""
    order = Order("1989", 50, "USD", "", (), btn_ref="srctok-XXX")
    expected = {"total": 50, "currency": "USD", "order_id": "1989", "btn_ref": "srctok-XXX"}
    assert update_body(order, sends_all=True) == expected
