# SPDX-License-Identifier: Apache-2.0
"""Who may call now: availability, keys, forbidden orders and the rate limit.

Owns what is refused before an order is looked at. Must never tell a key, nor say which part of one was wrong.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from math import ceil, floor
from typing import TYPE_CHECKING

from connector.sandbox.answers import Answer, error_answer

if TYPE_CHECKING:
    from connector.sandbox.switches import Switches

WINDOW_SECONDS = 1.0


@dataclass(slots=True)
class Gate:
    """Judges calls in order of arrival; ``keys_since`` is when the keys were set, for the rotation."""

    keys_since: float
    _window: int = 0
    _calls: int = 0

    def refusal(self, switches: Switches, authorization: str, order_id: str | None, now: float) -> Answer | None:
        """Return the answer to a call that may not pass, or ``None``."""
        if switches.availability == "503":
            return error_answer(503, "The sandbox plays an outage", switches.error_body)
        if key_of(authorization) != self._valid_key(switches, now):
            return error_answer(401, "Invalid api_key", switches.error_body)
        if switches.forbidden_order_ids and fnmatchcase(order_id or "", switches.forbidden_order_ids):
            return error_answer(403, "Not allowed for this organization", switches.error_body)
        return self._over_limit(switches, now) if switches.rate_limit_per_second else None

    def _valid_key(self, switches: Switches, now: float) -> str:
        rotation = switches.rotate_key_after_seconds
        return switches.next_api_key if rotation and now >= self.keys_since + rotation else switches.api_key

    def _over_limit(self, switches: Switches, now: float) -> Answer | None:
        window = floor(now / WINDOW_SECONDS)
        if window != self._window:
            self._window, self._calls = window, 0
        self._calls += 1
        if self._calls <= switches.rate_limit_per_second:
            return None
        headers = limit_headers(switches.rate_limit_headers, (window + 1) * WINDOW_SECONDS - now)
        return error_answer(429, "Too many requests", switches.error_body, headers)


@lru_cache(maxsize=64)
def key_of(authorization: str) -> str | None:
    """Return the key of a Basic ``Authorization`` header whose password is empty."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        key, colon, password = b64decode(credentials).decode().partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        return None
    return key if scheme.lower() == "basic" and colon and not password else None


def limit_headers(shape: str, wait_seconds: float) -> dict[str, str]:
    """Return what a 429 says of when to come back, rounded up to whole seconds."""
    seconds = max(1, ceil(wait_seconds))
    match shape:
        case "retry_after_seconds":
            return {"Retry-After": str(seconds)}
        case "retry_after_date":
            moment = datetime.now(UTC) + timedelta(seconds=seconds)
            return {"Retry-After": format_datetime(moment.replace(microsecond=0) + timedelta(seconds=1), usegmt=True)}
        case "button":
            return {"X-Button-Limit-Remaining": "0", "X-Button-Limit-Reset-Seconds": str(seconds)}
        case _:
            return {}
