# SPDX-License-Identifier: Apache-2.0
"""Who does not move any more is noticed, and nobody else."""

from __future__ import annotations

import asyncio
import threading
from itertools import count

import pytest

from connector.ops.watchdog import Watchdog
from tests.support.polling import eventually

BOUND_SECONDS = 0.3
LONG_ENOUGH_SECONDS = 20.0


class End:
    """Takes the place of the process's end."""

    def __init__(self) -> None:
        """Begin without an end."""
        self.came = threading.Event()
        self.reasons: list[str] = []

    def __call__(self, reason: str) -> None:
        """Note why it came."""
        self.reasons.append(reason)
        self.came.set()


async def test_a_stuck_loop_is_noticed_and_where_it_is_stuck() -> None:
    """It cannot say so itself, and whoever asks it for its health gets no answer."""
    end = End()
    watchdog = Watchdog(BOUND_SECONDS, end)
    watchdog.start(asyncio.get_running_loop())
    assert end.came.wait(LONG_ENOUGH_SECONDS)  # this very line keeps the loop
    assert "the event loop" in end.reasons[0]
    assert "test_a_stuck_loop_is_noticed" in end.reasons[0]


async def test_another_part_without_a_sign_of_life_is_noticed() -> None:
    """A thread that waits for ever looks like one that has nothing to do."""
    end, released = End(), threading.Event()
    thread = threading.Thread(target=released.wait)
    thread.start()
    watchdog = Watchdog(BOUND_SECONDS, end)
    watchdog.start(asyncio.get_running_loop())
    watchdog.watch("the other", thread.ident, lambda: 7)
    await eventually(end.came.is_set, LONG_ENOUGH_SECONDS)
    released.set()
    thread.join()
    assert end.reasons[0].startswith("the other has not moved")
    assert "(wait)" in end.reasons[0]


@pytest.mark.parametrize("is_forgotten", [False, True])
async def test_who_moves_or_is_to_end_is_let_be(*, is_forgotten: bool) -> None:
    """However long it goes on."""
    end, signs, looks = End(), count(), count()
    watchdog = Watchdog(BOUND_SECONDS, end)
    watchdog.start(asyncio.get_running_loop())
    watchdog.watch("moves", None, lambda: next(signs))
    watchdog.watch("looked at", None, lambda: next(looks))
    watchdog.watch("ends", None, lambda: 0 if is_forgotten else next(signs))
    if is_forgotten:
        watchdog.forget("ends")
    await eventually(lambda: next(looks) > 60, LONG_ENOUGH_SECONDS)
    assert end.reasons == []
