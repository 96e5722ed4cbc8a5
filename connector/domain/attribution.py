# SPDX-License-Identifier: Apache-2.0
"""Which attribution token (``btn_ref``) an order gets.

Owns the order of precedence: the token on the event itself, else its session's as of the event's time, else the
user's, else none. A token that was seen only after the purchase cannot have caused it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A token, when it was seen (Unix milliseconds), and by which key: ``session`` or ``user``."""

    token: str
    observed_at_ms: int
    by: str


@dataclass(frozen=True, slots=True)
class OnlyNewer:
    """The keys have tokens, but every one of them was seen after the event."""


@dataclass(frozen=True, slots=True)
class Missing:
    """None of the keys has ever had a token."""


SessionLookup = Found | OnlyNewer | Missing
