# SPDX-License-Identifier: Apache-2.0
"""The JSON bodies of the Order API.

Owns the names and the order of the fields, which are those of Button's own example. What is not known is left out,
never sent as null. Holds no rule: an order that got here is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.domain.orders import Customer, LineItem, Order

JsonObject = dict[str, object]


def create_body(order: Order) -> JsonObject:
    """Return the body of ``POST /v1/order``."""
    body: JsonObject = {
        "total": order.total,
        "currency": order.currency,
        "order_id": order.order_id,
        "purchase_date": order.purchase_date,
    }
    if order.finalization_date is not None:
        body["finalization_date"] = order.finalization_date
    if order.btn_ref is not None:
        body["btn_ref"] = order.btn_ref
    if order.customer is not None:
        body["customer"] = _customer(order.customer)
    if order.customer_order_id is not None:
        body["customer_order_id"] = order.customer_order_id
    if order.line_items:
        body["line_items"] = [_line_item(line) for line in order.line_items]
    if order.partner_order_channel is not None:
        body["partner_order_channel"] = order.partner_order_channel
    return body


def _customer(customer: Customer) -> JsonObject:
    body: JsonObject = {}
    if customer.id is not None:
        body["id"] = customer.id
    if customer.email_sha256 is not None:
        body["email_sha256"] = customer.email_sha256
    if customer.device_id is not None:
        body["device_id"] = customer.device_id
    if customer.is_new is not None:
        body["is_new"] = customer.is_new
    if customer.is_new_user is not None:
        body["is_new_user"] = customer.is_new_user
    return body


def _line_item(line: LineItem) -> JsonObject:
    body: JsonObject = {"identifier": line.identifier, "total": line.total, "quantity": line.quantity}
    if line.sku is not None:
        body["sku"] = line.sku
    if line.upc is not None:
        body["upc"] = line.upc
    if line.category:
        body["category"] = list(line.category)
    if line.description is not None:
        body["description"] = line.description
    if line.attributes:
        body["attributes"] = dict(line.attributes)
    return body
