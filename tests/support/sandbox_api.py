# SPDX-License-Identifier: Apache-2.0
"""A caller of the sandbox over real HTTP, as a merchant's shop would be one.

Owns bodies and calls; judges nothing. Shares no code with the sandbox or with the connector's own client.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2

from connector.sandbox import Sandbox, SandboxOptions, Switches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "sk-sandbox"
LINES = [
    {"identifier": "sku-1", "total": 4000, "quantity": 2},
    {"identifier": "sku-2", "total": 3000, "quantity": 1},
]
LOST = httpx2.TransportError
"""What a caller sees when no whole answer comes."""


def order_body(order_id: str = "order-1", **more: object) -> dict[str, object]:
    """Return a body that Button's reference calls complete."""
    return {
        "total": 7000,
        "currency": "USD",
        "order_id": order_id,
        "purchase_date": "2026-02-03T04:05:06Z",
        "btn_ref": "fakesrctok-0123456789abcdef",
        "customer": {"id": "customer-1", "is_new": True, "is_new_user": True},
        "line_items": LINES,
        **more,
    }


class Api:
    """The calls of the Order API; an id is percent-encoded whole."""

    def __init__(self, sandbox: Sandbox, client: httpx2.AsyncClient) -> None:
        """Call with a client that has the base URL and the key."""
        self.sandbox = sandbox
        self.client = client

    async def create(self, order_id: str = "order-1", /, **more: object) -> httpx2.Response:
        """Report an order; a field given as ``...`` is left out."""
        body = {name: value for name, value in order_body(order_id, **more).items() if value is not ...}
        return await self.client.post("/v1/order", json=body)

    async def get(self, order_id: str = "order-1") -> httpx2.Response:
        """Look it up."""
        return await self.client.get(f"/v1/order/{quote(order_id, safe='')}")

    async def update(self, order_id: str = "order-1", /, **fields: object) -> httpx2.Response:
        """Change it."""
        return await self.client.post(f"/v1/order/{quote(order_id, safe='')}", json=fields)

    async def cancel(self, order_id: str = "order-1") -> httpx2.Response:
        """Take it back."""
        return await self.client.delete(f"/v1/order/{quote(order_id, safe='')}")


@asynccontextmanager
async def calling(switches: Switches | None = None, **options: Any) -> AsyncIterator[Api]:  # noqa: ANN401  they are the options' own
    """Start a sandbox and a caller of it."""
    async with (
        Sandbox(SandboxOptions(switches=switches or Switches(), **options)) as sandbox,
        httpx2.AsyncClient(base_url=sandbox.url, auth=(KEY, ""), timeout=5, verify=False) as client,
    ):
        yield Api(sandbox, client)


def message(answer: httpx2.Response) -> str:
    """Return the text of an error in Button's envelope."""
    body = answer.json()
    assert body["meta"] == {"status": "error"}
    text = body["error"]["message"]
    assert isinstance(text, str)
    return text
