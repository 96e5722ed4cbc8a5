# SPDX-License-Identifier: Apache-2.0
"""The transport on pyreqwest (Rust), for everything that is hot.

Owns the one judgement that pyreqwest's exceptions do not make: whether a request may have been read. Never judges by
an exception's class, because the classes mislead (tried on 0.15.1): a request that was read and then cut off is a
``ConnectError``, one that got no answer a ``ConnectTimeoutError``. The causes tell: hyper's ``client error (Connect)``
is there only when no connection (name, TCP, proxy tunnel, TLS) came about.

Also tried:

- A kept-alive connection that the peer has closed is dropped and the request goes out on a new one, as long as nothing
  of it was written. Where the close crosses the request, it is an ``SendRequest`` error, which we call ambiguous.
- Cancelling, and closing the client, give up waiting only: pyreqwest lets the request run on to its timeout. A request
  that was still connecting *is sent* afterwards.
- Idle connections outlive ``close``; they end when the last reference to the client goes.
- Reading a header whose value is not ASCII raises ``ValueError``, so such a header counts as absent.
- A CA file without a certificate is accepted in silence, so files are checked and taken apart before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, RequestError
from pyreqwest.http import HeaderMap, Url
from pyreqwest.proxy import ProxyBuilder

from connector.button.tls import authorities_of, tls_context
from connector.button.transport import CLOSED, HttpAnswer, brief
from connector.domain.responses import NoAnswer, NotSent

if TYPE_CHECKING:
    from pyreqwest.client import Client

    from connector.button.transport import Exchange, TransportOptions

_NOT_CONNECTED = "client error (Connect)"


class PyreqwestTransport:
    """A pool of connections driven by pyreqwest's own thread; see :class:`connector.button.transport.Transport`."""

    __slots__ = ("_base_url", "_client", "_header_map", "_headers", "_read_limit", "_url", "_url_path")

    def __init__(self, options: TransportOptions) -> None:
        """Raise ``ValueError`` for a certificate file or proxy that cannot be used."""
        self._base_url = options.base_url.rstrip("/")
        self._read_limit = options.max_body_bytes + 1
        self._client: Client | None = _build_client(options)
        self._url_path, self._url = "", Url(self._base_url)
        self._headers: Mapping[str, str] = {}
        self._header_map = HeaderMap()

    async def send(self, method: str, url_path: str, headers: Mapping[str, str], body: bytes | None) -> Exchange:
        """Make one attempt; see :meth:`connector.button.transport.Transport.send`."""
        if self._client is None:
            return CLOSED
        if headers is not self._headers:
            self._headers, self._header_map = headers, HeaderMap(headers)
        if url_path != self._url_path:  # creates, which are most calls, all have the same
            self._url_path, self._url = url_path, Url(self._base_url + url_path)
        builder = self._client.request(method, self._url).headers(self._header_map)
        if body is not None:
            builder = builder.body_bytes(body)
        try:
            async with builder.build_streamed() as response:
                received = await response.body_reader.read(self._read_limit)
                return self._answer(response.status, response.headers, received.to_bytes() if received else b"")
        except RequestError as error:
            return exchange_of(error)

    def _answer(self, status: int, headers: Mapping[str, str], received: bytes) -> HttpAnswer:
        if len(received) < self._read_limit:
            return HttpAnswer(status, _ReadableHeaders(headers), received)
        return HttpAnswer(status, _ReadableHeaders(headers), received[:-1], truncated=True)

    async def close(self) -> None:
        """Let go of all connections; see :meth:`connector.button.transport.Transport.close`."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class _ReadableHeaders(Mapping[str, str]):
    """The headers of an answer without those whose values are not ASCII."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        try:
            return self._headers[name]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._headers.keys() if name in self)  # noqa: SIM118  its own iteration reads values

    def __len__(self) -> int:
        return sum(1 for _ in self)


def exchange_of(error: DetailedPyreqwestError) -> NotSent | NoAnswer:
    """Return what an error of a sent request says of the request."""
    causes = [cause["message"] for cause in error.details.get("causes") or ()]
    # The first cause names the URL, which says nothing new and holds the order's id.
    told = [cause for cause in causes if cause != _NOT_CONNECTED and "for url (" not in cause]
    message = brief(": ".join(told) or error.message)
    return NotSent(message) if _NOT_CONNECTED in causes else NoAnswer(message)


def _build_client(options: TransportOptions) -> Client:
    builder = (
        ClientBuilder()
        .follow_redirects(enable=False)
        .timeout(timedelta(seconds=options.request_timeout_seconds))
        .connect_timeout(timedelta(seconds=options.connect_timeout_seconds))
        .max_connections(options.max_connections)
        .pool_max_idle_per_host(options.max_connections)
        .pool_idle_timeout(timedelta(seconds=options.idle_timeout_seconds))
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
        .referer(enable=False)
    )
    builder = _with_certificates(builder, options)
    builder = builder.no_proxy() if options.proxy is None else builder.proxy(_proxy(options.proxy))
    return builder.build()


def _with_certificates(builder: ClientBuilder, options: TransportOptions) -> ClientBuilder:
    tls_context(options)  # says what is wrong with a file, which pyreqwest does not
    for authority in authorities_of(options.ca_file) if options.ca_file is not None else ():
        builder = builder.add_root_certificate_der(authority)
    if options.client_cert_file is not None:
        builder = builder.identity_pem(options.client_cert_file.read_bytes())
    return builder


def _proxy(url: str) -> ProxyBuilder:
    try:
        return ProxyBuilder.all(url)
    except ValueError:
        what = "proxy is not a URL. Give scheme, host and port, for example http://proxy.example:3128."
        raise ValueError(what) from None
