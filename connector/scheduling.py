# SPDX-License-Identifier: Apache-2.0
"""How the operating system and the interpreter are asked to run this process.

Owns two wishes. Our threads are not to interrupt each other: where they share a core, waking a thread by default stops
the one that woke it, so that every order costs several switches. Measured on one core: 2,044 orders a second by
default, 3,017 with this wish. And garbage is to be looked for seldom: with a thousand records in memory the
collector's default of 700 objects costs 10 to 20 % of the CPU.
"""

from __future__ import annotations

import contextlib
import gc
import os

_FIRST_GENERATION_OBJECTS = 50_000


def prefer_throughput() -> None:
    """Let garbage be, and ask for batch scheduling (Linux) for this thread and those that it starts.

    The latter needs no right, and may be refused.
    """
    gc.set_threshold(_FIRST_GENERATION_OBJECTS, 20, 20)
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # a sandbox that forbids the call costs speed only
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
