# SPDX-License-Identifier: Apache-2.0
"""The sandbox in a thread of its own, for code without an event loop.

Owns the thread and its loop; every method may be called from any thread and returns when the sandbox has done it.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self, TypeVar

from connector.sandbox.server import Sandbox, SandboxOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from connector.sandbox.request_log import RequestRecord
    from connector.sandbox.switches import Switches
    from connector.sandbox.views import OrderView

T = TypeVar("T")
START_SECONDS = 10


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return the fastest event loop that is installed."""
    try:
        import uvloop  # noqa: PLC0415  not there on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class SandboxThread:
    """A :class:`Sandbox` with the same members: ``with SandboxThread() as sandbox: ... sandbox.url``."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        """Prepare."""
        self._sandbox = Sandbox(options)
        self._loop = new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="button-sandbox", daemon=True)

    def __enter__(self) -> Self:
        """Start; raises :class:`OSError` when a port is taken."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._sandbox.start(), self._loop).result(START_SECONDS)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        asyncio.run_coroutine_threadsafe(self._sandbox.stop(), self._loop).result(START_SECONDS)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _there(self, action: Callable[[], T]) -> T:
        done: Future[T] = Future()

        def act() -> None:
            try:
                done.set_result(action())
            except BaseException as error:  # noqa: BLE001  it is raised in the caller's thread
                done.set_exception(error)

        self._loop.call_soon_threadsafe(act)
        return done.result()

    @property
    def url(self) -> str:
        """The API's base URL, without a slash at its end."""
        return self._sandbox.url

    @property
    def control_url(self) -> str:
        """The base URL of the port that serves the page and the control endpoints alone."""
        return self._sandbox.control_url

    @property
    def orders(self) -> dict[str, OrderView]:
        """Every order that is held, by its id."""
        return self._there(lambda: self._sandbox.orders)

    @property
    def requests(self) -> list[RequestRecord]:
        """The request log, oldest first."""
        return self._there(lambda: self._sandbox.requests)

    def requests_since(self, sequence: int) -> list[RequestRecord]:
        """Return the requests that came after the one of that sequence."""
        return self._there(lambda: self._sandbox.requests_since(sequence))

    @property
    def stats(self) -> dict[str, object]:
        """Counts since the start or the last reset."""
        return self._there(lambda: self._sandbox.stats)

    @property
    def switches(self) -> Switches:
        """The switches as they are now."""
        return self._there(lambda: self._sandbox.switches)

    def set(self, **switches: object) -> None:
        """Change switches from the next request on; raises ``SwitchError`` and then changes nothing."""
        self._there(lambda: self._sandbox.set(**switches))

    def add_fault(self, order_id: str, fault: str, **more: object) -> None:
        """Plan a fault for the orders that match a pattern; ``more`` is operation, times, status, delay_ms."""
        self._there(lambda: self._sandbox.add_fault(order_id, fault, **more))

    def clear_faults(self) -> None:
        """Take back every fault by order id."""
        self._there(self._sandbox.clear_faults)

    def forget(self, order_id: str) -> bool:
        """Lose an order on purpose; tell whether there was one."""
        return self._there(lambda: self._sandbox.forget(order_id))

    def reset(self) -> None:
        """Forget orders, log, counts and faults by order id; switches stay."""
        self._there(self._sandbox.reset)
