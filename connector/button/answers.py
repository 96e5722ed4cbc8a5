# SPDX-License-Identifier: Apache-2.0
"""Reading Button's answers.

Owns what is taken from an HTTP answer, and takes nothing for granted: the envelope may be absent, of other types, not
JSON, or cut. Never judges; that is :func:`connector.domain.responses.interpret`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from connector.button.retry_after import retry_after_seconds
from connector.domain.responses import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.button.transport import HttpAnswer

_MAX_ID_CHARACTERS = 255
_MAX_STATUS_CHARACTERS = 32


def read_answer(http: HttpAnswer, now_ms: int, shown: Callable[[str], str]) -> Answer:
    """Return what an HTTP answer says; ``shown`` makes foreign text fit to be shown."""
    envelope = _object(_json(http.body))
    meta_status = _text(_object(envelope.get("meta")).get("status"), _MAX_STATUS_CHARACTERS)
    is_success = 200 <= http.status < 300  # noqa: PLR2004  the class of successful statuses
    if is_success and meta_status == "ok":
        return Answer(http.status, meta_status, button_order_id=_button_order_id(envelope))
    return Answer(
        http.status,
        meta_status,
        None if is_success else retry_after_seconds(http.headers, now_ms),
        shown(_error_text(envelope) or _what_is_wrong(http)),
        is_empty=not http.body.strip(),
    )


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object, max_characters: int) -> str | None:
    return value if isinstance(value, str) and len(value) <= max_characters else None


def _button_order_id(envelope: dict[str, object]) -> str | None:
    return _text(_object(envelope.get("object")).get("button_order_id"), _MAX_ID_CHARACTERS)


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
