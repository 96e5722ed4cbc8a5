# SPDX-License-Identifier: Apache-2.0
"""The connector with a part that stops moving, or dies, once the first record is there: ``stall.py PART run ...``.

Owns the four ways in which that may happen; none of them tells anybody.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, NoReturn

from connector.cli import main
from connector.engine.delivery import Delivery
from connector.engine.engine import Engine
from connector.kafka.poll_thread import PollThread

if TYPE_CHECKING:
    from connector.engine.assignment import Assignment
    from connector.engine.ports import RawRecord


def _spin(_engine: Engine, _assignment: Assignment, _record: RawRecord) -> NoReturn:
    """Keep the event loop, and as much of the processor as there is."""
    while True:
        pass


def _wait(_thread: PollThread, _room: int) -> None:
    """Wait on the poll thread for what never comes."""
    threading.Event().wait()


def _leave(_thread: PollThread, _room: int) -> NoReturn:
    """End the poll thread in a way that no handler of errors sees."""
    raise SystemExit


async def _die(_delivery: Delivery) -> NoReturn:
    """End a worker by a bug."""
    message = "of nobody"
    raise RuntimeError(message)


_PARTS = {
    "spinning-loop": (Engine, "_take_in", _spin),
    "waiting-poll-thread": (PollThread, "_read", _wait),
    "ended-poll-thread": (PollThread, "_read", _leave),
    "dead-workers": (Delivery, "work", _die),
}

if __name__ == "__main__":
    setattr(*_PARTS[sys.argv.pop(1)])
    main()
