# SPDX-License-Identifier: Apache-2.0
"""The sandbox's HTTP, byte by byte: what clients of every kind may send it."""

from __future__ import annotations

import asyncio
import json
import socket
from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import uvloop

from connector.sandbox import Sandbox, SandboxOptions, Switches
from tests.support.polling import eventually
from tests.support.sandbox_api import calling, message, order_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

KEY_HEADER = "Authorization: Basic " + b64encode(b"sk-sandbox:").decode()
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Give a sandbox that takes small bodies only."""
    async with Sandbox(SandboxOptions(max_body_bytes=10_000)) as sandbox:
        yield sandbox


@asynccontextmanager
async def connected(sandbox: Sandbox) -> AsyncIterator[Streams]:
    """Open a bare connection."""
    host, _, port = sandbox.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


def create(order_id: str, *headers: str) -> bytes:
    """Return the bytes of a create."""
    body = json.dumps(order_body(order_id)).encode()
    return request("POST /v1/order", f"Content-Length: {len(body)}", *headers) + body


def request(line: str, *headers: str) -> bytes:
    """Return the bytes of a request's head."""
    return "\r\n".join([f"{line} HTTP/1.1", "Host: sandbox", KEY_HEADER, *headers, "", ""]).encode()


async def answer(reader: asyncio.StreamReader, *, is_head: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Read one answer: status, headers, body."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    length = 0 if is_head else int(headers.get("content-length", "0"))
    return int(head[0].split()[1]), headers, await asyncio.wait_for(reader.readexactly(length), 5)


async def test_requests_sent_ahead_are_answered_in_their_order(sandbox: Sandbox) -> None:
    """Pipelining is safe: answers come in the order of the requests, also when the first is slow."""
    sandbox.add_fault("order-0", "delay", delay_ms=30)
    async with connected(sandbox) as (reader, writer):
        writer.write(b"".join(create(f"order-{number}") for number in range(100)))
        bodies = [json.loads((await answer(reader))[2]) for _ in range(100)]
    assert [body["object"]["order_id"] for body in bodies] == [f"order-{number}" for number in range(100)]
    assert sandbox.stats["connections"] == {"accepted": 1, "reset_on_accept": 0}


async def test_a_connection_serves_on_after_errors(sandbox: Sandbox) -> None:
    """An error is an answer: the connection stays, whatever was wrong."""
    sandbox.add_fault("failing", "fail")
    async with connected(sandbox) as (reader, writer):
        for bytes_sent, status in (
            (create("failing"), 503),
            (request("GET /nowhere"), 404),
            (request("PUT /v1/order/x"), 405),
            (request("POST /v1/order", "Content-Length: 3") + b"{]}", 400),
            (request("POST /v1/order", "Content-Length: 2") + b"[]", 400),
            (request("DELETE /v1/order/x"), 404),
            (create("order-1"), 200),
        ):
            writer.write(bytes_sent)
            assert (await answer(reader))[0] == status


async def test_a_request_may_come_in_pieces_and_in_chunks(sandbox: Sandbox) -> None:
    """Bytes may arrive one by one, and a body in chunks."""
    body = json.dumps(order_body("order-2")).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:])) + b"0\r\n\r\n"
    async with connected(sandbox) as (reader, writer):
        for byte in create("order-1"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await answer(reader))[0] == 200
        writer.write(request("POST /v1/order", "Transfer-Encoding: chunked") + chunks)
        assert (await answer(reader))[0] == 200
    assert set(sandbox.orders) == {"order-1", "order-2"}


async def test_head_is_get_without_a_body(sandbox: Sandbox) -> None:
    """HEAD answers with GET's status and length and no body."""
    async with connected(sandbox) as (reader, writer):
        writer.write(create("order-1") + request("HEAD /v1/order/order-1") + request("GET /v1/order/order-1"))
        await answer(reader)
        head, get = await answer(reader, is_head=True), await answer(reader)
    assert (head[0], head[1]["content-length"]) == (200, str(len(get[2])))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/order", "POST"),
        ("GET", "/v1/order", "POST"),
        ("PATCH", "/v1/order/order-1", "GET, HEAD, POST, DELETE"),
        ("POST", "/v1/order/btn-ref/x", "GET, HEAD"),
        ("DELETE", "/_sandbox/orders", "GET"),
        ("GET", "/_sandbox/forget/x", "POST"),
    ],
)
async def test_another_method_is_answered_405(method: str, path: str, allowed: str) -> None:
    """A path that exists takes its methods only, and names them."""
    async with calling() as api:
        found = await api.client.request(method, path)
        assert (found.status_code, found.headers["allow"]) == (405, allowed)
        assert message(found)


@pytest.mark.parametrize("path", ["/v1/order/", "/v1/orders", "/v1/order/a/b", "/v1/order/btn-ref/", "/bleep/bloop"])
async def test_an_unknown_path_is_answered_404(path: str) -> None:
    """Where there is nothing, the answer has Button's envelope."""
    async with calling() as api:
        found = await api.client.get(path)
        assert (found.status_code, message(found)) == (404, "There is nothing at this path")
        assert api.sandbox.requests[0].operation == "unknown"


async def test_a_body_beyond_the_bound_is_answered_413(sandbox: Sandbox) -> None:
    """The answer arrives although the caller is still sending, and nothing is taken."""
    async with connected(sandbox) as (reader, writer):
        writer.write(request("POST /v1/order", "Content-Length: 1000000") + b"x" * 500_000)
        assert (await answer(reader))[0] == 413
        assert await reader.read() == b""
    assert sandbox.requests == []


async def test_a_head_beyond_the_bound_is_answered_431(sandbox: Sandbox) -> None:
    """A header without an end does not fill the memory."""
    async with connected(sandbox) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
        assert (await answer(reader))[0] == 431


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
async def test_what_is_not_http_is_answered_400_and_the_connection_ends(sandbox: Sandbox, garbage: bytes) -> None:
    """Garbage, a TLS greeting, an unknown version: one answer, then the end."""
    async with connected(sandbox) as (reader, writer):
        writer.write(garbage)
        assert (await answer(reader))[0] == 400
        assert await reader.read() == b""


async def test_an_upgrade_is_refused(sandbox: Sandbox) -> None:
    """There is no other protocol to change to."""
    async with connected(sandbox) as (reader, writer):
        writer.write(request("GET /", "Connection: Upgrade", "Upgrade: websocket"))
        assert (await answer(reader))[0] == 400


async def test_connection_close_is_kept(sandbox: Sandbox) -> None:
    """A caller that wants to close is answered and let go; so is one of HTTP/1.0."""
    for line in ("GET /v1/order/x HTTP/1.1\r\nConnection: close", "GET /v1/order/x HTTP/1.0"):
        async with connected(sandbox) as (reader, writer):
            writer.write(f"{line}\r\n{KEY_HEADER}\r\n\r\n".encode())
            status, headers, _ = await answer(reader)
            assert (status, headers["connection"]) == (404, "close")
            assert await reader.read() == b""


async def test_a_caller_that_waits_before_its_body_is_told_to_go_on(sandbox: Sandbox) -> None:
    """``Expect: 100-continue`` gets its 100 before the body is sent."""
    whole = create("order-1", "Expect: 100-continue")
    head, body = whole[: whole.index(b"\r\n\r\n") + 4], whole[whole.index(b"\r\n\r\n") + 4 :]
    async with connected(sandbox) as (reader, writer):
        writer.write(head)
        assert (await answer(reader))[0] == 100
        writer.write(body)
        assert (await answer(reader))[0] == 200


async def test_stopping_does_not_wait_for_anybody() -> None:
    """Callers that are being held are cut when the sandbox stops."""
    async with (
        Sandbox(SandboxOptions(switches=Switches(no_answer_share=1))) as sandbox,
        connected(sandbox) as (reader, writer),
    ):
        writer.write(create("order-1"))
        await eventually(lambda: sandbox.orders)
        await asyncio.wait_for(sandbox.stop(), 1)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await answer(reader)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"total": ...}, "total"),
        ({"total": 70.0}, "total"),
        ({"total": True}, "total"),
        ({"total": "7000"}, "total"),
        ({"total": -1}, "total"),
        ({"total": 2_147_483_648}, "total"),
        ({"currency": ...}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "ABC"}, "currency"),
        ({"order_id": 1989}, "order_id"),
        ({"order_id": ""}, "order_id"),
        ({"purchase_date": ...}, "purchase_date"),
        ({"purchase_date": "yesterday"}, "purchase_date"),
        ({"btn_ref": "has space"}, "btn_ref"),
        ({"btn_ref": "x" * 256}, "btn_ref"),
        ({"customer": []}, "customer"),
        ({"customer": {"id": 5}}, "customer.id"),
        ({"customer": {"email_sha256": "ab"}}, "customer.email_sha256"),
        ({"customer": {"is_new": "yes"}}, "customer.is_new"),
        ({"customer_order_id": "x" * 256}, "customer_order_id"),
        ({"line_items": {}}, "line_items"),
        ({"line_items": ["sku"]}, "line_items[0]"),
        ({"line_items": [{"total": 7000}]}, "line_items[0].identifier"),
        ({"line_items": [{"identifier": "a", "total": 1}] * 2}, "line_items[1].identifier"),
        ({"line_items": [{"identifier": "a"}]}, "line_items[0].total"),
        ({"line_items": [{"identifier": "a", "total": 1.5}]}, "line_items[0].total"),
        ({"line_items": [{"identifier": "a", "total": 1, "quantity": 0}]}, "line_items[0].quantity"),
        ({"line_items": [{"identifier": "a", "total": 1, "sku": "x" * 256}]}, "line_items[0].sku"),
        ({"line_items": [{"identifier": "a", "total": 1, "upc": 12}]}, "line_items[0].upc"),
        ({"line_items": [{"identifier": "a", "total": 1, "amount": "1"}]}, "line_items[0].amount"),
        ({"line_items": [{"identifier": "a", "total": 1, "description": 5}]}, "line_items[0].description"),
        ({"line_items": [{"identifier": "a", "total": 1, "category": "x"}]}, "line_items[0].category"),
        ({"line_items": [{"identifier": "a", "total": 1, "category": ["x"] * 8}]}, "line_items[0].category"),
        ({"line_items": [{"identifier": "a", "total": 1, "attributes": {"a": 1}}]}, "line_items[0].attributes"),
        ({"partner_order_channel": "web"}, "partner_order_channel"),
        ({"finalization_date": "soon"}, "finalization_date"),
    ],
)
async def test_a_field_that_breaks_its_rule_is_named(fields: dict[str, object], named: str) -> None:
    """400 names the field, in a create and in an update alike, and nothing changes."""
    async with calling() as api:
        body = {name: value for name, value in {**order_body(), **fields}.items() if value is not ...}
        created = await api.client.post("/v1/order", json=body)
        assert (created.status_code, message(created).partition(":")[0]) == (400, named)
        assert api.sandbox.orders == {}
        if "order_id" in fields or ... in fields.values():
            return
        await api.create()
        updated = await api.update(**fields)
        assert (updated.status_code, message(updated).partition(":")[0]) == (400, named)
        assert api.sandbox.orders["order-1"].changes == 1


async def test_an_update_may_repeat_the_id_and_never_change_it() -> None:
    """Button's own client repeats the id in the body; another id there is refused."""
    async with calling() as api:
        await api.create()
        assert (await api.update(order_id="order-1", total=5)).status_code == 200
        assert message(await api.update(order_id="order-2", total=6)).startswith("order_id:")
        assert api.sandbox.orders["order-1"].fields["total"] == 5


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_callers_that_come_together_are_accepted_together(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """However long a turn of a busy loop is, no caller waits for as many of them as there are callers before it."""

    async def accepted_in_a_few_turns(sandbox: Sandbox) -> object:
        host, _, port = sandbox.url.removeprefix("http://").partition(":")
        callers = [socket.create_connection((host, int(port))) for _ in range(60)]
        for _ in range(10):
            await asyncio.sleep(0)
        for caller in callers:
            caller.close()
        connections = sandbox.stats["connections"]
        assert isinstance(connections, dict)
        return connections["accepted"]

    async def run() -> object:
        async with Sandbox() as sandbox:
            return await accepted_in_a_few_turns(sandbox)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(run()) == 60
