# SPDX-License-Identifier: Apache-2.0
"""What every transport promises, held against peers that misbehave at the level of sockets.

Owns the classification over plain HTTP: for each peer, whether a request was answered, certainly not sent, or possibly
read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pytest

from connector.button.transport import HttpAnswer
from connector.domain.responses import NoAnswer, NotSent
from tests.support import http_peers as peers
from tests.support.polling import eventually
from tests.support.transports import BODY, HASTE, REQUEST_TIMEOUT_SECONDS, assert_is_plain, for_each_transport, post

if TYPE_CHECKING:
    from tests.support.transports import Connect

pytestmark = for_each_transport


async def test_a_request_arrives_as_it_was_given_and_the_answer_comes_back(connect: Connect) -> None:
    """Method, path, headers and body go out unchanged; status, headers and body come back unchanged."""
    behaviour = peers.answers(429, b'{"meta":{}}', "Retry-After: 7", "X-Button-Limit-Reset-Seconds: 9")
    async with peers.listening(behaviour) as peer, connect(peer.url) as transport:
        answer = await post(transport)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body, answer.truncated) == (429, b'{"meta":{}}', False)
    assert (answer.headers.get("retry-after"), answer.headers.get("x-button-limit-reset-seconds")) == ("7", "9")
    assert answer.headers.get("date") is None
    received = peer.requests[0]
    assert (received.method, received.target, received.body) == ("POST", "/v1/order", BODY)
    assert received.headers["authorization"] == "Basic c2stWFhYOg=="
    assert received.headers["content-type"] == "application/json"
    assert received.headers["content-length"] == str(len(BODY))
    assert "accept-encoding" not in received.headers


async def test_a_header_that_is_not_ascii_harms_no_other(connect: Connect) -> None:
    """Such a value may come back as text or not at all, and is never an exception."""
    behaviour = peers.answers(503, b"{}", "Date: \u00ff", "Retry-After: 7")
    async with peers.listening(behaviour) as peer, connect(peer.url) as transport:
        answer = await post(transport)
    assert isinstance(answer, HttpAnswer)
    assert answer.headers.get("date") in {None, "\u00ff"}
    assert answer.headers.get("retry-after") == "7"
    assert {"retry-after", "content-length"} <= {name.lower() for name in answer.headers}


async def test_a_request_without_a_body_says_so(connect: Connect) -> None:
    """A DELETE without a body carries neither bytes nor a content length above zero."""
    async with peers.listening(peers.answers(204, b"")) as peer, connect(peer.url) as transport:
        answer = await transport.send("DELETE", "/v1/order/1989", {}, None)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body) == (204, b"")
    assert peer.requests[0].headers.get("content-length", "0") == "0"


@pytest.mark.parametrize("order_id", ["1989", "a/b?c#d", "with space", "ünïcode ☃", "100%", "%2F", "a.b..c", "+&=;:@"])
async def test_an_encoded_path_arrives_as_it_was_encoded(connect: Connect, order_id: str) -> None:
    """No transport decodes, cuts or normalises a percent-encoded segment."""
    async with peers.listening(peers.answers()) as peer, connect(peer.url) as transport:
        await transport.send("GET", "/v1/order/" + quote(order_id, safe=""), {}, None)
    assert unquote(peer.requests[0].target.removeprefix("/v1/order/")) == order_id


async def test_a_path_in_the_base_url_is_kept(connect: Connect) -> None:
    """A gateway that serves the API below a path can be used."""
    async with peers.listening(peers.answers()) as peer, connect(peer.url + "/gateway/") as transport:
        await post(transport)
    assert peer.requests[0].target == "/gateway/v1/order"


async def test_changed_headers_are_sent_with_the_next_request(connect: Connect) -> None:
    """Another mapping of headers replaces the one before, as a rotated key demands."""
    async with peers.listening(peers.answers()) as peer, connect(peer.url) as transport:
        for key in ("one", "two", "one"):
            await transport.send("GET", "/", {"Authorization": key}, None)
    assert [request.headers["authorization"] for request in peer.requests] == ["one", "two", "one"]


async def test_a_refused_connection_is_not_sent(connect: Connect) -> None:
    """Nobody listens on the port."""
    async with connect(peers.refused_url()) as transport:
        exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert_is_plain(exchange)


async def test_an_unresolvable_name_is_not_sent(connect: Connect) -> None:
    """The API's name has no address."""
    async with connect(peers.UNRESOLVABLE) as transport:
        exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert_is_plain(exchange)


async def test_a_connection_that_never_comes_about_is_not_sent(connect: Connect) -> None:
    """The connect timeout ends what the kernel would try for minutes."""
    with peers.full_backlog() as url:
        async with connect(url, **HASTE) as transport:
            exchange = await post(transport)
    assert isinstance(exchange, NotSent)
    assert_is_plain(exchange)


@pytest.mark.parametrize(
    "behaviour",
    [
        peers.never_reads,
        peers.closes_after_reading,
        peers.resets_after_reading,
        peers.is_silent,
        peers.sends_half_a_head,
        peers.sends_half_a_body,
        peers.stops_in_the_body,
        peers.speaks_garbage,
        peers.speaks_garbage_at_once,
        peers.drips,
        peers.sends_a_huge_head,
    ],
)
async def test_a_request_that_may_have_been_read_is_no_answer(connect: Connect, behaviour: peers.Behaviour) -> None:
    """Once there is a connection, every failure is ambiguous, and each ends within the request timeout [48]."""
    loop = asyncio.get_running_loop()
    async with peers.listening(behaviour) as peer, connect(peer.url, **HASTE) as transport:
        started = loop.time()
        exchange = await post(transport)
        took_seconds = loop.time() - started
    assert isinstance(exchange, NoAnswer)
    assert_is_plain(exchange)
    assert took_seconds < REQUEST_TIMEOUT_SECONDS + 1.0
    assert len(peer.requests) <= 1


@pytest.mark.parametrize("behaviour", [peers.closes_at_once, peers.resets_at_once])
async def test_a_peer_that_hangs_up_before_reading_is_never_an_answer(
    connect: Connect,
    behaviour: peers.Behaviour,
) -> None:
    """The end of a connection may be seen while it is opened or while it is used; either way nothing is repeated."""
    async with peers.listening(behaviour) as peer, connect(peer.url) as transport:
        exchange = await post(transport)
    assert isinstance(exchange, NotSent | NoAnswer)
    assert_is_plain(exchange)
    assert peer.accepted == 1


async def test_a_kept_connection_that_was_closed_is_replaced(connect: Connect) -> None:
    """A close that came between two requests costs no request."""
    async with peers.listening(peers.answers_once_and_closes) as peer, connect(peer.url) as transport:
        for _ in range(3):
            assert isinstance(await post(transport), HttpAnswer)
            await eventually(lambda: peer.open == 0)
    assert (peer.accepted, len(peer.requests)) == (3, 3)


async def test_a_close_that_crosses_the_request_is_no_answer_and_nothing_is_repeated(connect: Connect) -> None:
    """A kept connection ended under the request: it was not read, but we cannot know; the next one goes through."""
    behaviour = peers.answers_once_and_resets_the_next_unread
    async with peers.listening(behaviour) as peer, connect(peer.url) as transport:
        assert isinstance(await post(transport), HttpAnswer)
        assert isinstance(await post(transport), NoAnswer)
        assert (peer.accepted, len(peer.requests)) == (1, 1)
        assert isinstance(await post(transport), HttpAnswer)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_never_followed(connect: Connect, status: int) -> None:
    """An order, and our key, go to nobody but the configured API."""
    async with peers.listening(peers.answers()) as target:
        elsewhere = peers.redirects_to(target.url + "/v1/order", status)
        async with peers.listening(elsewhere) as peer, connect(peer.url) as transport:
            answer = await post(transport)
    assert isinstance(answer, HttpAnswer)
    assert answer.status == status
    assert (target.accepted, len(peer.requests)) == (0, 1)
