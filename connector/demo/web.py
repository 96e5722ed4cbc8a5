# SPDX-License-Identifier: Apache-2.0
"""What the demo asks over HTTP: the sandbox's control endpoints and the connector's health.

Owns the few requests, made with the standard library. Talks to this machine alone.
"""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_SECONDS = 10.0
_DIRECT = build_opener(ProxyHandler({}))


class SandboxControl:
    """A sandbox, seen through its control port."""

    def __init__(self, control_url: str) -> None:
        """Take the address."""
        self._base = f"{control_url}/_sandbox"

    def orders(self) -> dict[str, dict[str, Any]]:
        """Return every order that the sandbox holds, by its id, in order of arrival."""
        orders: dict[str, dict[str, Any]] = self._call("GET", "/orders")["orders"]
        return orders

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the log of requests behind a sequence, oldest first; by default all of it."""
        requests: list[dict[str, Any]] = []
        page: dict[str, Any] = {"more": True, "next_since": since}
        while page["more"]:
            page = self._call("GET", f"/requests?since={page['next_since']}&limit=1000")
            requests += page["requests"]
        return requests

    def stats(self) -> dict[str, Any]:
        """Return the counts."""
        return self._call("GET", "/stats")

    def set(self, switches: Mapping[str, object]) -> None:
        """Turn switches."""
        self._call("POST", "/switches", switches)

    def forget(self, order_id: str) -> None:
        """Make the sandbox lose an order."""
        self._call("POST", f"/forget/{quote(order_id, safe='')}")

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._base + path, data=data, method=method)  # noqa: S310  the address is our own child's
        with _DIRECT.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            value: dict[str, Any] = json.load(answer)
            return value


def is_ok(url: str) -> bool:
    """Tell whether somebody answers there, and with 200."""
    try:
        with _DIRECT.open(url, timeout=_TIMEOUT_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (HTTPError, URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    """Return a loopback port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
