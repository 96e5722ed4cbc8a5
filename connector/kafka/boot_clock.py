# SPDX-License-Identifier: Apache-2.0
"""The clock of the lease: seconds since the machine was started, those included in which it was suspended.

Owns the choice of the clock. The group goes on counting while we are suspended, so a clock that stands still meanwhile
would let a call start under a lease that is long over. Where there is no such clock (other systems than Linux), it is
the monotonic one.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)

boot_seconds: Callable[[], float] = time.monotonic if _BOOT is None else partial(time.clock_gettime, _BOOT)
"""Return the time; may be called from any thread."""
