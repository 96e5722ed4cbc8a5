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


# Each tuple is taken apart at once, which takes half the time of asking it for every field by name.


def create_body(order: Order) -> JsonObject:
    """Return the body of ``POST /v1/order``."""
    order_id, total, currency, purchase_date, lines, btn_ref, customer, customer_order_id, channel, finalization = order
    body: JsonObject = {"total": total, "currency": currency, "order_id": order_id, "purchase_date": purchase_date}
    if finalization is not None:
        body["finalization_date"] = finalization
    if btn_ref is not None:
        body["btn_ref"] = btn_ref
    if customer is not None:
        body["customer"] = _customer(customer)
    if customer_order_id is not None:
        body["customer_order_id"] = customer_order_id
    if lines:
        body["line_items"] = [_line_item(line) for line in lines]
    if channel is not None:
        body["partner_order_channel"] = channel
    return body


def update_body(order: Order, *, sends_all: bool = False) -> JsonObject:
    """Return the body of ``POST /v1/order/{id}``: what may have changed, as a whole; the rest stays as it was.

    Lines that nobody knows are left out, because an empty list would take those away that Button has. ``sends_all``
    adds what else is known of the order, for an account where Button forgets what an update leaves out.
    """
    if sends_all:
        return {name: value for name, value in create_body(order).items() if value != ""}
    if not order.line_items:
        return {"total": order.total}
    return {"total": order.total, "line_items": [_line_item(line) for line in order.line_items]}


def _customer(customer: Customer) -> JsonObject:
    customer_id, email_sha256, device_id, is_new, is_new_user = customer
    body: JsonObject = {}
    if customer_id is not None:
        body["id"] = customer_id
    if email_sha256 is not None:
        body["email_sha256"] = email_sha256
    if device_id is not None:
        body["device_id"] = device_id
    if is_new is not None:
        body["is_new"] = is_new
    if is_new_user is not None:
        body["is_new_user"] = is_new_user
    return body


def _line_item(line: LineItem) -> JsonObject:
    identifier, total, quantity, sku, description, category, attributes, upc = line
    body: JsonObject = {"identifier": identifier, "total": total, "quantity": quantity}
    if sku is not None:
        body["sku"] = sku
    if upc is not None:
        body["upc"] = upc
    if category:
        body["category"] = list(category)
    if description is not None:
        body["description"] = description
    if attributes:
        body["attributes"] = dict(attributes)
    return body
