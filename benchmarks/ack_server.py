# SPDX-License-Identifier: Apache-2.0
"""An order API that says yes to everything, as fast as Python can: a bare asyncio protocol.

Owns the other end of a benchmark; understands just enough of HTTP/1.1 to find the ends of requests that a client of
ours makes (a Content-Length or no body). Prints its port when ready. ``GET /count`` answers the number of requests so
far, so that the driver measures at the server and not in the process under test.

    python -m benchmarks.ack_server --latency-ms 50
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import cast

import uvloop

_OK = b'{"meta":{"status":"ok"},"object":{"button_order_id":"btnorder-1"}}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_OK), _OK)
_END_OF_HEAD = b"\r\n\r\n"


class _Counter:
    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests = 0


class _Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, counter: _Counter, latency_seconds: float) -> None:
        self._counter = counter
        self._latency_seconds = latency_seconds
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass of it.

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while (end := _end_of_request(buffer)) > 0:
            head = buffer[:16]
            buffer = buffer[end:]
            if head.startswith(b"GET /count"):
                self._write(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n%12d" % self._counter.requests)
                continue
            self._counter.requests += 1
            if self._latency_seconds:
                self._loop.call_later(self._latency_seconds, self._write, _ANSWER)
            else:
                self._write(_ANSWER)
        self._buffer = buffer

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


def _end_of_request(buffer: bytes) -> int:
    """Return the length of the first whole request, 0 when it has not all come yet."""
    end_of_head = buffer.find(_END_OF_HEAD)
    if end_of_head < 0:
        return 0
    end = end_of_head + len(_END_OF_HEAD)
    at = buffer.lower().find(b"content-length:", 0, end)
    if at >= 0:
        end += int(buffer[at + 15 : buffer.index(b"\r\n", at)])
    return end if len(buffer) >= end else 0


async def _serve(latency_seconds: float, port: int) -> None:
    counter = _Counter()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Peer(counter, latency_seconds),
        "127.0.0.1",
        port,
        backlog=1024,
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    uvloop.run(_serve(arguments.latency_ms / 1000.0, arguments.port))


if __name__ == "__main__":
    main()
