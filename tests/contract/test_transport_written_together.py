# SPDX-License-Identifier: Apache-2.0
"""What only the transport on the event loop promises: requests of one turn go out together, and never too late.

Owns the moment between a request that is made and one that is written.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from connector.button.asyncio_transport import AsyncioTransport
from connector.button.http1 import Connection
from connector.button.transport import HttpAnswer, TransportOptions
from connector.domain.responses import NoAnswer, NotSent
from tests.support import http_peers as peers
from tests.support.polling import eventually
from tests.support.transports import assert_is_plain, post

if TYPE_CHECKING:
    from connector.button.transport import Exchange

TIMEOUT_SECONDS = 20.0


class Clock:
    """Seconds that pass when a test says so; counts how often it was asked."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = self.passes_behind_next = 0.0
        self.asked = 0

    def __call__(self) -> float:
        """Return the time, and count."""
        self.asked += 1
        now, self.now = self.now, self.now + self.passes_behind_next
        self.passes_behind_next = 0.0
        return now


def transport(peer: peers.Peer, clock: Clock | None = None) -> AsyncioTransport:
    """Open a transport to a peer."""
    options = TransportOptions(peer.url, request_timeout_seconds=TIMEOUT_SECONDS)
    return AsyncioTransport(options, clock or time.monotonic)


async def freeze_between(way: AsyncioTransport, clock: Clock, seconds: float) -> object:
    """Send an order, with so much time passing between the request's making and its writing."""
    clock.passes_behind_next = seconds
    return await post(way)


@pytest.mark.parametrize(("calls", "writings"), [(1, 1), (64, 1), (65, 2), (200, 4)])
async def test_what_is_sent_in_one_turn_is_written_together(calls: int, writings: int) -> None:
    """One look at the clock for each call, and one for each writing, of which there is one for up to 64 calls."""
    clock = Clock()
    async with peers.listening(peers.answers()) as peer:
        way = transport(peer, clock)
        try:
            await asyncio.gather(*(post(way) for _ in range(calls)))  # so that there is a connection for each
            assert peer.accepted == calls
            clock.asked = 0
            answers = await asyncio.gather(*(post(way) for _ in range(calls)))
        finally:
            await way.close()
    assert all(isinstance(answer, HttpAnswer) for answer in answers)
    assert len(peer.requests) == 2 * calls
    assert clock.asked == calls + writings


@pytest.mark.parametrize("is_kept", [False, True])
async def test_nothing_is_written_when_its_time_is_over(is_kept: bool) -> None:  # noqa: FBT001  a parameter of the table above
    """A process that stood still behind the making of a request does not send it any more."""
    clock = Clock()
    async with peers.listening(peers.answers()) as peer:
        way = transport(peer, clock)
        try:
            if is_kept:
                assert isinstance(await post(way), HttpAnswer)
            exchange = await freeze_between(way, clock, TIMEOUT_SECONDS)
            assert isinstance(exchange, NotSent)
            assert_is_plain(exchange)
            assert len(peer.requests) == is_kept
            await eventually(lambda: peer.open == 0)
            assert isinstance(await freeze_between(way, clock, TIMEOUT_SECONDS - 0.001), HttpAnswer)
        finally:
            await way.close()


async def test_connections_that_ended_meanwhile_are_replaced() -> None:
    """A close that the event loop has not told of when the request is written costs no request, on any of several."""
    closing_peers: list[asyncio.Event] = []

    async def answers_once(line: peers.Line) -> None:
        may_close = asyncio.Event()
        closing_peers.append(may_close)
        await line.request()
        await line.say(peers.response(200, b"{}"))
        await may_close.wait()
        line.writer.close()

    async with peers.listening(answers_once) as peer:
        way = transport(peer)
        try:
            await asyncio.gather(*(post(way) for _ in range(3)))
            assert peer.accepted == 3
            for event in closing_peers:
                event.set()
            # Made before the ends are told; the peers close within the same turn, in front of the writing.
            answers = await asyncio.gather(*(post(way) for _ in range(3)))
        finally:
            for event in closing_peers:
                event.set()
            await way.close()
    assert all(isinstance(answer, HttpAnswer) for answer in answers)
    assert (peer.accepted, len(peer.requests)) == (6, 6)


async def test_bytes_in_front_of_the_request_are_no_answer_to_it() -> None:
    """What a new connection brings before anything was asked is nobody's answer, and nothing is written behind it."""

    async def speaks_first(line: peers.Line) -> None:
        await line.say(peers.response(200, b"{}"))
        await line.closed_by_client()

    async with peers.listening(speaks_first) as peer:
        way = transport(peer)
        try:
            exchange = await post(way)
        finally:
            await way.close()
    assert isinstance(exchange, NoAnswer)
    assert peer.accepted == 1


@pytest.mark.parametrize("idle_since", [0.0, 1.0])
@pytest.mark.parametrize("news", ["bytes", "end"])
async def test_news_between_making_and_writing_are_not_the_answer(idle_since: float, news: str) -> None:
    """What the event loop tells of before the request is written ends the connection, and nothing is written."""
    async with peers.listening(peers.is_silent) as peer:
        loop = asyncio.get_running_loop()
        wire, connection = await loop.create_connection(lambda: Connection(1000), peer.host, peer.port)
        connection.idle_since = idle_since
        answer: asyncio.Future[Exchange | None] = loop.create_future()
        connection.begin(b"GET / HTTP/1.1\r\n\r\n", answer)
        if news == "bytes":
            connection.data_received(peers.response(200, b"{}"))
        else:
            connection.connection_lost(None)
        connection.write()
        assert wire.get_write_buffer_size() == 0
        assert not connection.is_open
        assert (await answer is None) if idle_since else isinstance(await answer, NoAnswer)
        await eventually(lambda: peer.open == 0)
    assert not peer.requests
