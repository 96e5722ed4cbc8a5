# SPDX-License-Identifier: Apache-2.0
"""What no transport exceeds: memory, connections and time, also when cancelled or closed.

Owns what a transport leaves behind.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from connector.button.transport import HttpAnswer
from connector.domain.responses import NoAnswer, NotSent
from tests.support import http_peers as peers
from tests.support.polling import eventually
from tests.support.transports import HASTE, REQUEST_TIMEOUT_SECONDS, for_each_transport, post

if TYPE_CHECKING:
    from tests.support.transports import Connect

pytestmark = for_each_transport


async def test_connections_are_used_again(connect: Connect) -> None:
    """Requests one after another share a connection."""
    async with peers.listening(peers.answers()) as peer, connect(peer.url) as transport:
        for _ in range(5):
            assert isinstance(await post(transport), HttpAnswer)
    assert (peer.accepted, len(peer.requests)) == (1, 5)


async def test_a_huge_body_is_cut_at_the_bound(connect: Connect) -> None:
    """A gigabyte costs no more than the bound, and its connection is dropped."""
    async with (
        peers.listening(peers.sends_a_huge_body) as peer,
        connect(peer.url, max_body_bytes=100_000) as transport,
    ):
        answer = await post(transport)
        await eventually(lambda: peer.open == 0)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, len(answer.body), answer.truncated) == (200, 100_000, True)
    assert peer.sent_bytes < 64 * 1024 * 1024  # what sockets buffer, and far from the gigabyte


@pytest.mark.parametrize(("length", "is_truncated"), [(999, False), (1000, False), (1001, True)])
async def test_the_bound_is_exact(connect: Connect, length: int, is_truncated: bool) -> None:  # noqa: FBT001  a parameter of the table above
    """A body of just the bound is whole; one byte more is not."""
    async with (
        peers.listening(peers.answers(200, b"x" * length)) as peer,
        connect(peer.url, max_body_bytes=1000) as transport,
    ):
        answer = await post(transport)
    assert answer == HttpAnswer(200, answer.headers, b"x" * min(length, 1000), is_truncated)  # type: ignore[union-attr]  # equality fails for the others


async def test_a_compressed_body_is_left_as_it_is(connect: Connect) -> None:
    """A few bytes never unfold into many, even when the peer compresses unasked."""
    squeezed = bytes.fromhex("1f8b08000000000000ffabae05004 3bfa6a302000000".replace(" ", ""))
    async with (
        peers.listening(peers.answers(200, squeezed, "Content-Encoding: gzip")) as peer,
        connect(peer.url) as transport,
    ):
        answer = await post(transport)
    assert isinstance(answer, HttpAnswer)
    assert answer.body == squeezed


async def test_no_more_connections_than_allowed(connect: Connect) -> None:
    """What finds no free connection waits, and does not open another."""
    async with peers.listening(peers.is_silent) as peer, connect(peer.url, max_connections=2, **HASTE) as transport:
        exchanges = await asyncio.gather(*(post(transport) for _ in range(6)))
        assert peer.accepted <= 4  # two at first, and two that took their places
    assert not any(isinstance(exchange, HttpAnswer) for exchange in exchanges)
    assert sum(isinstance(exchange, NoAnswer) for exchange in exchanges) >= 2


@pytest.mark.parametrize("behaviour", [peers.is_silent, peers.stops_in_the_body])
async def test_a_cancelled_send_ends_within_the_request_timeout(connect: Connect, behaviour: peers.Behaviour) -> None:
    """Cancelling returns at once, and its connection is neither kept nor used again [5]."""
    async with peers.listening(behaviour) as peer, connect(peer.url, max_connections=1, **HASTE) as transport:
        sending = asyncio.create_task(post(transport))
        await eventually(lambda: peer.requests)
        sending.cancel()
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS / 2):
            await asyncio.wait([sending])
        assert sending.cancelled()
        await eventually(lambda: peer.open == 0, REQUEST_TIMEOUT_SECONDS + 1.0)
        retry = asyncio.create_task(post(transport))
        await eventually(lambda: len(peer.requests) == 2)
        assert isinstance(await retry, NoAnswer)
    assert peer.accepted == 2


async def test_close_lets_go_of_idle_connections(connect: Connect) -> None:
    """After close no connection is open and nothing is left to the garbage collector."""
    async with peers.listening(peers.answers()) as peer, connect(peer.url) as transport:
        await asyncio.gather(*(post(transport) for _ in range(4)))
        assert peer.open > 0
        await transport.close()
        await eventually(lambda: peer.open == 0)
        gc.collect()  # what was left open would warn here, and warnings are errors


async def test_close_ends_a_call_in_flight(connect: Connect) -> None:
    """A call that runs while the transport closes ends as data, and its connection within the request timeout."""
    async with peers.listening(peers.is_silent) as peer, connect(peer.url, **HASTE) as transport:
        sending = asyncio.create_task(post(transport))
        await eventually(lambda: peer.requests)
        await transport.close()
        assert isinstance(await sending, NoAnswer)
        await eventually(lambda: peer.open == 0, REQUEST_TIMEOUT_SECONDS + 1.0)


async def test_a_send_after_close_is_data(connect: Connect) -> None:
    """A call that comes too late is no crash, and opens nothing; closing twice is no crash, either."""
    async with peers.listening(peers.answers()) as peer, connect(peer.url) as transport:
        await transport.close()
        assert isinstance(await post(transport), NotSent)
    assert peer.accepted == 0
