# SPDX-License-Identifier: Apache-2.0
"""Button: whether it can be reached, whether it takes the API key, and whether its clock and ours agree.

Owns one lookup of an order that cannot exist. Reports no order, ever.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, assert_never
from uuid import uuid4

from connector import wiring
from connector.button.client import ButtonClient
from connector.button.transport import HttpAnswer
from connector.checks.findings import Finding, failed, ok, unknown, warning
from connector.domain.responses import Answer, NoAnswer, NotSent
from connector.version import version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from connector.button.transport import Exchange, Transport
    from connector.domain.responses import Reply
    from connector.settings import Settings

_AREA = "button"
_URL, _KEY = "button.base_url", "button.api_key"
_TOLERATED_SECONDS = 5.0
_PLACE = "Check button.base_url, and whether something between here and Button answers in its place."


class _Remembering:
    """A transport that keeps its last exchange, for the headers that the client has no use for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.exchange: Exchange | None = None
        self.asked_at = self.answered_at = 0.0

    async def send(self, method: str, url_path: str, headers: Mapping[str, str], body: bytes | None) -> Exchange:
        self.asked_at = time.time()
        self.exchange = await self._transport.send(method, url_path, headers, body)
        self.answered_at = time.time()
        return self.exchange

    async def close(self) -> None:
        await self._transport.close()


async def button_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is to be said of Button."""
    transport = _Remembering(wiring.open_transport(settings))
    api_version = settings.button.api_version
    try:
        client = ButtonClient(
            transport,
            lambda: settings.button.read_api_key().get_secret_value(),
            version=version(),
            api_version=api_version.isoformat() if api_version else None,
        )
        reply = await client.lookup(f"button-connector-check-{uuid4().hex}")
    finally:
        await transport.close()
    yield _judged(settings, reply)
    if isinstance(transport.exchange, HttpAnswer):
        local = (transport.asked_at + transport.answered_at) / 2
        yield clock_finding(transport.exchange.headers.get("date"), local)


def _judged(settings: Settings, reply: Reply) -> Finding:
    url = settings.button.base_url
    match reply:
        case NotSent():
            message = f"{url} cannot be reached: {reply.message}"
            return failed(_AREA, _URL, message, "Check the address, the network, and button.proxy and button.ca_file.")
        case NoAnswer():
            message = f"{url} was asked and gave no whole answer: {reply.message}"
            return failed(
                _AREA,
                _URL,
                message,
                "Check what lies between here and Button; raise the timeouts if it stays.",
            )
        case Answer():
            return _answered(url, reply)
        case _:
            assert_never(reply)


def _answered(url: str, answer: Answer) -> Finding:
    said = f": {answer.message}" if answer.message else ""
    match answer.status, answer.meta_status:
        case HTTPStatus.NOT_FOUND, str():
            return ok(_AREA, _KEY, f"{url} takes the key: an order that cannot exist was looked up and not found")
        case HTTPStatus.UNAUTHORIZED, _:
            remedy = "Check button.api_key or the file that button.api_key_file names; keys start with sk-."
            return failed(_AREA, _KEY, f"{url} refuses the API key (401){said}", remedy)
        case HTTPStatus.FORBIDDEN, str():
            message = f"{url} knows the key and forbids the lookup (403){said}"
            return failed(_AREA, _KEY, message, "Ask Button whether the key's organisation may report orders.")
        case (HTTPStatus.TOO_MANY_REQUESTS, _):
            return unknown(_AREA, _KEY, f"{url} answers that it is asked too often (429)", "Try again later.")
        case (status, _) if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return failed(_AREA, _URL, f"{url} is out of order (HTTP {status}){said}", "Try again later.")
        case (status, _):
            return failed(_AREA, _URL, f"{url} does not answer like Button (HTTP {status}){said}", _PLACE)


def clock_finding(date: str | None, local_unix_seconds: float) -> Finding:
    """Return how far the clocks are apart, by an HTTP Date, which has whole seconds."""
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return unknown("clock", "clock", "the answer has no date to compare clocks by", "Compare them by NTP.")
    ahead_seconds = local_unix_seconds - theirs - 0.5  # a date of whole seconds is half a second old on average
    if abs(ahead_seconds) <= _TOLERATED_SECONDS:
        return ok("clock", "clock", f"agrees with Button's within {_TOLERATED_SECONDS:g} s")
    side = "ahead of" if ahead_seconds > 0 else "behind"
    message = f"this machine's clock is {abs(ahead_seconds):.0f} s {side} Button's"
    return warning("clock", "clock", message, "Set it by NTP: waits that Button asks for are reckoned by it.")
