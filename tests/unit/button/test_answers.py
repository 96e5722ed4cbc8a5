# SPDX-License-Identifier: Apache-2.0
"""Rules of reading answers: what Button's own clients are tested with, and worse."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.button.answers import read_answer
from connector.button.transport import HttpAnswer
from connector.domain.responses import Answer
from tests.support.commerce import published

NOW_MS = 1_700_000_000_000
_CLIENT_ANSWERS = cast("list[dict[str, Any]]", published("button_client_answers"))
_OTHER_ANSWERS = cast("list[dict[str, Any]]", published("button_other_answers"))


def _read(status: int, body: bytes, *, truncated: bool = False, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(HttpAnswer(status, named, body, truncated), NOW_MS, str)


def _body(row: dict[str, Any]) -> bytes:
    return row["raw"].encode() if "raw" in row else json.dumps(row["body"]).encode()


# What is expected of each published answer, in the file's order: meta.status, id, message, is_empty.
_EXPECTED: dict[str, tuple[str | None, str | None, str, bool]] = {
    "create": ("ok", "btnorder-XXX", "", False),
    "get": ("ok", "btnorder-XXX", "", False),
    "getByBtnRef": ("ok", None, "", False),
    "update": ("ok", "btnorder-XXX", "", False),
    "delete": ("ok", None, "", False),
    "error": ("error", None, "bloop", False),
    "malformed: not json": (None, None, "the answer is not a JSON object (Content-Type: none)", False),
    "malformed: empty": (None, None, "", True),
    "malformed: unknown status": ("???", None, "", False),
    "malformed: no meta": (None, None, "", False),
    "malformed: meta is a string": (None, None, "", False),
    "malformed: error missing, HTTP 200": ("error", None, "", False),
    "malformed: error is a string, HTTP 200": ("error", None, "wat", False),
}


@pytest.mark.parametrize("row", _CLIENT_ANSWERS, ids=lambda row: row["call"])
def test_the_answers_of_buttons_own_client_are_read(row: dict[str, Any]) -> None:
    """Each answer that Button tests its client with is read as that client reads it."""
    answer = _read(row["status"], _body(row))
    meta_status, button_order_id, message, is_empty = _EXPECTED[row["call"]]
    assert answer == Answer(row["status"], meta_status, None, message, button_order_id, is_empty)


@pytest.mark.parametrize("row", _OTHER_ANSWERS, ids=lambda row: row["call"])
def test_the_published_error_bodies_are_read(row: dict[str, Any]) -> None:
    """The message is told; type and details, which are optional, change nothing."""
    answer = _read(row["status"], _body(row))
    assert (answer.meta_status, answer.message) == ("error", row["body"]["error"]["message"])


@pytest.mark.parametrize(
    ("body", "meta_status", "message"),
    [
        (b"<html>502</html>", None, "the answer is not a JSON object (Content-Type: text/html)"),
        (b"[]", None, "the answer is not a JSON object (Content-Type: text/html)"),
        (b'"ok"', None, "the answer is not a JSON object (Content-Type: text/html)"),
        (b'{"meta":{"status":"o', None, "the answer is not a JSON object (Content-Type: text/html)"),
        (b"\xff\xfe", None, "the answer is not a JSON object (Content-Type: text/html)"),
        (b"[" * 100_000, None, "the answer is not a JSON object (Content-Type: text/html)"),
        (b" \r\n", None, ""),
        (b'{"meta":null}', None, ""),
        (b'{"meta":{"status":200}}', None, ""),
        (b'{"meta":{"status":["ok"]}}', None, ""),
        (b'{"error":{"message":["a"]}}', None, ""),
        (b'{"error":["a"]}', None, ""),
        (b'{"error":{"message":"a"}}', None, "a"),
    ],
)
def test_a_malformed_answer_is_read_as_far_as_it_goes(body: bytes, meta_status: str | None, message: str) -> None:
    """No shape of a body is an exception, and none that lacks ``meta.status`` seems to have one."""
    answer = _read(502, body, content_type="text/html")
    assert (answer.meta_status, answer.message) == (meta_status, message)


def test_an_accepted_order_need_not_have_an_id() -> None:
    """202 comes without Button's id."""
    assert _read(202, b'{"meta":{"status":"ok"},"object":{}}') == Answer(202, "ok")


@pytest.mark.parametrize("status", [200, 204])
def test_no_body_is_told_from_a_body_that_cannot_be_read(status: int) -> None:
    """An empty answer is a good one to a cancel; half a page is not."""
    assert _read(status, b"").is_empty
    assert not _read(status, b"x").is_empty


def test_a_cut_body_says_so_and_acknowledges_nothing() -> None:
    """Half an envelope has no status."""
    answer = _read(200, b'{"meta":{"status":"ok"},"obj', truncated=True)
    assert (answer.meta_status, answer.message) == (None, "the answer is longer than 28 bytes")


@pytest.mark.parametrize(("status", "seconds"), [(429, 7.0), (503, 7.0), (404, 7.0), (200, None)])
def test_only_an_answer_that_is_no_success_asks_to_wait(status: int, seconds: float | None) -> None:
    """What a success says of limits is news, not a demand."""
    assert _read(status, b'{"meta":{"status":"ok"}}', retry_after="7").retry_after_seconds == seconds


@given(st.integers(100, 599), st.binary(max_size=200), st.booleans())
def test_no_answer_is_an_exception(status: int, body: bytes, truncated: bool) -> None:  # noqa: FBT001  given by hypothesis
    """Any bytes under any status come back as an answer with that status."""
    assert _read(status, body, truncated=truncated).status == status


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["meta", "status", "error", "message", "object", "button_order_id"]), inner)
    ),
)


@given(st.sampled_from([200, 400]), _JSON)
def test_no_json_is_an_exception_and_only_a_text_is_a_status(status: int, document: object) -> None:
    """Known names may hold values of any type."""
    answer = _read(status, json.dumps(document).encode())
    assert answer.meta_status is None or isinstance(answer.meta_status, str)
    assert isinstance(answer.message, str)
