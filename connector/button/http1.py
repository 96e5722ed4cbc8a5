# SPDX-License-Identifier: Apache-2.0
"""One HTTP/1.1 connection on the event loop: one exchange after the other, never two at once.

Owns what becomes of the bytes of an answer: they are given to llhttp (by httptools) and put together again here. Knows
nothing of pools, timeouts or names. A connection on which anything happened that should not have is closed and never
used again: an end in the middle, bytes that are no HTTP, an answer that nobody asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from connector.button.transport import HttpAnswer, brief
from connector.domain.outcomes import NoAnswer

if TYPE_CHECKING:
    from connector.button.transport import Exchange

_FIRST_FINAL_STATUS = 200
_MAX_HEAD_BYTES = 64 * 1024
"""Of headers before the body, of trailers behind it, and of what a chunk says of itself."""
_SPOKE_FIRST = NoAnswer("the peer spoke, or closed, before it was asked")
_LENGTHS = frozenset((b"content-length", b"transfer-encoding"))


class Connection(asyncio.Protocol):
    """One connection; ``is_open`` says whether another exchange may begin on it.

    ``idle_since`` (0 before the first exchange), ``deadline`` and ``write_before`` are the pool's.
    """

    __slots__ = (
        "_answer",
        "_body",
        "_body_bytes",
        "_head_bytes",
        "_headers",
        "_is_headed",
        "_max_body_bytes",
        "_parser",
        "_request",
        "_transport",
        "deadline",
        "file_number",
        "idle_since",
        "is_open",
        "write_before",
    )

    def __init__(self, max_body_bytes: int) -> None:
        """Wait for the connection to be made."""
        self._max_body_bytes = max_body_bytes
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Exchange | None] | None = None
        self._request = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._body_bytes = self._head_bytes = 0
        self._is_headed = False
        self.is_open = False
        self.idle_since = self.deadline = self.write_before = 0.0
        self.file_number = -1

    def begin(self, request: bytes, answer: asyncio.Future[Exchange | None]) -> None:
        """Take a request for :meth:`write`; ``answer`` is resolved with what comes of it, unless it is done before.

        With ``None`` it is resolved where the connection turned out to be over before anything was written.
        """
        self._answer, self._request = answer, request

    def write(self) -> None:
        """Write the request that was begun, if the connection is still there for it."""
        request, self._request = self._request, b""
        if self.is_open:
            self._transport.write(request)

    def give_up(self) -> None:
        """Close at once because the peer spoke unasked, or closed; what was not written goes elsewhere.

        Unless it is the first on this connection: a peer that begins like this would do so each time.
        """
        self.leave(None if self.idle_since else _SPOKE_FIRST)

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still expected."""
        return self._answer is not None

    def leave(self, exchange: Exchange | None) -> None:
        """Close at once, and let what is under way end like this."""
        self._end(exchange)
        self.abort()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.is_open = False
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note that there is a connection."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # a stream's is one
        self.file_number = transport.get_extra_info("socket").fileno()
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        if self._answer is None or self._request:
            self.give_up()
            return
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            # The library quotes nothing of what it read.
            self._end(NoAnswer(brief(f"the answer is no HTTP: {type(error).__name__}")))
            self.abort()
            return
        if self._head_bytes > _MAX_HEAD_BYTES:
            self._end(NoAnswer(f"the headers of the answer are longer than {_MAX_HEAD_BYTES} bytes"))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is gone; an answer without a length ends with it."""
        self.is_open = False
        if self._answer is None:
            return
        if self._request:
            self.give_up()
            return
        is_whole = exc is None and self._is_headed and not any(name.lower() in _LENGTHS for name, _ in self._headers)
        if is_whole:
            self._end(self._received(is_truncated=False))
        else:
            why = "the connection was closed" if exc is None else str(exc) or type(exc).__name__
            self._end(NoAnswer(brief(f"{why} before the answer was complete")))

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Close when it is another answer, behind the one that was asked for: the next call would be given it."""
        if self._answer is None:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes behind the body is passed over."""
        if not self._is_headed:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Stop counting what belongs to the head."""
        self._is_headed = True

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, up to the bound."""
        self._head_bytes = 0
        self._body.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > self._max_body_bytes:
            self._end(self._received(is_truncated=True))
            self.abort()

    def on_message_complete(self) -> None:
        """Resolve the exchange; answers that only announce another one are passed over."""
        if self._parser.get_status_code() < _FIRST_FINAL_STATUS:
            self._headers, self._is_headed, self._head_bytes = [], False, 0
            return
        keeps_alive = self._parser.should_keep_alive()
        self._end(self._received(is_truncated=False))
        if not keeps_alive:
            self.abort()

    def _received(self, *, is_truncated: bool) -> HttpAnswer:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if is_truncated:
            body = body[: self._max_body_bytes]
        return HttpAnswer(self._parser.get_status_code(), Headers(self._headers), body, is_truncated)

    def _end(self, exchange: Exchange | None) -> None:
        answer, self._answer = self._answer, None
        self._headers, self._body = [], []
        self._body_bytes = self._head_bytes = 0
        self._is_headed = False
        if answer is not None and not answer.done():
            answer.set_result(exchange)


class Headers(Mapping[str, str]):
    """The headers of an answer, by lower-case name; what is not ASCII is not there, and of two alike the last is."""

    __slots__ = ("_found", "_raw")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        """Take them as they came; they are looked at when somebody asks, which is seldom."""
        self._raw = raw
        self._found: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._found is None:
            plain = ((name, value) for name, value in self._raw if name.isascii() and value.isascii())
            self._found = {name.decode().lower(): value.decode() for name, value in plain}
        return self._found

    def __getitem__(self, name: str) -> str:
        """Return a header's value by its name in lower case."""
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._all())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all())
