# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a server inside an event loop.

Owns the two listeners: the API (with the control endpoints beside it, as long as it listens) and the control port,
which stays open while connections to the API are refused. Everything here is called on the loop's own thread; other
threads use :mod:`connector.sandbox.thread`.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from connector.sandbox.connection import Connection
from connector.sandbox.control import fault_rule
from connector.sandbox.listener import BACKLOG, Listener
from connector.sandbox.service import Service
from connector.sandbox.switches import Switches
from connector.sandbox.views import OrderView, orders_view, stats_view

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from connector.sandbox.faults import FaultRule
    from connector.sandbox.request_log import Entry, RequestRecord


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Where the sandbox listens and how it behaves; port 0 picks a free one.

    ``log_limit`` bounds the request log: beyond it the oldest requests are dropped, counts stay right. Orders are all
    kept.
    """

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    switches: Switches = field(default_factory=Switches)
    log_limit: int = 1_000_000
    max_body_bytes: int = 1 << 20


class Sandbox:
    """Button's Order API on a local port: ``async with Sandbox() as sandbox: ... sandbox.url``."""

    def __init__(
        self,
        options: SandboxOptions | None = None,
        *,
        observe: Callable[[Entry], None] | None = None,
    ) -> None:
        """Prepare; ``observe`` is called with every request that has ended."""
        self.options = options or SandboxOptions()
        self._service = Service(self.options.switches, self.options.log_limit, observe, self._switched)
        self._connections: set[Connection] = set()
        self._socket: socket.socket | None = None
        self._api: Listener | None = None
        self._control: asyncio.Server | None = None
        self._address, self._control_address = "", ""
        self._changing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; raises :class:`OSError` when a port is taken."""
        loop = asyncio.get_running_loop()
        host = self.options.host
        self._socket = _bound(host, self.options.port)
        self._address = _address(host, self._socket)
        control = _bound(host, self.options.control_port)
        self._control_address = _address(host, control)
        self._control = await loop.create_server(self._connection_of_control, sock=control, backlog=BACKLOG)
        await self._follow_availability()

    async def stop(self) -> None:
        """Stop at once: connections are cut, calls that are open get no answer."""
        if self._changing is not None:
            await self._changing
        for server in (self._api, self._control):
            if server is not None:
                server.close()
        for connection in tuple(self._connections):
            connection.abort()
        if self._socket is not None:
            self._socket.close()
        self._api = self._control = self._socket = None
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    @property
    def url(self) -> str:
        """The API's base URL, without a slash at its end."""
        return self._address

    @property
    def control_url(self) -> str:
        """The base URL of the port that serves the page and the control endpoints alone."""
        return self._control_address

    @property
    def orders(self) -> dict[str, OrderView]:
        """Every order that is held, by its id."""
        return orders_view(self._service, time.monotonic())

    @property
    def requests(self) -> list[RequestRecord]:
        """The request log, oldest first."""
        return list(self._service.log.since())

    def requests_since(self, sequence: int) -> list[RequestRecord]:
        """Return the requests that came after the one of that sequence."""
        return list(self._service.log.since(sequence))

    @property
    def request_count(self) -> int:
        """How many requests came since the start or the last reset."""
        return self._service.log.total

    @property
    def stats(self) -> dict[str, object]:
        """Counts since the start or the last reset."""
        return stats_view(self._service, time.monotonic())

    @property
    def switches(self) -> Switches:
        """The switches as they are now."""
        return self._service.switches

    def set(self, **switches: object) -> None:
        """Change switches from the next request on; raises ``SwitchError`` and then changes nothing."""
        self._service.set(switches)

    def add_fault(self, order_id: str, fault: str, **more: object) -> None:
        """Plan a fault for the orders that match a pattern; ``more`` is operation, times, status, delay_ms."""
        self._service.faults.add(fault_rule({"order_id": order_id, "fault": fault, **more}))

    def add_rule(self, rule: FaultRule) -> None:
        """Plan a fault that was read elsewhere."""
        self._service.faults.add(rule)

    def clear_faults(self) -> None:
        """Take back every fault by order id."""
        self._service.faults.rules.clear()

    def forget(self, order_id: str) -> bool:
        """Lose an order on purpose; tell whether there was one."""
        return self._service.orders.forget(order_id)

    def reset(self) -> None:
        """Forget orders, log, counts and faults by order id; switches stay."""
        self._service.reset()

    def _connection_of_api(self) -> Connection:
        return Connection(self._service, self._connections, self.options.max_body_bytes, control_only=False)

    def _connection_of_control(self) -> Connection:
        return Connection(self._service, self._connections, self.options.max_body_bytes, control_only=True)

    def _switched(self) -> None:
        if self._is_out_of_step() and self._changing is None:
            self._changing = asyncio.get_running_loop().create_task(self._change_availability())

    def _is_out_of_step(self) -> bool:
        refuses = self._service.switches.availability == "refused"
        return self._socket is not None and refuses == (self._api is not None)

    async def _change_availability(self) -> None:
        try:
            while self._is_out_of_step():
                await self._follow_availability()
        finally:
            self._changing = None

    async def _follow_availability(self) -> None:
        """Listen, or hold the port without listening: connections are refused, and nobody else takes the port."""
        refuses = self._service.switches.availability == "refused"
        if refuses and self._api is not None and self._socket is not None:
            port = self._socket.getsockname()[1]
            self._api.close()
            self._api = None
            for connection in tuple(self._connections):
                connection.hang_up()
            self._socket = _bound(self.options.host, port)
        elif not refuses and self._api is None and self._socket is not None:
            self._api = Listener(self._socket, self._connection_of_api)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)  # noqa: FBT003  the socket's own API
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _address(host: str, sock: socket.socket) -> str:
    port = sock.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
