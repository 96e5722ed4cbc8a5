# SPDX-License-Identifier: Apache-2.0
"""Reading Button's answers.

Owns what is taken from an HTTP answer, and takes nothing for granted: the envelope may be absent, of other types, not
JSON, or cut. Never judges; that is :func:`connector.domain.responses.interpret`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from connector.button.observed import observed_order
from connector.button.retry_after import retry_after_seconds
from connector.domain.outcomes import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.button.transport import HttpAnswer

_MAX_ID_CHARACTERS = 255
_MAX_STATUS_CHARACTERS = 32
_MAX_TYPE_CHARACTERS = 64


def read_success(http: HttpAnswer) -> Answer | None:
    """Return the answer if it says that all went well, and nothing if it does not; quick, for nearly all are so."""
    if not 200 <= http.status < 300:  # noqa: PLR2004  the class of successful statuses
        return None
    try:
        envelope = orjson.loads(http.body)
        if envelope["meta"]["status"] != "ok":
            return None
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return None
    order_id = _text(_object(envelope.get("object")).get("button_order_id"), _MAX_ID_CHARACTERS)
    return Answer(http.status, "ok", button_order_id=order_id)


def read_answer(http: HttpAnswer, now_ms: int, shown: Callable[[str], str]) -> Answer:
    """Return what any answer says; ``shown`` makes foreign text fit to be shown."""
    if (success := read_success(http)) is not None:
        return success
    envelope = _object(_json(http.body))
    is_error = not 200 <= http.status < 300  # noqa: PLR2004  what a success says of limits is no demand
    return Answer(
        http.status,
        _text(_object(envelope.get("meta")).get("status"), _MAX_STATUS_CHARACTERS),
        retry_after_seconds(http.headers, now_ms) if is_error else None,
        shown(_error_text(envelope) or _what_is_wrong(http)),
        is_empty=not http.body.strip(),
        error_type=_text(_object(envelope.get("error")).get("type"), _MAX_TYPE_CHARACTERS),
    )


def with_order(answer: Answer, http: HttpAnswer, order_id: str) -> Answer:
    """Return the answer to a lookup with the order that it shows, if it is a success."""
    if answer.meta_status != "ok" or not 200 <= http.status < 300:  # noqa: PLR2004  the class of successful statuses
        return answer
    return answer._replace(order=observed_order(_object(_json(http.body)), order_id))


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object, max_characters: int) -> str | None:
    return value if isinstance(value, str) and len(value) <= max_characters else None


def _error_text(envelope: dict[str, object]) -> str:
    error = envelope.get("error")
    text = error if isinstance(error, str) else _object(error).get("message")
    return text if isinstance(text, str) else ""


def _what_is_wrong(http: HttpAnswer) -> str:
    if http.truncated:
        return f"the answer is longer than {len(http.body)} bytes"
    if http.body.strip() and not isinstance(_json(http.body), dict):
        return f"the answer is not a JSON object (Content-Type: {http.headers.get('content-type', 'none')})"
    return ""
