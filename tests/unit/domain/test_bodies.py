# SPDX-License-Identifier: Apache-2.0
"""Rules of the JSON that Button gets."""

from __future__ import annotations

import json
from typing import Any, cast

from connector.domain.bodies import create_body
from connector.domain.orders import Customer, LineItem, Order
from tests.support.commerce import published

_NOT_SENT = {"finalization_date", "customer_order_id", "device_id", "is_new", "upc", "amount"}


def _without_what_is_not_sent(value: Any) -> Any:  # noqa: ANN401  JSON of any shape
    if isinstance(value, dict):
        return {name: _without_what_is_not_sent(each) for name, each in value.items() if name not in _NOT_SENT}
    return [_without_what_is_not_sent(each) for each in value] if isinstance(value, list) else value


def test_button_s_sample_is_written_with_its_fields_in_its_order() -> None:
    """Byte by byte the published body, less the fields that are not sent."""
    sample = cast("dict[str, Any]", published("button_create_order"))
    lines = tuple(
        LineItem(
            identifier=line["identifier"],
            total=line["total"],
            quantity=line["quantity"],
            sku=line["sku"],
            description=line["description"],
            category=tuple(line["category"]),
            attributes=line["attributes"],
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
        customer=Customer(sample["customer"]["id"], sample["customer"]["email_sha256"]),
    )
    assert json.dumps(create_body(order)) == json.dumps(_without_what_is_not_sent(sample))


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
