# SPDX-License-Identifier: Apache-2.0
"""Health and metrics over HTTP, on the event loop that does the work.

Owns the endpoints ``/livez``, ``/readyz``, ``/startupz`` and ``/metrics``, and the socket. Never touches signals: how
the process stops is decided elsewhere. Nothing here is private, so nothing is authenticated.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Self

import uvicorn
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from prometheus_client import CollectorRegistry
    from starlette.requests import Request

    from connector.ops.health import Health, Verdict

_GRACE_SECONDS = 1
_BACKLOG = 128


class PortUnavailableError(Exception):
    """The address for health and metrics cannot be used; the message names the settings."""


class _Server(uvicorn.Server):
    """Leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class OpsServer:
    """Serves from :meth:`start` to :meth:`stop`, or as an async context manager."""

    def __init__(self, host: str, port: int, health: Health, registry: CollectorRegistry) -> None:
        """Open nothing yet; port 0 takes any free one."""
        self._host = host
        self._port = port
        config = uvicorn.Config(
            application(health, registry),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Return the port that is really served, once started."""
        return self._port

    async def start(self) -> None:
        """Serve from now on, or raise :class:`PortUnavailableError`."""
        listener = _listen(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="ops-server")

    async def stop(self) -> None:
        """Finish what is being answered, within a second, and close the socket."""
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving
            self._serving = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()


def application(health: Health, registry: CollectorRegistry) -> Starlette:
    """Return the endpoints as an ASGI application."""

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return Starlette(
        routes=[
            Route("/livez", _probe(health.liveness)),
            Route("/readyz", _probe(health.readiness)),
            Route("/startupz", _probe(health.startup)),
            Route("/metrics", metrics),
        ],
    )


def _probe(judge: Callable[[], Verdict]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        verdict = judge()
        status = 200 if verdict.ok else 503
        body = {"ok": verdict.ok, "reasons": verdict.reasons, **verdict.told}
        return JSONResponse(body, status, {"cache-control": "no-store"})

    return answer


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        # An error of the system; resolving a name has negative numbers and words of its own.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        message = (
            f"ops.host and ops.port: cannot serve health and metrics on {host} port {port} ({reason}). "
            "Stop what uses it, or set another ops.port (0 takes any free one)."
        )
        raise PortUnavailableError(message) from error
