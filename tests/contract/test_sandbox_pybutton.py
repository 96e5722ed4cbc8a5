# SPDX-License-Identifier: Apache-2.0
"""Button's own Python client drives the sandbox: what its caller sees is what it would see of Button.

The client is Button's reading of the API, written without us; it is used here only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pybutton  # type: ignore[import-untyped]  # Button's client has no types
import pytest

from connector.sandbox import SandboxThread
from tests.support.sandbox_api import KEY, LINES, order_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """Give a sandbox to a client without an event loop."""
    with SandboxThread() as sandbox:
        yield sandbox


def client(sandbox: SandboxThread, key: str = KEY) -> Any:  # noqa: ANN401  the client has no types
    """Return Button's client, pointed at the sandbox."""
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    return pybutton.Client(key, {"hostname": host, "port": int(port), "secure": False, "timeout": 5})


def test_an_orders_life_by_buttons_own_client(sandbox: SandboxThread) -> None:
    """Create, get, update and delete are understood on both sides, their answers too."""
    orders = client(sandbox).orders
    created = orders.create(order_body("1989")).data()
    assert (created["order_id"], created["total"], created["status"]) == ("1989", 7000, "open")
    assert orders.get(created["button_order_id"]).data() == orders.get("1989").data() == created
    updated = orders.update("1989", {"total": 60, "order_id": "1989"}).data()
    assert (updated["total"], updated["line_items"]) == (60, LINES)
    assert orders.delete("1989").data() is None
    assert sandbox.orders["1989"].cancelled


@pytest.mark.parametrize(
    ("call", "status", "said"),
    [
        (lambda orders: orders.get("nobody"), 404, "Order not found: nobody"),
        (lambda orders: orders.create({"total": 1}), 400, "currency: is required"),
        (lambda orders: orders.delete("nobody"), 404, "Order not found: nobody"),
        (lambda orders: orders.delete(None), 405, "DELETE is not allowed here"),
        (lambda orders: orders.get("a/b"), 404, "There is nothing at this path"),
    ],
    ids=["get", "create", "delete", "delete without an id", "an id that is not encoded"],
)
def test_errors_reach_the_caller_of_buttons_own_client(
    sandbox: SandboxThread,
    call: Callable[[Any], object],
    status: int,
    said: str,
) -> None:
    """The client raises with the sandbox's status and message."""
    with pytest.raises(pybutton.HTTPResponseError) as caught:
        call(client(sandbox).orders)
    assert (caught.value.status_code, str(caught.value)) == (status, said)


def test_a_duplicate_and_a_wrong_key_reach_the_caller(sandbox: SandboxThread) -> None:
    """409 and 401 are errors of their own."""
    client(sandbox).orders.create(order_body("1989"))
    with pytest.raises(pybutton.HTTPResponseError, match="Order already exists") as known:
        client(sandbox).orders.create(order_body("1989"))
    with pytest.raises(pybutton.HTTPResponseError, match="Invalid api_key") as unauthorized:
        client(sandbox, "sk-wrong").orders.get("1989")
    assert (known.value.status_code, unauthorized.value.status_code) == (409, 401)
