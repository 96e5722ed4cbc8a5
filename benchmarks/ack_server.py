# SPDX-License-Identifier: Apache-2.0
"""An order API that says yes to everything, as fast as Python can: a bare asyncio protocol.

Owns the other end of a benchmark; understands just enough of HTTP/1.1 to find the ends of requests that a client of
ours makes (a Content-Length or no body). Prints its port when ready. ``GET /count`` answers the number of requests so
far, so that the driver measures at the server and not in the process under test; ``GET /arrivals`` the orders that were
created since it was asked last, each with the monotonic clock at its request's arrival; ``POST /manners`` (JSON) makes
the server unwilling: ``status`` for all, ``limit`` calls a second before 429, one order that is ``failing`` (``next``:
that of the next create); ``GET /status`` the counts of what it took and refused.

    python -m benchmarks.ack_server --latency-ms 50
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from typing import Any, cast

import uvloop

_OK = b'{"meta":{"status":"ok"},"object":{"button_order_id":"btnorder-1"}}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_OK), _OK)
_END_OF_HEAD = b"\r\n\r\n"
_CONTROL = (b"GET /count", b"GET /arrivals", b"GET /status", b"POST /manners")


_CREATE = b"POST /v1/order "
_ORDER_ID = b'"order_id":"'
_MOST_ARRIVALS = 100_000


class _Counter:
    __slots__ = ("accepted", "arrivals", "manners", "refused", "requests", "second")

    def __init__(self) -> None:
        self.requests = 0
        self.accepted = 0
        self.refused = 0
        self.arrivals: deque[tuple[str, float]] = deque(maxlen=_MOST_ARRIVALS)
        self.manners: dict[str, Any] = {}
        self.second = (0, 0)

    def answer(self, request: bytes) -> bytes:
        """Count a request and return its answer."""
        self.requests += 1
        if request.startswith(_CREATE):
            at = request.find(_ORDER_ID) + len(_ORDER_ID)
            order_id = request[at : request.find(b'"', at)].decode()
            self.arrivals.append((order_id, time.monotonic()))
            if self.manners.get("failing") == "next":
                self.manners["failing"] = order_id
        status = self._status(request) if self.manners else 200
        if status == 200:  # noqa: PLR2004  OK
            self.accepted += 1
            return _ANSWER
        self.refused += 1
        return b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status

    def _status(self, request: bytes) -> int:
        manners = self.manners
        failing = manners.get("failing")
        if failing and failing.encode() in request:
            return 503
        limit = manners.get("limit")
        if limit:
            second, count = int(time.monotonic()), self.second[1] + 1
            self.second = (second, count if second == self.second[0] else 1)
            if self.second[1] > limit:
                return 429
        return int(manners.get("status", 200))

    def control(self, request: bytes) -> bytes:
        """Answer what is asked beside the API."""
        if request.startswith(b"GET /count"):
            return b"%12d" % self.requests
        if request.startswith(b"GET /arrivals"):
            arrivals = [*self.arrivals]
            self.arrivals.clear()
            return json.dumps(arrivals).encode()
        if request.startswith(b"POST /manners"):
            self.manners = json.loads(request[request.find(_END_OF_HEAD) :])
        counts = {"requests": self.requests, "accepted": self.accepted, "refused": self.refused}
        return json.dumps({**counts, "failing": self.manners.get("failing")}).encode()


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
            request, buffer = buffer[:end], buffer[end:]
            if request.startswith(_CONTROL):
                body = self._counter.control(request)
                self._write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                continue
            answer = self._counter.answer(request)
            if self._latency_seconds:
                self._loop.call_later(self._latency_seconds, self._write, answer)
            else:
                self._write(answer)
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
