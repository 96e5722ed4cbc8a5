# SPDX-License-Identifier: Apache-2.0
"""How long to wait before another attempt: exponential with full jitter, never giving up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_MAX_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Backoff:
    """The n-th wait is drawn evenly between nothing and ``initial_seconds * 2 ** (n - 1)``, at most ``max_seconds``."""

    initial_seconds: float
    max_seconds: float

    def ceiling(self, failures: int) -> float:
        """Return the longest wait after so many failures in a row, in seconds."""
        doublings = min(max(failures - 1, 0), _MAX_DOUBLINGS)
        return min(self.max_seconds, self.initial_seconds * float(2**doublings))

    def draw(self, failures: int, random: Random) -> float:
        """Draw the wait after so many failures in a row, in seconds."""
        return random.uniform(0.0, self.ceiling(failures))
