# SPDX-License-Identifier: Apache-2.0
"""What an answer looks like: the envelope, an error's many shapes, and the bytes on the wire.

Owns no decision: status, payload and problem are given.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import orjson

from connector.sandbox.orders import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.sandbox.orders import Result

JSON = "application/json"
_OK = {"status": "ok"}
_ERROR = {"status": "error"}
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Answer(NamedTuple):
    """One HTTP answer before it is bytes."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_answer(value: object, status: int = 200) -> Answer:
    """Answer with any value as JSON."""
    return Answer(status, orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))


def answer_of(result: Result, error_body: str) -> Answer:
    """Put what a call came to into Button's envelope."""
    if result.problem is not None:
        return error_answer(result.status, result.problem, error_body)
    if result.payload is None:
        return Answer(result.status)
    return json_answer({"meta": _OK, **result.payload}, result.status)


def error_answer(
    status: int,
    problem: Problem | str,
    error_body: str = "message",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Answer with an error, its body in the shape that the switch asks for."""
    if isinstance(problem, str):
        problem = Problem(problem, "".join(_REASONS.get(status, "Error").split()))
    content_type = "text/html" if error_body == "html" else JSON
    return Answer(status, _error_body(status, problem, error_body), content_type, tuple((headers or {}).items()))


def _error_body(status: int, problem: Problem, error_body: str) -> bytes:
    plain = {"meta": _ERROR, "error": {"message": problem.message}}
    match error_body:
        case "typed":
            details = {} if problem.order_id is None else {"order_id": problem.order_id}
            return orjson.dumps(
                {"meta": _ERROR, "error": {"message": problem.message, "type": problem.slug, "details": details}},
            )
        case "string":
            return orjson.dumps({"meta": _ERROR, "error": problem.message})
        case "empty":
            return b""
        case "html":
            title = f"{status} {_REASONS.get(status, 'Error')}"
            return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
        case "malformed":
            return orjson.dumps(plain)[:-4]
        case _:
            return orjson.dumps(plain)


def head_bytes(answer: Answer, *, keep_alive: bool) -> bytes:
    """Return the status line and the headers, up to the empty line."""
    head = _head(answer.status, answer.content_type, answer.headers, keep_alive)
    return (
        head + b"\r\n"
        if answer.status == HTTPStatus.NO_CONTENT
        else b"%sContent-Length: %d\r\n\r\n" % (head, len(answer.body))
    )


@lru_cache(maxsize=256)
def _head(status: int, content_type: str, headers: tuple[tuple[str, str], ...], keep_alive: bool) -> bytes:  # noqa: FBT001  the key of a cache
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    if status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Type: {content_type}")
    lines.extend(f"{name}: {value}" for name, value in headers)
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def blown_up(answer: Answer, size: int) -> Answer:
    """Return the answer with a body of at least ``size`` bytes; it still is JSON."""
    padded = answer.body[:-1] + b',"padding":"' + b"x" * size + b'"}' if answer.body.endswith(b"}") else b"x" * size
    return Answer(answer.status, padded, answer.content_type, answer.headers)
