# SPDX-License-Identifier: Apache-2.0
"""The transport on httpx2 (Python), for everything that is not hot and wherever pyreqwest has no wheel.

Owns the judgement whether a request may have been read. Unlike pyreqwest's, the exception classes tell (tried on
2.16.2): those of :data:`NOT_SENT` are raised only before the first byte of a request is written. The library's own
timeouts are per read, so the request timeout is one around the whole exchange.

Also tried: cancelling closes the connection at once; a kept-alive connection that the peer has closed is found
readable, dropped and replaced before anything is written, and where the close crosses the request nothing is repeated.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx2

from connector.button.tls import tls_context
from connector.button.transport import CLOSED, HttpAnswer, brief
from connector.domain.responses import NoAnswer, NotSent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.button.transport import Exchange, TransportOptions

NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
"""The errors of which each means that there was no connection to write to (a proxy's refused tunnel among them)."""


class Httpx2Transport:
    """A pool of connections on the running event loop; see :class:`connector.button.transport.Transport`."""

    __slots__ = ("_base_url", "_client", "_max_body_bytes", "_request_timeout_seconds")

    def __init__(self, options: TransportOptions) -> None:
        """Raise ``ValueError`` for a certificate file or proxy that cannot be used."""
        self._base_url = options.base_url.rstrip("/")
        self._max_body_bytes = options.max_body_bytes
        self._request_timeout_seconds = options.request_timeout_seconds
        self._client = _build_client(options)

    async def send(self, method: str, url_path: str, headers: Mapping[str, str], body: bytes | None) -> Exchange:
        """Make one attempt; see :meth:`connector.button.transport.Transport.send`."""
        if self._client.is_closed:
            return CLOSED
        request = self._client.build_request(method, self._base_url + url_path, headers=headers, content=body)
        try:
            async with asyncio.timeout(self._request_timeout_seconds):
                return await self._exchange(request)
        except httpx2.RequestError as error:
            return exchange_of(error)
        except TimeoutError:
            return NoAnswer("no complete answer within the request timeout")

    async def _exchange(self, request: httpx2.Request) -> HttpAnswer:
        response = await self._client.send(request, stream=True)
        received = bytearray()
        try:
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > self._max_body_bytes:
                    break
        finally:
            await response.aclose()
        is_truncated = len(received) > self._max_body_bytes
        return HttpAnswer(
            response.status_code,
            response.headers,
            bytes(received[: self._max_body_bytes]),
            truncated=is_truncated,
        )

    async def close(self) -> None:
        """Let go of all connections; see :meth:`connector.button.transport.Transport.close`."""
        await self._client.aclose()


def exchange_of(error: httpx2.RequestError) -> NotSent | NoAnswer:
    """Return what an error of a sent request says of the request."""
    # What is no HTTP is quoted as bytes, and may hold anything.
    said = str(error).partition("bytearray(")[0].rstrip(" :")
    message = brief(said or type(error).__name__)
    return NotSent(message) if isinstance(error, NOT_SENT) else NoAnswer(message)


def _build_client(options: TransportOptions) -> httpx2.AsyncClient:
    connect, connections = options.connect_timeout_seconds, options.max_connections
    limits = httpx2.Limits(
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=options.idle_timeout_seconds,
    )
    client = httpx2.AsyncClient(
        verify=tls_context(options),
        follow_redirects=False,
        trust_env=False,
        proxy=None if options.proxy is None else _proxy(options.proxy),
        timeout=httpx2.Timeout(options.request_timeout_seconds, connect=connect, pool=connect),
        limits=limits,
    )
    for name in list(client.headers):  # nothing is asked for on our behalf, such as a compressed body
        del client.headers[name]
    return client


def _proxy(url: str) -> httpx2.Proxy:
    try:
        return httpx2.Proxy(url)
    except (ValueError, httpx2.InvalidURL):
        what = "proxy is not a URL. Give scheme, host and port, for example http://proxy.example:3128."
        raise ValueError(what) from None
