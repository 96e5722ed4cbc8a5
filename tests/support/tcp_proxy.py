# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that misbehaves when it is told to: delays, stalls, cuts, half-closes, refuses; and heals.

Owns its thread, its event loop and every socket. Its methods may be called from any thread and return when what they
ask for has been done. Bytes are never changed, reordered or dropped out of a stream that goes on: what a stalled or
delayed direction holds comes when it is healed. Each direction behaves on its own; ``seed`` decides jitter and which
connections a share of them is.

In front of a broker: give it a listener of its own, of which it tells clients the proxy's port
(:func:`proxied_broker`), so that what is not under test can reach it past the proxy.
"""

from __future__ import annotations

import asyncio
import enum
import socket
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from tests.support.kafka_broker import Broker, free_port, start_broker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from types import TracebackType

    T = TypeVar("T")

_CHUNK_BYTES = 65_536
_CALL_SECONDS = 10.0
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Direction(enum.Enum):
    """Which way bytes go."""

    REQUESTS = "from the client to the server"
    ANSWERS = "from the server to the client"


BOTH = tuple(Direction)


class _Delay(NamedTuple):
    seconds: float = 0.0
    jitter_seconds: float = 0.0


class TcpProxy:
    """A proxy on a loopback port in front of one server."""

    def __init__(self, server: tuple[str, int], *, seed: int = 0, port: int | None = None) -> None:
        """Choose a port; listens from :meth:`__enter__` on. The server need not be there yet."""
        self.port = port or free_port()
        self.accepted = 0
        """How many connections there were so far."""
        self._server = server
        self._random = Random(seed)  # noqa: S311  faults
        self._delays = dict.fromkeys(Direction, _Delay())
        self._flowing = {direction: asyncio.Event() for direction in Direction}
        for each in self._flowing.values():
            each.set()
        self._connections: set[_Connection] = set()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {self.port}", daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cut everything and end."""
        self._do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_SECONDS)
        self._loop.close()

    @property
    def address(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    def delay(self, seconds: float, jitter_seconds: float = 0.0, *directions: Direction) -> None:
        """Let bytes arrive so much later, and up to ``jitter_seconds`` more; both ways by default."""

        async def delay() -> None:
            self._delays.update(dict.fromkeys(directions or BOTH, _Delay(seconds, jitter_seconds)))

        self._do(delay)

    def stall(self, *directions: Direction) -> None:
        """Accept connections and bytes and say nothing, until healed; both ways by default."""

        async def stall() -> None:
            for each in directions or BOTH:
                self._flowing[each].clear()

        self._do(stall)

    def cut(self, share: float = 1.0) -> int:
        """Reset a share of the open connections on both sides; return how many."""
        return self._do(lambda: self._to_some(share, _Connection.reset))

    def half_close(self, direction: Direction, share: float = 1.0) -> int:
        """End one direction of a share of the open connections in good order, while the other goes on."""
        return self._do(lambda: self._to_some(share, lambda each: each.end(direction)))

    def refuse(self) -> None:
        """Cut every connection and refuse new ones, until healed."""

        async def refuse() -> None:
            await self._stop_listening()
            await self._to_some(1.0, _Connection.reset)

        self._do(refuse)

    def heal(self) -> None:
        """Behave again: what was held back flows, connections are accepted."""

        async def heal() -> None:
            self._delays.update(dict.fromkeys(Direction, _Delay()))
            for each in self._flowing.values():
                each.set()
            await self._listen()

        self._do(heal)

    def _do(self, make: Callable[[], Coroutine[None, None, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(make(), self._loop).result(_CALL_SECONDS)

    # From here on everything runs on the proxy's own loop.

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=256)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _end(self) -> None:
        await self._stop_listening()
        ended = [each.task for each in self._connections]
        await self._to_some(1.0, _Connection.reset)
        await asyncio.gather(*ended, return_exceptions=True)

    async def _to_some(self, share: float, what: Callable[[_Connection], None]) -> int:
        chosen = [each for each in sorted(self._connections, key=_number) if self._random.random() < share]
        for each in chosen:
            what(each)
        return len(chosen)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            upstream = await asyncio.open_connection(*self._server)
        except OSError:
            _reset(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        connection = _Connection(self.accepted, task, writer, upstream[1])
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, connection, Direction.REQUESTS))
                pumps.create_task(self._pump(upstream[0], connection, Direction.ANSWERS))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(connection)
            connection.close()

    async def _pump(self, reader: asyncio.StreamReader, connection: _Connection, direction: Direction) -> None:
        """Carry one direction to its end; what is delayed is read on meanwhile, up to a bound."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def fill() -> None:
            while True:
                chunk = await reader.read(_CHUNK_BYTES)
                delay = self._delays[direction]
                wait_seconds = delay.seconds + self._random.random() * delay.jitter_seconds
                await held.put((self._loop.time() + wait_seconds, chunk))
                if not chunk:
                    return

        async with asyncio.TaskGroup() as tasks:
            filling = tasks.create_task(fill())
            while True:
                due, chunk = await held.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                await self._flowing[direction].wait()
                if not chunk:
                    break
                await connection.pass_on(chunk, direction)
            await filling
        connection.end(direction)


class _Connection:
    """The two sockets of one client."""

    def __init__(
        self,
        number: int,
        task: asyncio.Task[None],
        client: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
    ) -> None:
        self.number = number
        self.task = task
        self.client = client
        self.server = server
        self._receivers = {Direction.REQUESTS: server, Direction.ANSWERS: client}

    async def pass_on(self, chunk: bytes, direction: Direction) -> None:
        """Write to the receiver of this direction; what comes after its end is nobody's."""
        receiver = self._receivers.get(direction)
        if receiver is not None:
            receiver.write(chunk)
            await receiver.drain()

    def reset(self) -> None:
        _reset(self.client)
        _reset(self.server)
        self.task.cancel()

    def end(self, direction: Direction) -> None:
        """Say to the receiver of this direction that nothing more comes."""
        receiver = self._receivers.pop(direction, None)
        if receiver is not None and not receiver.is_closing():
            with suppress(OSError):
                receiver.write_eof()

    def close(self) -> None:
        for each in (self.client, self.server):
            each.close()


def _number(connection: _Connection) -> int:
    return connection.number


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the peer sees a reset."""
    plain = writer.get_extra_info("socket")
    with suppress(OSError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()


class ProxiedBroker(NamedTuple):
    """A broker, and the proxy through which it tells the clients of ``proxy.address`` to come."""

    broker: Broker
    proxy: TcpProxy


@contextmanager
def proxied_broker(properties: Mapping[str, str] | None = None, *, seed: int = 0) -> Iterator[ProxiedBroker]:
    """Start a broker of our own with a proxy; ``broker.bootstrap_servers`` leads past it."""
    behind = free_port()
    with ExitStack() as stack:
        proxy = stack.enter_context(TcpProxy(("127.0.0.1", behind), seed=seed))
        broker = stack.enter_context(start_broker(properties, {"PROXIED": behind}, {"PROXIED": proxy.port}))
        yield ProxiedBroker(broker, proxy)
