# SPDX-License-Identifier: Apache-2.0
"""What a server may write back: a complete answer or a named ending, within bounds, and never another call's answer."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.button.answers import read_answer, read_success, with_order
from connector.button.http1 import Connection
from connector.button.observed import observed_order
from connector.button.redaction import shown
from connector.button.retry_after import MAX_RETRY_AFTER_SECONDS, retry_after_seconds
from connector.button.transport import MAX_MESSAGE_CHARACTERS, HttpAnswer
from connector.domain.orders import Operation
from connector.domain.outcomes import NoAnswer
from connector.domain.responses import interpret
from tests.support.commerce import published
from tests.support.mutations import (
    FUZZ,
    MARKED_EMAIL,
    MARKED_SECRET,
    assert_private,
    little_memory_and_time,
    mutated,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from connector.button.transport import Exchange

NOW_MS = 1_700_000_000_000
MOST_BODY_BYTES = 4_096
MEBIBYTE = 1024 * 1024

_PUBLISHED = [
    *cast("list[dict[str, Any]]", published("button_client_answers")),
    *cast("list[dict[str, Any]]", published("button_other_answers")),
]
BODIES = (
    *(row["raw"].encode() if "raw" in row else json.dumps(row["body"]).encode() for row in _PUBLISHED),
    json.dumps(
        {"meta": {"status": "error"}, "error": {"message": f"{MARKED_EMAIL} {MARKED_SECRET} is unknown"}},
    ).encode(),
    json.dumps(
        {
            "meta": {"status": "ok"},
            "object": {
                "order_id": "1994",
                "total": 6003,
                "currency": "usd",
                "status": "open",
                "line_items": [
                    {"identifier": "sku", "total": 6003, "quantity": 3, "category": ["a"], "attributes": {}},
                ],
            },
        },
    ).encode(),
)


def _whole(status: int, body: bytes, *headers: str) -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} Said", *headers, f"Content-Length: {len(body)}"))
    return head.encode() + b"\r\n" + body


def _chunked(body: bytes, *trailers: str) -> bytes:
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    chunks = b"".join(b"%x;n=v\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    end = "".join(f"{line}\r\n" for line in trailers).encode()
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + end + b"\r\n"


ANSWERS = (
    *(_whole(200 if at % 2 else 429, body, "Retry-After: 7", "X-Request: ä") for at, body in enumerate(BODIES)),
    *(_chunked(body, "X-Trailer: v") for body in BODIES),
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODIES[0],
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _whole(201, BODIES[0]),
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, identity\r\n\r\n{}",
    b"HTTP/2.0 999 ?\r\nA:\0b\r\n\r\n",
)


class _Wire:
    """A transport of the event loop's that only remembers whether it was closed."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.is_closed = False

    def get_extra_info(self, _name: str) -> socket.socket:
        return self._sock

    def write(self, _data: bytes) -> None:
        """Let it go."""

    def abort(self) -> None:
        self.is_closed = True


class _Call:
    """One call on a connection of its own."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.wire = _Wire(sock)
        self.connection = Connection(MOST_BODY_BYTES)
        self.connection.connection_made(cast("asyncio.BaseTransport", self.wire))
        self._loop = loop

    def ask(self) -> asyncio.Future[Exchange | None]:
        answer: asyncio.Future[Exchange | None] = self._loop.create_future()
        self.connection.begin(b"GET / HTTP/1.1\r\n\r\n", answer)
        self.connection.write()
        return answer

    def hear(self, pieces: Iterable[bytes]) -> None:
        """Take pieces, as the event loop gives them: none after the connection was closed."""
        for piece in pieces:
            if not self.wire.is_closed and piece:
                self.connection.data_received(piece)


@pytest.fixture(scope="module")
def wires() -> Iterator[tuple[socket.socket, asyncio.AbstractEventLoop]]:
    """Give a socket that nothing arrives on, and a loop that does not run."""
    loop = asyncio.new_event_loop()
    with closing(loop), socket.socket() as sock:
        yield sock, loop


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in pairwise(bounds)]


cuts = st.lists(st.integers(0, 2_000), max_size=6)


@FUZZ
@given(st.sampled_from(ANSWERS) | mutated(ANSWERS), cuts)
def test_every_answer_is_whole_or_ends_with_a_name(
    wires: tuple[socket.socket, asyncio.AbstractEventLoop],
    data: bytes,
    cuts: list[int],
) -> None:
    """Whatever a server writes and wherever it is cut, the call ends, and what came of it can be judged."""
    call = _Call(*wires)
    answer = call.ask()
    call.hear(_pieces(data, cuts))
    call.connection.connection_lost(None)
    assert answer.done()
    exchange = answer.result()
    assert isinstance(exchange, HttpAnswer | NoAnswer)
    if isinstance(exchange, NoAnswer):
        assert 0 < len(exchange.message) <= MAX_MESSAGE_CHARACTERS
        assert_private(exchange.message)
        return
    assert len(exchange.body) <= MOST_BODY_BYTES
    assert all(name.isascii() and name == name.lower() for name in exchange.headers)
    _judge(exchange)


@FUZZ
@given(mutated(ANSWERS) | st.builds(bytes.__add__, st.sampled_from(ANSWERS), mutated(ANSWERS)), cuts)
@example(_whole(200, b"{}") + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", [])
def test_what_was_left_of_one_answer_is_never_a_part_of_the_next(
    wires: tuple[socket.socket, asyncio.AbstractEventLoop],
    data: bytes,
    cuts: list[int],
) -> None:
    """A connection on which anything stood behind an answer is not used again; one that is, gives the next answer."""
    call = _Call(*wires)
    first = call.ask()
    call.hear(_pieces(data, cuts))
    if not first.done() or call.wire.is_closed or not call.connection.is_open:
        return
    second = call.ask()
    call.hear([_whole(200, b'{"mine": true}')])
    assert second.done()
    exchange = second.result()
    assert isinstance(exchange, HttpAnswer)
    assert exchange.body == b'{"mine": true}'


_ENDLESS = {
    "trailers": (_chunked(b"{}")[:-2], b"X-Trailer: v\r\n" * 500),
    "one long trailer": (_chunked(b"{}")[:-2] + b"X: ", b"v" * 8_000),
    "one long header": (b"HTTP/1.1 200 OK\r\nX: ", b"v" * 8_000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: v\r\n" * 1_000),
    "announcements": (b"", b"HTTP/1.1 100 Continue\r\nX: v\r\n\r\n" * 200),
    "one announcement's headers": (b"HTTP/1.1 100 Continue\r\n", b"X: v\r\n" * 1_000),
    "a chunk's extension": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"n" * 8_000),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1_000),
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 8_000),
    "a reason": (b"HTTP/1.1 200 ", b"x" * 8_000),
}


@pytest.mark.parametrize(("begin", "again"), _ENDLESS.values(), ids=_ENDLESS)
def test_an_answer_without_an_end_takes_little_memory(
    wires: tuple[socket.socket, asyncio.AbstractEventLoop],
    begin: bytes,
    again: bytes,
) -> None:
    """However long a server goes on, what is kept of it is bounded; the request timeout ends the rest."""
    call = _Call(*wires)
    answer = call.ask()
    with little_memory_and_time(2 * MEBIBYTE):
        call.hear([begin])
        call.hear(again for _ in range(2_000))
    if answer.done():
        assert call.wire.is_closed


# What is read of an answer.


def _judge(http: HttpAnswer) -> None:
    """Fail unless each operation gives an outcome, with a message that shows nothing private."""
    answer = read_success(http) or read_answer(http, NOW_MS, lambda text: shown(text, secrets=(MARKED_SECRET,)))
    assert_private(answer.message)
    assert answer.retry_after_seconds is None or 0 <= answer.retry_after_seconds <= MAX_RETRY_AFTER_SECONDS
    for operation in Operation:
        interpret(operation, with_order(answer, http, "1994"))


statuses = st.sampled_from((200, 201, 202, 204, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503)) | st.integers(
    100,
    999,
)


@FUZZ
@given(status=statuses, body=mutated(BODIES), is_truncated=st.booleans())
@example(status=200, body=b"[" * 100_000, is_truncated=False)
@example(status=200, body=b'{"meta":' * 100_000, is_truncated=False)
@example(
    status=200,
    body=b'{"meta": {"status": "ok"}, "object": {"total": 1e400, "currency": "USD"}}',
    is_truncated=False,
)
def test_every_body_is_read_and_judged(status: int, body: bytes, is_truncated: bool) -> None:  # noqa: FBT001  a drawn value
    """Whatever the body says, or does not say, the answer has an outcome."""
    _judge(HttpAnswer(status, {"content-type": MARKED_EMAIL}, body, is_truncated))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fields = ("order_id", "total", "currency", "status", "line_items", "identifier", "quantity", "category", "attributes")
orders = st.dictionaries(st.sampled_from(fields), json_values, max_size=6)
lines = st.lists(orders | json_values, max_size=3)
shown_orders = orders | st.builds(lambda order, its: {**order, "line_items": its}, orders, lines) | json_values


@FUZZ
@given(st.dictionaries(st.sampled_from(("object", "objects")), shown_orders | st.lists(shown_orders, max_size=3)))
def test_every_object_is_an_order_or_shows_none(envelope: dict[str, Any]) -> None:
    """Fields of any type make no order of what they are not, and an order that is taken can be told again."""
    observed = observed_order(envelope, "1994")
    if observed is not None and observed.order is not None:
        order = observed.order
        assert order.order_id == "1994"
        assert isinstance(order.total, int)
        orjson.dumps([order.total, order.currency, [list(line) for line in order.line_items]])


_WAITS = (
    b"120",
    b"0.5",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Fri, 31 Dec 9999 23:59:59 -2359",
    b"Mon, 01 Jan 0001 00:00:00 +2359",
)


@FUZZ
@given(mutated(_WAITS), st.none() | mutated(_WAITS), st.none() | mutated(_WAITS))
def test_every_demand_to_wait_is_bounded(asked: bytes, reset: bytes | None, date: bytes | None) -> None:
    """A wait is between nothing and the bound, whatever the headers say of it."""
    said = {"retry-after": asked, "x-button-limit-reset-seconds": reset, "date": date}
    headers = {name: value.decode("latin-1") for name, value in said.items() if value is not None}
    wait = retry_after_seconds(headers, NOW_MS)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER_SECONDS


@FUZZ
@given(mutated([f"order of {MARKED_EMAIL} with {MARKED_SECRET}".encode()] * 2))
def test_no_foreign_text_shows_an_address_or_the_key(text: bytes) -> None:
    """What Button writes may echo anything; what is shown of it is one short line without addresses and the key."""
    line = shown(text.decode(errors="replace"), secrets=(MARKED_SECRET,))
    assert len(line) <= MAX_MESSAGE_CHARACTERS
    assert line.isprintable()
    assert "@" not in line
    assert MARKED_SECRET not in line
