# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition with a deadline, in place of sleeping and hoping.

Owns the two ways to wait: :func:`eventually` on an event loop (in its time, which may be simulated) and
:func:`wait_until` in a thread. Never swallows what the condition raises: an exception is a fault, not a "not yet".
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, TypeVar, cast, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]],
    deadline_seconds: float = ...,
    *,
    awaiting: str = ...,
    interval_seconds: float = ...,
) -> T: ...
@overload
async def eventually(
    condition: Callable[[], T],
    deadline_seconds: float = ...,
    *,
    awaiting: str = ...,
    interval_seconds: float = ...,
) -> T: ...
async def eventually(
    condition: Callable[[], T] | Callable[[], Awaitable[T]],
    deadline_seconds: float = 10.0,
    *,
    awaiting: str = "",
    interval_seconds: float = 0.02,
) -> T:
    """Return the first truthy value of ``condition`` (plain or awaitable), or fail saying what was awaited."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + deadline_seconds
    while True:
        answer = condition()
        value = cast("T", await answer if inspect.isawaitable(answer) else answer)
        if value:
            return value
        if loop.time() >= deadline:
            raise _OverdueError(condition, deadline_seconds, awaiting, value)
        await asyncio.sleep(interval_seconds)


def wait_until(
    condition: Callable[[], T],
    deadline_seconds: float = 10.0,
    *,
    awaiting: str = "",
    interval_seconds: float = 0.02,
) -> T:
    """Return the first truthy value of ``condition``, or fail saying what was awaited; blocks the calling thread."""
    deadline = time.monotonic() + deadline_seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise _OverdueError(condition, deadline_seconds, awaiting, value)
        time.sleep(interval_seconds)


class _OverdueError(AssertionError):
    """A condition that did not come true in time."""

    def __init__(self, condition: Callable[[], object], seconds: float, awaiting: str, last: object) -> None:
        what = awaiting or _where(condition)
        super().__init__(f"waited {seconds:g} s for {what}; the last value seen was {last!r}")


def _where(condition: Callable[[], object]) -> str:
    """Name a condition that was given no name by where it is written."""
    code = getattr(condition, "__code__", None)
    if code is None:
        return repr(condition)
    return f"{code.co_qualname} ({code.co_filename}:{code.co_firstlineno})"
