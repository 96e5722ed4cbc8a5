# SPDX-License-Identifier: Apache-2.0
"""The wish for batch scheduling reaches the operating system."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, threading
from connector.scheduling import prefer_throughput
prefer_throughput()
seen = []
thread = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(threading.get_native_id())))
thread.start()
thread.join()
assert os.sched_getscheduler(0) == os.SCHED_BATCH, "this thread"
assert seen == [os.SCHED_BATCH], "a thread that it started"
"""


def test_the_process_and_the_threads_that_it_starts_are_scheduled_in_batches() -> None:
    """A thread that is woken does not stop the one that woke it, whichever of ours they are."""
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True, timeout=60)  # noqa: S603  our own program
