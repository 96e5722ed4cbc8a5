# SPDX-License-Identifier: Apache-2.0
"""The request log's bounds and counts."""

from __future__ import annotations

from connector.sandbox.request_log import Request, RequestLog, record_of


def request(body: bytes = b"") -> Request:
    """Return a request."""
    return Request("POST", "/v1/order", "", "Basic x", body, keep_alive=True, host="127.0.0.1:80")


def test_a_bounded_log_keeps_the_newest_and_counts_all() -> None:
    """The oldest requests go first; sequence numbers never start again."""
    log = RequestLog(limit=2)
    for _ in range(5):
        log.finish(log.start(request(), 1, "create", 0.0), "answered", 1.0)
    assert [record.sequence for record in log.since()] == [4, 5]
    assert [record.sequence for record in log.since(4)] == [5]
    assert (log.oldest, log.kept, log.total, log.open) == (4, 2, 5, 0)


def test_the_log_knows_how_many_calls_were_open_at_once() -> None:
    """The greatest number of open calls is remembered."""
    log = RequestLog(limit=10)
    entries = [log.start(request(), 1, "create", 0.0) for _ in range(3)]
    for entry in entries:
        log.finish(entry, "answered", 1.0)
    assert (log.open, log.most_open) == (0, 3)


def test_a_body_that_is_no_json_is_shown_as_text() -> None:
    """Whatever was sent can be read back."""
    log = RequestLog(limit=10)
    bodies = [record_of(log.start(request(body), 1, "create", 0.0)).body for body in (b"", b'{"a":1}', b"\xff{")]
    assert bodies == [None, {"a": 1}, "\N{REPLACEMENT CHARACTER}{"]


def test_a_request_without_a_whole_answer_is_dropped_and_an_open_one_is_not() -> None:
    """``status`` is a number only when the answer left in full."""
    log = RequestLog(limit=10)
    for outcome in ("open", "dropped", "client_gone", "answered"):
        entry = log.start(request(), 1, "create", 0.0)
        entry.status = 200
        if outcome != "open":
            log.finish(entry, outcome, 1.0)
    assert [record.status for record in log.since()] == [None, "dropped", "dropped", 200]
