# SPDX-License-Identifier: Apache-2.0
"""The client of Button's Order API.

Owns how a call becomes a request: paths, headers, authentication, JSON; and when the API key is read again. Makes one
attempt per call and never judges its answer. The API key stands in one header and nowhere else.
"""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, assert_never
from urllib.parse import quote

import orjson

from connector.button.answers import read_answer, read_success, with_order
from connector.button.redaction import shown
from connector.button.transport import HttpAnswer
from connector.domain.bodies import create_body, update_body
from connector.domain.orders import Cancel, Create, Lookup, Update
from connector.domain.outcomes import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from connector.button.transport import Exchange, Transport
    from connector.domain.orders import Call, Order
    from connector.domain.outcomes import Reply

ORDER_PATH = "/v1/order"
_DOT_SEGMENTS = frozenset({"", ".", ".."})
_SHORTEST_PERSONAL_TEXT = 4


class _Credentials(NamedTuple):
    """A key and the headers made of it."""

    key: str
    token: str
    with_body: Mapping[str, str]
    without_body: Mapping[str, str]


class ButtonClient:
    """Button's Order API as the engine sees it; see :class:`connector.engine.ports.OrderApi`."""

    __slots__ = (
        "_api_key",
        "_credentials",
        "_fixed_headers",
        "_is_key_refused",
        "_now_ms",
        "_trace_headers",
        "_transport",
        "_updates_all",
    )

    def __init__(  # noqa: PLR0913  all but two have defaults and are given by name
        self,
        transport: Transport,
        api_key: Callable[[], str],
        *,
        version: str = "unknown",
        api_version: str | None = None,
        now_ms: Callable[[], int] = lambda: round(time.time() * 1000),
        trace_headers: Callable[[], Mapping[str, str]] | None = None,
        updates_all: bool = False,
    ) -> None:
        """Take ``version``, ours, for the User-Agent, and ``api_version`` (a date) as Button's, if it is to be pinned.

        ``api_key`` is asked now, and again before the next call whenever Button has refused the key (401), so that a
        key that was rotated in its file is picked up. If it raises ``OSError`` or ``ValueError`` then, the key stays.
        ``updates_all`` makes an update tell all that is known of the order, not only what may have changed.
        ``trace_headers`` is asked at each request for headers that go with it, where calls are traced.
        """
        self._transport = transport
        self._api_key = api_key
        self._now_ms = now_ms
        self._trace_headers = trace_headers
        self._updates_all = updates_all
        self._fixed_headers = {"Accept": "application/json", "User-Agent": f"button-connector/{version}"}
        if api_version is not None:
            self._fixed_headers["X-Button-API-Version"] = api_version
        self._credentials = self._credentials_for(api_key())
        self._is_key_refused = False

    async def send(self, call: Call) -> Reply:
        """Make one attempt at a call and return what came of it."""
        match call:
            case Create(order=order):
                credentials = self._current_credentials()
                body = orjson.dumps(create_body(order))
                headers = self._traced(credentials.with_body)
                exchange = await self._transport.send("POST", ORDER_PATH, headers, body)
                return self._reply(exchange, credentials, order)
            case Update(order=order):
                credentials = self._current_credentials()
                headers = self._traced(credentials.with_body)
                body = orjson.dumps(update_body(order, sends_all=self._updates_all))
                exchange = await self._transport.send("POST", order_path(order.order_id), headers, body)
                return self._reply(exchange, credentials, order)
            case Lookup(order_id=order_id):
                return await self.lookup(order_id)
            case Cancel(order_id=order_id):
                credentials = self._current_credentials()
                return self._reply(await self._send_bodiless("DELETE", order_id, credentials), credentials)
            case _:
                assert_never(call)

    async def lookup(self, order_id: str) -> Reply:
        """Ask Button for an order, by the id under which it was reported; the answer holds what is shown of it."""
        credentials = self._current_credentials()
        exchange = await self._send_bodiless("GET", order_id, credentials)
        reply = self._reply(exchange, credentials)
        if isinstance(exchange, HttpAnswer) and isinstance(reply, Answer):
            return with_order(reply, exchange, order_id)
        return reply

    async def _send_bodiless(self, method: str, order_id: str, credentials: _Credentials) -> Exchange:
        headers = self._traced(credentials.without_body)
        return await self._transport.send(method, order_path(order_id), headers, None)

    def _traced(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        return headers if self._trace_headers is None else {**headers, **self._trace_headers()}

    def _reply(self, exchange: Exchange, credentials: _Credentials, told: Order | None = None) -> Reply:
        if not isinstance(exchange, HttpAnswer):
            return exchange
        if (success := read_success(exchange)) is not None:
            return success
        if exchange.status == HTTPStatus.UNAUTHORIZED and credentials is self._credentials:
            self._is_key_refused = True
        personal = () if told is None else tuple(_personal(told))
        hide = partial(shown, secrets=(credentials.key, credentials.token), personal=personal)
        return read_answer(exchange, self._now_ms(), hide)

    def _current_credentials(self) -> _Credentials:
        if self._is_key_refused:
            self._is_key_refused = False
            with suppress(OSError, ValueError):  # a file that is just being replaced; Button's answer will tell
                self._credentials = self._credentials_for(self._api_key())
        return self._credentials

    def _credentials_for(self, key: str) -> _Credentials:
        token = b64encode(f"{key}:".encode()).decode()
        without_body = {"Authorization": f"Basic {token}", **self._fixed_headers}
        return _Credentials(key, token, {**without_body, "Content-Type": "application/json"}, without_body)


def _personal(order: Order) -> Iterator[str | None]:
    """Yield what an order says of its customer; shops put words of theirs (an engraving) into a line's attributes."""
    if order.customer is not None:
        yield from (order.customer.id, order.customer.email_sha256, order.customer.device_id)
    for line in order.line_items:
        # Shorter ones are sizes and numbers, and would make holes into any message.
        yield from (text for text in (line.attributes or {}).values() if len(text) >= _SHORTEST_PERSONAL_TEXT)


def order_path(order_id: str) -> str:
    """Return the path of an order; raises ``ValueError`` for an id that no path can hold.

    A segment of dots cannot be escaped: URLs take ``%2E%2E`` for ``..``, and the call would go elsewhere.
    """
    if order_id in _DOT_SEGMENTS:
        what = "an order_id that is empty or made of dots cannot stand in a path; such an event is to be rejected."
        raise ValueError(what)
    return f"{ORDER_PATH}/{quote(order_id, safe='')}"
