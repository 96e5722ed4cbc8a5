# SPDX-License-Identifier: Apache-2.0
"""One connection: bytes in, requests out; answers, or what a fault makes of them, onto the wire.

Owns the socket, the parser and the timers of one caller. Requests of a connection are served one at a time in the order
in which they came, also when they were sent ahead (pipelining); reading stops while too many wait. Bodies and heads are
bounded. A call whose caller has gone is still carried out, as a real server would.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Final, Literal, cast

import httptools

from connector.sandbox.answers import Answer, error_answer, head_bytes
from connector.sandbox.control import is_control, respond
from connector.sandbox.faults import Fault, roll
from connector.sandbox.request_log import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.sandbox.request_log import Outcome
    from connector.sandbox.service import Exchange, Service

MAX_HEAD_BYTES = 64 * 1024
MAX_WAITING = 32
LINGER_SECONDS = 1.0
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_SILENT: Final = frozenset({Fault.NO_ANSWER, Fault.NO_ANSWER_BEFORE})


class Connection(asyncio.Protocol):
    """The protocol of one connection; ``control_only`` serves the control endpoints alone and meets no fault."""

    def __init__(
        self,
        service: Service,
        connections: set[Connection],
        max_body_bytes: int,
        *,
        control_only: bool,
    ) -> None:
        """Prepare; ``connections`` is where it enters itself while it is open."""
        self._service = service
        self._connections = connections
        self._max_body_bytes = max_body_bytes
        self._control_only = control_only
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._number = 0
        self._waiting: deque[Request] = deque()
        self._current: Exchange | None = None
        self._is_busy = False
        self._is_broken = False
        self._is_paused = False
        self._head_bytes = 0
        self._in_body = False
        self._url, self._host, self._authorization, self._body = b"", "", "", bytearray()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or reset it at once."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class, only by its methods
        self._connections.add(self)
        if self._control_only:
            return
        self._service.accepted += 1
        self._number = self._service.accepted
        switches = self._service.switches
        if roll(switches.seed, "connection", self._number) < switches.close_on_accept_share:
            self._service.reset_on_accept += 1
            self._reset()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the signature is asyncio's
        """Note that the caller has gone."""
        self._connections.discard(self)
        self._transport = None
        if self._current is not None:
            self._service.finish(self._current, self._outcome_without_caller(), time.monotonic())

    def _outcome_without_caller(self) -> Literal["dropped", "client_gone"]:
        fault = self._current.play.fault if self._current else None
        return "dropped" if fault in _SILENT else "client_gone"

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._is_broken:
            return
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, "Upgrades are not served")
        except httptools.HttpParserError:
            self._refuse(400, "This is not HTTP")
        if not self._in_body and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, f"The head must not be larger than {MAX_HEAD_BYTES} bytes")
        self._serve_next()

    # the parser's side

    def on_message_begin(self) -> None:
        """Start a request."""
        self._url, self._host, self._authorization, self._body = b"", "", "", bytearray()

    def on_url(self, url: bytes) -> None:
        """Collect the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the two headers that matter, and let a caller that waits for leave go on."""
        lowered = name.lower()
        if lowered == b"authorization":
            self._authorization = value.decode("latin-1")
        elif lowered == b"host":
            self._host = value.decode("latin-1")
        elif lowered == b"expect" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        """Count what follows as the body."""
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        """Collect the body up to the bound."""
        self._body += body
        if len(self._body) > self._max_body_bytes:
            self._refuse(413, f"The body must not be larger than {self._max_body_bytes} bytes")

    def on_message_complete(self) -> None:
        """Queue the request."""
        self._in_body, self._head_bytes = False, 0
        if self._is_broken:
            return
        path, _, query = self._url.decode("latin-1").partition("?")
        method, keep_alive = self._parser.get_method().decode("latin-1"), self._parser.should_keep_alive()
        body = bytes(self._body)
        self._waiting.append(Request(method, path, query, self._authorization, body, keep_alive, self._host))
        if len(self._waiting) > MAX_WAITING and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    # one request at a time

    def _serve_next(self) -> None:
        while self._waiting and not self._is_busy and self._transport is not None:
            if self._transport.is_closing():
                return
            request = self._waiting.popleft()
            if self._is_paused and not self._waiting:
                self._is_paused = False
                self._transport.resume_reading()
            self._is_busy = True
            if self._control_only or is_control(request.path):
                self._write(request, respond(self._service, request, time.monotonic()))
                self._end(request)
            else:
                self._serve(request)

    def _serve(self, request: Request) -> None:
        now = time.monotonic()
        exchange = self._current = self._service.begin(request, self._number, now)
        if self._service.switches.delay_when == "before":
            self._after(exchange.play.delay_seconds, self._take, exchange, 0.0)
        else:
            self._take(exchange, exchange.play.delay_seconds)

    def _take(self, exchange: Exchange, delay_seconds: float) -> None:
        self._service.carry_out(exchange, time.monotonic())
        self._after(delay_seconds, self._answer, exchange)

    @staticmethod
    def _after(seconds: float, action: Callable[..., None], *arguments: object) -> None:
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, action, *arguments)
        else:
            action(*arguments)

    def _answer(self, exchange: Exchange) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        match exchange.play.fault:
            case Fault.DROP_BEFORE:
                self._finish(exchange, "dropped")
                self._reset()
            case Fault.DROP_AFTER:
                self._finish(exchange, "dropped")
                self._transport.close()
            case Fault.NO_ANSWER | Fault.NO_ANSWER_BEFORE:
                pass
            case Fault.HALF_BODY:
                self._half(exchange)
            case Fault.SLOW_DRIP:
                self._drip(exchange)
            case _:
                self._whole(exchange)

    def _whole(self, exchange: Exchange) -> None:
        answer = exchange.answer
        assert answer is not None  # noqa: S101  carry_out() has set it
        exchange.entry.status = answer.status
        self._write(exchange.request, answer)
        self._finish(exchange, "answered")
        self._end(exchange.request)

    def _half(self, exchange: Exchange) -> None:
        answer, transport = exchange.answer, self._transport
        assert answer is not None  # noqa: S101  carry_out() has set it
        assert transport is not None  # noqa: S101  _answer() has looked
        transport.write(head_bytes(answer, keep_alive=True) + answer.body[: len(answer.body) // 2])
        self._finish(exchange, "dropped")
        transport.close()

    def _drip(self, exchange: Exchange, sent: int = 0) -> None:
        answer, transport = exchange.answer, self._transport
        if answer is None or transport is None or transport.is_closing():
            return
        if sent == 0:
            transport.write(head_bytes(answer, keep_alive=exchange.request.keep_alive))
        transport.write(answer.body[sent : sent + 1])
        if sent + 1 < len(answer.body):
            self._after(self._service.switches.slow_drip_ms / 1000, self._drip, exchange, sent + 1)
            return
        exchange.entry.status = answer.status
        self._finish(exchange, "answered")
        self._end(exchange.request)

    def _finish(self, exchange: Exchange, outcome: Outcome) -> None:
        self._service.finish(exchange, outcome, time.monotonic())

    def _end(self, request: Request) -> None:
        self._current, self._is_busy = None, False
        if self._transport is None:
            return
        if not request.keep_alive:
            self._transport.close()
        elif self._waiting:
            asyncio.get_running_loop().call_soon(self._serve_next)

    # writing

    def _write(self, request: Request, answer: Answer) -> None:
        if self._transport is not None:
            head = head_bytes(answer, keep_alive=request.keep_alive)
            self._transport.write(head if request.method == "HEAD" else head + answer.body)

    def _refuse(self, status: int, message: str) -> None:
        """Answer what cannot be read on, and close; what was queued before it is not served any more.

        Closing with bytes unread would reset the connection and take the answer along, so the rest of what the caller
        sends is thrown away for a moment first.
        """
        if self._is_broken or self._transport is None or self._transport.is_closing():
            return
        self._is_broken = True
        self._waiting.clear()
        if self._is_busy:
            self._transport.close()
            return
        answer = error_answer(status, message)
        self._transport.write(head_bytes(answer, keep_alive=False) + answer.body)
        self._transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.close)

    def _reset(self) -> None:
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()

    def close(self) -> None:
        """Let the connection go; an answer that was written still leaves."""
        if self._transport is not None:
            self._transport.close()

    def hang_up(self) -> None:
        """Let go of a caller of the API, as the end of a server would; callers of the control port stay."""
        if not self._control_only:
            self.close()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()
