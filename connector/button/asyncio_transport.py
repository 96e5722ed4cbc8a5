# SPDX-License-Identifier: Apache-2.0
"""The transport on the event loop itself, for everything that is hot.

Owns a pool of connections to one address. No thread is crossed on the way of a call, which is what makes it fast: on
one core a call costs the event loop's own reading and writing, and no switch. What it does not know is proxies.

*Not sent* is what never got a connection; as soon as one byte may have been written, it is *no answer*. A kept-alive
connection that the peer has closed is not used; where the close crosses the request, nothing is repeated.

Requests are written at the end of the event loop's turn, one right behind the other: a peer on the same machine, be it
a proxy beside us, is then woken once for all of them and not for each, which costs more than the writing. Nothing is
written once its time is over, also where the process stood still between.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from connector.button.http1 import Connection
from connector.button.tls import tls_context
from connector.button.transport import CLOSED, brief
from connector.domain.outcomes import NoAnswer, NotSent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connector.button.transport import Exchange, TransportOptions

_PORTS = {"http": 80, "https": 443}
_NO_CONNECTION = NotSent("no connection within the connect timeout")
_NO_ANSWER = NoAnswer("no complete answer within the request timeout")
_HELD_UP = NotSent("the process stood still for longer than the request timeout, with the request not yet written")
_LEFT = NoAnswer("the connection pool was closed")
_MOST_LATE_SECONDS = 0.05
"""How much later than asked for a call may be given up."""
_MOST_UNWRITTEN = 64
"""How many requests are kept back for the end of the turn; the first waits for as long as these take to be made."""
_NEVER_IN_A_REQUEST = frozenset("\r\n\0")


class AsyncioTransport:
    """A pool of connections on the running event loop; see :class:`connector.button.transport.Transport`."""

    __slots__ = (
        "_clock",
        "_connecting",
        "_connections",
        "_head",
        "_headers",
        "_host",
        "_idle",
        "_is_closed",
        "_loop",
        "_options",
        "_path",
        "_tls",
        "_unwritten",
        "_waiting",
        "_watch",
        "_watch_seconds",
    )

    def __init__(self, options: TransportOptions, clock: Callable[[], float] = time.monotonic) -> None:
        """Raise ``ValueError`` for a certificate file that cannot be used, and for a proxy.

        ``clock`` gives the seconds by which a request must not be written too late: that of who allows it.
        """
        if options.proxy is not None:
            what = "proxy is given, and the transport asyncio knows none. Set button.transport to pyreqwest or httpx2."
            raise ValueError(what)
        parts = urlsplit(options.base_url)
        self._options = options
        self._clock = clock
        self._host = (parts.hostname or "", parts.port or _PORTS[parts.scheme])
        self._path = parts.path.rstrip("/")
        self._tls = tls_context(options) if parts.scheme == "https" else None
        self._unwritten: list[Connection] = []
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._connecting = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watch_seconds = min(_MOST_LATE_SECONDS, options.request_timeout_seconds / 20)
        self._headers: Mapping[str, str] = {}
        self._head = self._head_of({})

    async def send(self, method: str, url_path: str, headers: Mapping[str, str], body: bytes | None) -> Exchange:
        """Make one attempt; see :meth:`connector.button.transport.Transport.send`."""
        if self._is_closed:
            return CLOSED
        write_before = self._clock() + self._options.request_timeout_seconds
        # Found once, because before Python 3.12 each look is a system call; connections cannot change it anyway.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        request = self._request(method, url_path, headers, body)
        now = loop.time()
        deadline = now + self._options.request_timeout_seconds
        while True:
            connection = self._take(now) or await self._connect(deadline)
            if isinstance(connection, NotSent):
                return connection
            answer: asyncio.Future[Exchange | None] = loop.create_future()
            connection.deadline, connection.write_before = deadline, write_before
            connection.begin(request, answer)
            self._write_soon(connection, loop)
            if self._watch is None:
                self._watch = loop.call_later(self._watch_seconds, self._give_up_late_ones, loop)
            try:
                exchange = await answer
            except asyncio.CancelledError:
                connection.abort()
                raise
            finally:
                self._release(connection, loop.time(), is_over=answer.done() and not answer.cancelled())
            if exchange is not None:
                return exchange

    async def close(self) -> None:
        """Let go of all connections; see :meth:`connector.button.transport.Transport.close`."""
        self._is_closed = True
        self._idle.clear()
        if self._watch is not None:
            self._watch.cancel()
        for connection in self._connections:
            connection.leave(_LEFT)
        while self._waiting:
            self._wake()

    def _write_soon(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._unwritten.append(connection)
        if len(self._unwritten) == 1:
            loop.call_soon(self._write)
        elif len(self._unwritten) == _MOST_UNWRITTEN:
            self._write()

    def _write(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        if not unwritten:
            return  # There were so many that they could not wait for the end of the turn.
        now, poll = self._clock(), select.poll()
        for connection in unwritten:
            poll.register(connection.file_number, select.POLLIN)
        # What the peers have said, or closed, of which the event loop has not told us yet.
        news = {file_number for file_number, _ in poll.poll(0)}
        for connection in unwritten:
            if now >= connection.write_before:
                connection.leave(_HELD_UP)
            elif connection.file_number in news and (connection.idle_since or self._tls is None):
                connection.give_up()  # TLS itself has something to say at first.
            else:
                connection.write()

    def _give_up_late_ones(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what has had its time; one timer for all, because one for each call costs as much as its answer."""
        now = loop.time()
        busy = [connection for connection in self._connections if connection.is_busy]
        for connection in busy:
            if now >= connection.deadline:
                connection.leave(_NO_ANSWER)
        self._watch = loop.call_later(self._watch_seconds, self._give_up_late_ones, loop) if busy else None

    # The pool.

    def _take(self, now: float) -> Connection | None:
        """Return a connection that is idle and may be used, the one used last."""
        oldest = now - self._options.idle_timeout_seconds
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since >= oldest:
                return connection
            self._drop(connection)
        return None

    async def _connect(self, deadline: float) -> Connection | NotSent:
        loop = asyncio.get_running_loop()
        until = min(deadline, loop.time() + self._options.connect_timeout_seconds)
        try:
            async with asyncio.timeout_at(until):
                while len(self._connections) + self._connecting >= self._options.max_connections:
                    room = loop.create_future()
                    self._waiting.append(room)
                    await room
                    if (idle := self._take(loop.time())) is not None:
                        return idle
                return CLOSED if self._is_closed else await self._open(loop)
        except TimeoutError:
            return _NO_CONNECTION
        except (OSError, ssl.CertificateError) as error:
            return NotSent(brief(_words(error)))

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Connection | NotSent:
        self._connecting += 1
        host, port = self._host
        try:
            make = partial(Connection, self._options.max_body_bytes)
            _, connection = await loop.create_connection(make, host, port, ssl=self._tls)
        finally:
            self._connecting -= 1
        if self._is_closed:
            connection.abort()
            return CLOSED
        self._connections.add(connection)
        return connection

    def _release(self, connection: Connection, now: float, *, is_over: bool) -> None:
        if not is_over or self._is_closed:
            connection.abort()
        if connection.is_open and not connection.is_busy:
            connection.idle_since = now
            self._idle.append(connection)
        else:
            self._drop(connection)
        self._wake()

    def _drop(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.abort()

    def _wake(self) -> None:
        while self._waiting:
            room = self._waiting.popleft()
            if not room.done():
                room.set_result(None)
                return

    # The request.

    def _request(self, method: str, url_path: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        if headers is not self._headers:
            self._headers, self._head = headers, self._head_of(headers)
        line = f"{method} {self._path}{url_path} HTTP/1.1\r\n{self._head}"
        if body is None:
            return f"{line}\r\n".encode("ascii")
        return b"%b%d\r\n\r\n%b" % (f"{line}Content-Length: ".encode("ascii"), len(body), body)

    def _head_of(self, headers: Mapping[str, str]) -> str:
        host, port = self._host
        name = f"[{host}]" if ":" in host else host
        is_usual = port == _PORTS["https" if self._tls else "http"]
        lines = [f"Host: {name}" if is_usual else f"Host: {name}:{port}"]
        for field, value in headers.items():
            if _NEVER_IN_A_REQUEST & {*field, *value}:
                what = f"header {field!a} holds a line break"
                raise ValueError(what)
            lines.append(f"{field}: {value}")
        return "".join(f"{line}\r\n" for line in lines)


def _words(error: OSError) -> str:
    """Return what happened without the address: the operator knows it, and a log should not repeat it."""
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    return str(reason or error.strerror or str(error) or type(error).__name__)
