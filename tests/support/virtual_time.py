# SPDX-License-Identifier: Apache-2.0
"""An event loop whose time is simulated: a wait of an hour takes no time, and every run is the same.

Owns the loop only. Real sockets and threads do not work on it, on purpose.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

T = TypeVar("T")


class _TimeLeapSelector(selectors.BaseSelector):
    """Instead of waiting for a timeout, moves the loop's time to it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401  the base class's signature
        key = selectors.SelectorKey(fileobj, 0, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401  the base class's signature
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            message = "deadlock: nothing is ready and no timer is set"
            raise RuntimeError(message)
        self.now += max(timeout, 0.0)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in simulated time, which starts at 0."""

    def __init__(self) -> None:
        """Start at time 0."""
        self._leaps = _TimeLeapSelector()
        super().__init__(self._leaps)

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._leaps.now


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new loop in simulated time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
