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


@pytest.mark.parametrize(
    ("switches", "call", "status", "said"),
    [
        ({}, lambda orders: orders.update("nobody", {"total": 1}), 404, "Order not found: nobody"),
        ({}, lambda orders: orders.update("1989", {"total": -1}), 400, "total: must be"),
        ({"finalization_seconds": 1e-9}, lambda orders: orders.update("1989", {"total": 1}), 403, "already finalized"),
        ({"finalization_seconds": 1e-9}, lambda orders: orders.delete("1989"), 403, "already finalized"),
        ({"forbidden_order_ids": "*"}, lambda orders: orders.get("1989"), 403, "Not allowed"),
        ({"availability": "503"}, lambda orders: orders.get("1989"), 503, "outage"),
        ({"fail_share": 1, "fail_status": 422}, lambda orders: orders.get("1989"), 422, "failure"),
        ({"error_body": "typed"}, lambda orders: orders.get("nobody"), 404, "Order not found: nobody"),
    ],
    ids=["unknown", "bad", "final update", "final cancel", "forbidden", "outage", "unprocessable", "typed"],
)
def test_every_refusal_reaches_the_caller_of_buttons_own_client(
    sandbox: SandboxThread,
    switches: dict[str, object],
    call: Callable[[Any], object],
    status: int,
    said: str,
) -> None:
    """What a switch makes the sandbox say is an error with status and message to that client, too."""
    client(sandbox).orders.create(order_body("1989"))
    sandbox.set(**switches)
    with pytest.raises(pybutton.HTTPResponseError, match=said) as caught:
        call(client(sandbox).orders)
    assert caught.value.status_code == status


@pytest.mark.parametrize(("second", "status"), [("404", 404), ("409", 409), ("410", 410)])
def test_a_second_cancel_reaches_the_caller_as_it_is_switched(sandbox: SandboxThread, second: str, status: int) -> None:
    """Nobody knows what Button says to it; each guess is understood."""
    orders = client(sandbox).orders
    orders.create(order_body("1989"))
    orders.delete("1989")
    sandbox.set(second_cancel=second)
    with pytest.raises(pybutton.HTTPResponseError, match="Order was cancelled") as caught:
        orders.delete("1989")
    assert caught.value.status_code == status


def test_the_other_good_answers_are_understood(sandbox: SandboxThread) -> None:
    """An order that exists is echoed, one is accepted without an id, and a cancel shows what it took back."""
    orders = client(sandbox).orders
    sandbox.set(create_answers="202_validated_later")
    assert "button_order_id" not in orders.create(order_body("1989")).data()
    sandbox.set(create_answers="200", create_of_known_id="200_echo", cancel_answers="200_object")
    assert orders.create(order_body("1989")).data()["button_order_id"].startswith("btnorder-")
    assert orders.delete("1989").data()["status"] == "cancelled"


def test_a_duplicate_and_a_wrong_key_reach_the_caller(sandbox: SandboxThread) -> None:
    """409 and 401 are errors of their own."""
    client(sandbox).orders.create(order_body("1989"))
    with pytest.raises(pybutton.HTTPResponseError, match="Order already exists") as known:
        client(sandbox).orders.create(order_body("1989"))
    with pytest.raises(pybutton.HTTPResponseError, match="Invalid api_key") as unauthorized:
        client(sandbox, "sk-wrong").orders.get("1989")
    assert (known.value.status_code, unauthorized.value.status_code) == (409, 401)
