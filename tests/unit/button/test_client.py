# SPDX-License-Identifier: Apache-2.0
"""Rules of the client: what it puts on the wire, and what it makes of what comes back."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from connector.button.client import ButtonClient, order_path
from connector.button.pyreqwest_transport import PyreqwestTransport
from connector.button.transport import TransportOptions
from connector.domain.orders import Cancel, Create, Customer, LineItem, Order, Update
from connector.domain.outcomes import Answer, NoAnswer, NotSent, ObservedOrder
from tests.support import http_peers as peers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY = "sk-XXX"
ORDER = Order(
    order_id="1994",
    total=4000,
    currency="USD",
    purchase_date="2017-07-25T08:23:52Z",
    line_items=(LineItem("sku-1234", 4000, 2, attributes={"engraving": "For Bob (Builder)", "size": "M"}),),
    btn_ref="srctok-XXX",
    customer=Customer(
        "mycustomer-1234",
        "a" * 64,
        "6D92078A-8246-4BA4-AE5B-76104861E7DC",
        is_new=True,
        is_new_user=True,
    ),
)
CREATED = b'{"meta":{"status":"ok"},"object":{"button_order_id":"btnorder-XXX"}}'


@asynccontextmanager
async def client_of(
    base_url: str,
    api_key: Callable[[], str] = lambda: KEY,
    api_version: str | None = None,
    *,
    updates_all: bool = False,
) -> AsyncIterator[ButtonClient]:
    """Open a client on a real transport."""
    transport = PyreqwestTransport(TransportOptions(base_url))
    try:
        yield ButtonClient(transport, api_key, version="1.2.3", api_version=api_version, updates_all=updates_all)
    finally:
        await transport.close()


async def test_a_create_is_posted_as_json() -> None:
    """The order goes to the collection as Button's own example does."""
    async with peers.listening(peers.answers(200, CREATED)) as peer, client_of(peer.url) as client:
        reply = await client.send(Create(ORDER))
    assert reply == Answer(200, "ok", button_order_id="btnorder-XXX")
    request = peer.requests[0]
    assert (request.method, request.target) == ("POST", "/v1/order")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "total": 4000,
        "currency": "USD",
        "order_id": "1994",
        "purchase_date": "2017-07-25T08:23:52Z",
        "btn_ref": "srctok-XXX",
        "customer": {
            "id": "mycustomer-1234",
            "email_sha256": "a" * 64,
            "device_id": "6D92078A-8246-4BA4-AE5B-76104861E7DC",
            "is_new": True,
            "is_new_user": True,
        },
        "line_items": [
            {
                "identifier": "sku-1234",
                "total": 4000,
                "quantity": 2,
                "attributes": {"engraving": "For Bob (Builder)", "size": "M"},
            },
        ],
    }


async def test_a_cancel_deletes_the_order() -> None:
    """The order's own id stands in the path, and there is no body."""
    body = b'{"meta":{"status":"ok"},"object":null}'
    async with peers.listening(peers.answers(200, body)) as peer, client_of(peer.url) as client:
        reply = await client.send(Cancel("1989"))
    assert reply == Answer(200, "ok")
    request = peer.requests[0]
    assert (request.method, request.target, request.body) == ("DELETE", "/v1/order/1989", b"")
    assert "content-type" not in request.headers


async def test_a_lookup_gets_the_order() -> None:
    """A lookup reads and changes nothing."""
    async with peers.listening(peers.answers(200, CREATED)) as peer, client_of(peer.url) as client:
        reply = await client.lookup("1989")
    assert reply == Answer(200, "ok", button_order_id="btnorder-XXX", order=ObservedOrder(None))
    assert (peer.requests[0].method, peer.requests[0].target) == ("GET", "/v1/order/1989")


@pytest.mark.parametrize("updates_all", [False, True])
async def test_an_update_tells_what_may_have_changed_or_all_that_is_known(*, updates_all: bool) -> None:
    """The total and the lines as a whole; the rest only where the account needs it."""
    async with peers.listening(peers.answers()) as peer, client_of(peer.url, updates_all=updates_all) as client:
        await client.send(Update(ORDER._replace(customer=None)))
    request = peer.requests[0]
    body = json.loads(request.body)
    assert (request.method, request.target) == ("POST", "/v1/order/1994")
    changed = {"total": 4000, "line_items": body["line_items"]}
    known = {"currency": "USD", "order_id": "1994", "purchase_date": "2017-07-25T08:23:52Z", "btn_ref": "srctok-XXX"}
    assert body == ({**changed, **known} if updates_all else changed)


async def test_the_published_key_makes_the_published_header() -> None:
    """The key is the user and the password is empty; who we are is said, too."""
    async with peers.listening(peers.answers()) as peer, client_of(peer.url) as client:
        await client.send(Create(ORDER))
        await client.send(Cancel("1"))
    for request in peer.requests:
        assert request.headers["authorization"] == "Basic c2stWFhYOg=="
        assert request.headers["user-agent"] == "button-connector/1.2.3"
        assert request.headers["accept"] == "application/json"
        assert "x-button-api-version" not in request.headers


async def test_a_pinned_version_is_sent() -> None:
    """Button's version is pinned only where the settings say so."""
    async with peers.listening(peers.answers()) as peer, client_of(peer.url, api_version="2018-02-13") as client:
        await client.send(Cancel("1"))
    assert peer.requests[0].headers["x-button-api-version"] == "2018-02-13"


@pytest.mark.parametrize(
    ("order_id", "path"),
    [
        ("1989", "/v1/order/1989"),
        ("a/b?c#d", "/v1/order/a%2Fb%3Fc%23d"),
        ("with space", "/v1/order/with%20space"),
        ("ü☃", "/v1/order/%C3%BC%E2%98%83"),
        ("100%", "/v1/order/100%25"),
        ("%2F", "/v1/order/%252F"),
        ("../../admin", "/v1/order/..%2F..%2Fadmin"),
        ("...", "/v1/order/..."),
    ],
)
async def test_an_order_id_stays_one_segment_of_the_path(order_id: str, path: str) -> None:
    """Nothing in an id ends the path, leaves it, or is decoded on the way."""
    async with peers.listening(peers.answers()) as peer, client_of(peer.url) as client:
        await client.send(Cancel(order_id))
    assert peer.requests[0].target == path
    assert unquote(path.removeprefix("/v1/order/")) == order_id


@pytest.mark.parametrize("order_id", ["", ".", ".."])
def test_an_id_that_no_path_can_hold_is_a_bug(order_id: str) -> None:
    """Cancelling ``..`` would call another address; such an event has been rejected long before."""
    with pytest.raises(ValueError, match="made of dots"):
        order_path(order_id)


class _Keys:
    """A file with a key, as it is being rotated; an exception stands for a file that cannot be read."""

    def __init__(self, *keys: str | Exception) -> None:
        self.left = list(keys)
        self.times_read = 0

    def __call__(self) -> str:
        self.times_read += 1
        key = self.left.pop(0)
        if isinstance(key, Exception):
            raise key
        return key


def _keys_of(peer: peers.Peer) -> list[str]:
    tokens = [request.headers["authorization"].removeprefix("Basic ") for request in peer.requests]
    return [base64.b64decode(token).decode() for token in tokens]


async def test_a_refused_key_is_read_again_before_the_next_call() -> None:
    """A key that was rotated in its file is picked up by the probe that follows the halt [25]."""
    keys = _Keys("old", "new")
    async with peers.listening(peers.answers(401, b"")) as peer, client_of(peer.url, keys) as client:
        await client.send(Cancel("1"))
        await client.send(Cancel("1"))
    assert _keys_of(peer) == ["old:", "new:"]


@pytest.mark.parametrize("trouble", [FileNotFoundError("gone"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")])
async def test_a_key_file_that_cannot_be_read_keeps_the_key(trouble: Exception) -> None:
    """A file that is just being replaced is no crash; it is read again at the next refusal."""
    keys = _Keys("old", trouble, "new")
    async with peers.listening(peers.answers(401, b"")) as peer, client_of(peer.url, keys) as client:
        for _ in range(3):
            await client.send(Cancel("1"))
    assert _keys_of(peer) == ["old:", "old:", "new:"]


async def test_an_accepted_key_is_not_read_again() -> None:
    """No call waits for a disk."""
    keys = _Keys("only")
    async with peers.listening(peers.answers(403, b"")) as peer, client_of(peer.url, keys) as client:
        for _ in range(3):
            await client.send(Cancel("1"))
    assert keys.times_read == 1


async def test_what_never_left_and_what_got_no_answer_stay_apart() -> None:
    """The client hands on what the transport says of a request."""
    async with client_of(peers.refused_url()) as client:
        assert isinstance(await client.send(Create(ORDER)), NotSent)
    async with peers.listening(peers.closes_after_reading) as peer, client_of(peer.url) as client:
        assert isinstance(await client.send(Create(ORDER)), NoAnswer)


async def test_a_message_holds_neither_key_nor_customer() -> None:
    """Whatever of our own request Button repeats, its message may be shown to anybody."""
    echo = (
        f"key {KEY} / c2stWFhYOg==: customer mycustomer-1234 <bob@example.com> {'A' * 64} on "
        "6d92078a-8246-4ba4-ae5b-76104861e7dc has no such order 1994, engraving 'for bob (builder)' too long for M"
    )
    body = json.dumps({"meta": {"status": "error"}, "error": {"message": echo}}).encode()
    async with peers.listening(peers.answers(400, body)) as peer, client_of(peer.url) as client:
        reply = await client.send(Create(ORDER))
    assert isinstance(reply, Answer)
    assert reply.message == (
        "key [redacted] / [redacted]: customer [redacted] [redacted] [redacted] on [redacted] has no such order 1994, "
        "engraving '[redacted]' too long for M"
    )


async def test_headers_that_are_not_ascii_ask_for_nothing() -> None:
    """Bytes that no header may hold cost neither the answer nor the process."""
    headers = ("Retry-After: \u00ff\u00fe", "Content-Type: \u00ff", "Date: \u00ff")
    async with peers.listening(peers.answers(503, b"<html>", *headers)) as peer, client_of(peer.url) as client:
        reply = await client.send(Create(ORDER))
    assert isinstance(reply, Answer)
    assert (reply.status, reply.retry_after_seconds) == (503, None)
