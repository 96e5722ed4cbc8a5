# SPDX-License-Identifier: Apache-2.0
"""How long an answer asks us to wait.

Owns reading ``Retry-After`` (RFC 9110, 10.2.3) and Button's ``X-Button-Limit-Reset-Seconds``. Never believes more than
a bound, and never raises: what cannot be read asks for nothing.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_AFTER_SECONDS = 300.0
_MAX_VALUE_CHARACTERS = 64
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")


def retry_after_seconds(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Return the longest wait that the headers ask for, from now on and bounded; ``None`` if they ask for none.

    A date is taken relative to the answer's own ``Date`` where there is one, because clocks differ.
    """
    asked = headers.get("retry-after")
    waits = [_seconds(asked), _seconds(headers.get("x-button-limit-reset-seconds"))]
    if waits[0] is None and (until := _unix_seconds(asked)) is not None:
        since = _unix_seconds(headers.get("date"))
        waits[0] = until - (now_ms / 1000 if since is None else since)
    known = [wait for wait in waits if wait is not None]
    return min(max(0.0, *known), MAX_RETRY_AFTER_SECONDS) if known else None


def _seconds(value: str | None) -> float | None:
    if value is None or len(value) > _MAX_VALUE_CHARACTERS:
        return None
    number = value.strip()  # float() itself takes less for space than this does
    return float(number) if _NUMBER.fullmatch(number) else None


def _unix_seconds(value: str | None) -> float | None:
    if value is None or len(value) > _MAX_VALUE_CHARACTERS:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser is known to raise for foreign text
        return None
    # HTTP dates are in GMT; one without a zone is meant so, too.
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
