# SPDX-License-Identifier: Apache-2.0
"""Peers that misbehave on purpose, at the level of sockets.

Owns what the other side of an HTTP client can do to it. A peer never waits for a length of time: it waits for bytes, or
for ever, and is torn down with its ``async with``. Knows nothing of the client under test, so one suite serves all.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

ENDLESS = 1_000_000_000
"""The length that an endless body claims to have."""

UNRESOLVABLE = "http://peer.invalid."
"""A base URL whose name is guaranteed to have no address."""


class Received(NamedTuple):
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Peer:
    """A running peer: where it is, and what happened to it."""

    host: str
    port: int
    scheme: str = "http"
    accepted: int = 0
    open: int = 0
    sent_bytes: int = 0
    requests: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The base URL by which a client reaches the peer."""
        return f"{self.scheme}://{self.host}:{self.port}"


class Line(NamedTuple):
    """One accepted connection of a peer."""

    peer: Peer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> Received:
        """Read one request to its end and note it; raises ``EOFError`` when the client closes before."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = start.split(" ")
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        self.peer.requests.append(Received(method, target, headers, body))
        return self.peer.requests[-1]

    async def say(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        self.peer.sent_bytes += len(data)
        await self.writer.drain()

    async def closed_by_client(self) -> None:
        """Wait until the client closes, whatever it still says."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Close with a reset instead of an orderly end."""
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Line], Awaitable[None]]
"""What a peer does with one connection; it is closed when the behaviour returns."""


def response(status: int, body: bytes, headers: tuple[str, ...] = ()) -> bytes:
    """Return an HTTP answer as bytes."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def _serve(line: Line, behaviour: Behaviour) -> None:
    line.peer.accepted += 1
    line.peer.open += 1
    try:
        with contextlib.suppress(EOFError, OSError):
            await behaviour(line)
        line.writer.close()
    finally:
        line.peer.open -= 1


@asynccontextmanager
async def listening(behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Run a peer that treats each connection by ``behaviour``."""
    peer = Peer("127.0.0.1", 0, "http" if tls is None else "https")
    lines: list[tuple[Line, asyncio.Task[None]]] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(peer, reader, writer)
        lines.append((line, asyncio.ensure_future(_serve(line, behaviour))))

    server = await asyncio.start_server(accept, peer.host, 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for line, task in lines:
            task.cancel()
            line.writer.transport.abort()
        failures = await asyncio.gather(*(task for _, task in lines), return_exceptions=True)
        await server.wait_closed()
    # A peer that is itself wrong must not pass for one that misbehaves as asked.
    for failure in failures:
        if isinstance(failure, Exception):
            raise failure


# --- Behaviours: each takes a connection and says in its name what it does.


def answers(status: int = 200, body: bytes = b"{}", *headers: str) -> Behaviour:
    """Answer every request alike, on a connection that is kept alive."""
    return partial(_answers, data=response(status, body, headers))


async def _answers(line: Line, data: bytes) -> None:
    while True:
        await line.request()
        await line.say(data)


async def never_reads(line: Line) -> None:
    """Accept and leave all bytes in the socket."""
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed as a write transport; a socket is both
    await asyncio.Event().wait()


async def closes_at_once(_line: Line) -> None:
    """Close before anything is read."""


async def resets_at_once(line: Line) -> None:
    """Reset before anything is read."""
    line.reset()


async def closes_after_reading(line: Line) -> None:
    """Read the request and close without a word."""
    await line.request()


async def resets_after_reading(line: Line) -> None:
    """Read the request and reset the connection."""
    await line.request()
    line.reset()


async def is_silent(line: Line) -> None:
    """Read the request, and all that follows, and never say a word."""
    await line.request()
    await line.closed_by_client()


async def sends_half_a_head(line: Line) -> None:
    """Close in the middle of the answer's head."""
    await line.request()
    await line.say(b"HTTP/1.1 200 OK\r\nContent-Le")


async def sends_half_a_body(line: Line) -> None:
    """Close in the middle of the answer's body."""
    await line.request()
    await line.say(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"meta": {"status"')


async def stops_in_the_body(line: Line) -> None:
    """Fall silent in the middle of the answer's body, with the connection open."""
    await line.request()
    await line.say(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"meta": {"status"')
    await line.closed_by_client()


async def speaks_garbage(line: Line) -> None:
    """Answer with something that is not HTTP."""
    await line.request()
    await line.say(b"\x00\xff\xfe what is this?\r\n\r\n")


async def speaks_garbage_at_once(line: Line) -> None:
    """Say something that is neither HTTP nor TLS before anything is asked."""
    await line.say(b"\x00\xff\xfe what is this?\r\n\r\n")
    await line.closed_by_client()


async def drips(line: Line) -> None:
    """Send the body in ever more pieces, each of them well before any read timeout."""
    await line.request()
    await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ENDLESS)
    ended = asyncio.ensure_future(line.closed_by_client())
    while not ended.done():
        await line.say(b" ")
        await asyncio.wait([ended], timeout=0.02)


async def sends_a_huge_body(line: Line) -> None:
    """Send a body of a gigabyte for as long as the client takes it."""
    await line.request()
    await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % ENDLESS)
    while True:
        await line.say(b" " * 65536)


async def sends_a_huge_head(line: Line) -> None:
    """Send header lines for as long as the client takes them."""
    await line.request()
    await line.say(b"HTTP/1.1 200 OK\r\n")
    while True:
        await line.say(b"X-Filler: " + b"x" * 4096 + b"\r\n")


async def answers_once_and_closes(line: Line) -> None:
    """Answer one request as if the connection could be kept, then close it."""
    await line.request()
    await line.say(response(200, b"{}"))


async def answers_once_and_resets_the_next_unread(line: Line) -> None:
    """Answer one request; as soon as bytes of a second one lie in the socket, reset without reading them."""
    await line.request()
    connection: socket.socket = line.writer.get_extra_info("socket")
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed as a write transport; a socket is both
    await line.say(response(200, b"{}"))
    copy = connection.dup()
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(copy, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(copy)
        copy.close()
    line.reset()


def redirects_to(url: str, status: int = 307) -> Behaviour:
    """Answer every request with a redirect."""
    return answers(status, b"", f"Location: {url}")


async def tunnels(line: Line) -> None:
    """Be a proxy: CONNECT opens a tunnel; a request with an absolute URL is passed on."""
    request = await line.request()
    absolute = re.fullmatch(r"http://([^/:]+):(\d+)(/.*)", request.target)
    host, _, port = request.target.partition(":") if absolute is None else (absolute[1], ":", absolute[2])
    reader, writer = await asyncio.open_connection(host, int(port))
    far = Line(line.peer, reader, writer)
    try:
        if absolute is None:
            await line.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            length = f"Content-Length: {len(request.body)}\r\n\r\n".encode()
            await far.say(f"{request.method} {absolute[3]} HTTP/1.1\r\n".encode() + length + request.body)
        await asyncio.gather(_pump(line, far), _pump(far, line))
    finally:
        writer.close()


async def _pump(source: Line, sink: Line) -> None:
    while data := await source.reader.read(65536):
        await sink.say(data)
    sink.writer.close()


# --- Peers that are not even listening.


def refused_url() -> str:
    """Return a base URL on whose port nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """Yield the base URL of a port whose queue of connections is full, so that connecting never ends."""
    with contextlib.ExitStack() as sockets:
        server = sockets.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
