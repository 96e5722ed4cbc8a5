# SPDX-License-Identifier: Apache-2.0
"""The transports under test, and how to open one.

Owns the list. A contract test takes ``connect`` (see :data:`for_each_transport`) and never asks which one it has.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from connector.button.asyncio_transport import AsyncioTransport
from connector.button.httpx2_transport import Httpx2Transport
from connector.button.pyreqwest_transport import PyreqwestTransport
from connector.button.transport import MAX_MESSAGE_CHARACTERS, TransportOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from connector.button.transport import Exchange, Transport
    from connector.domain.responses import NoAnswer, NotSent

    Connect = Callable[..., AbstractAsyncContextManager[Transport]]

HEADERS = {"Authorization": "Basic c2stWFhYOg==", "Content-Type": "application/json"}
BODY = b'{"order_id":"1989"}'
REQUEST_TIMEOUT_SECONDS = 0.5
HASTE = {"request_timeout_seconds": REQUEST_TIMEOUT_SECONDS, "connect_timeout_seconds": 0.25}
PATIENCE = {"request_timeout_seconds": 20.0, "connect_timeout_seconds": 10.0}
DEADLINE_SECONDS = 30.0  # of a test itself; nothing here takes as long


def _opener(transport_type: Callable[[TransportOptions], Transport]) -> Connect:
    @asynccontextmanager
    async def connect(base_url: str, **options: Any) -> AsyncIterator[Transport]:  # noqa: ANN401  options of several types
        """Open a transport, with long timeouts unless told otherwise, and close it at the end of the block."""
        transport = transport_type(TransportOptions(base_url, **{**PATIENCE, **options}))
        try:
            yield transport
        finally:
            await transport.close()

    return connect


_ALL = {
    "asyncio": _opener(AsyncioTransport),
    "pyreqwest": _opener(PyreqwestTransport),
    "httpx2": _opener(Httpx2Transport),
}

for_each_transport = pytest.mark.parametrize("connect", _ALL.values(), ids=_ALL.keys())
"""Runs a test, or a module as its ``pytestmark``, once for each transport."""


_WITH_A_PROXY = [(name, connect) for name, connect in _ALL.items() if name != "asyncio"]
for_each_that_knows_proxies = pytest.mark.parametrize(
    "connect",
    [connect for _, connect in _WITH_A_PROXY],
    ids=[name for name, _ in _WITH_A_PROXY],
)
"""Runs a test once for each transport that goes through proxies."""


async def post(transport: Transport) -> Exchange:
    """Send an order; fails if that does not come to an end by itself."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await transport.send("POST", "/v1/order", HEADERS, BODY)


def assert_is_plain(exchange: NotSent | NoAnswer) -> None:
    """Hold a message to what every message promises: short, one line, no secret, no order."""
    assert exchange.message
    assert len(exchange.message) <= MAX_MESSAGE_CHARACTERS
    assert exchange.message.isprintable()
    for secret in ("c2stWFhYOg", "1989", "/v1/order", "hunter2"):
        assert secret not in exchange.message
