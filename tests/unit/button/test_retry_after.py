# SPDX-License-Identifier: Apache-2.0
"""Rules of how long an answer may ask us to wait."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.button.retry_after import MAX_RETRY_AFTER_SECONDS, retry_after_seconds

NOW_MS = 784_111_777_000  # Sun, 06 Nov 1994 08:49:37 GMT, RFC 9110's own example
RESET = "x-button-limit-reset-seconds"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 2 "}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "100000"}, 300.0),
        ({"retry-after": "9" * 60}, 300.0),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "\u0661"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({RESET: "30"}, 30.0),
        ({RESET: "later"}, None),
        ({RESET: "30", "retry-after": "10"}, 30.0),
        ({RESET: "10", "retry-after": "30"}, 30.0),
        ({RESET: "x", "retry-after": "30"}, 30.0),
    ],
)
def test_seconds_are_believed_up_to_the_bound(headers: dict[str, str], seconds: float | None) -> None:
    """The longer of the two demands counts; what is no number demands nothing."""
    assert retry_after_seconds(headers, NOW_MS) == seconds


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:27 GMT", 0.0),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 300.0),
        ("Sun, 99 Nov 1994 08:49:47 GMT", None),
        ("Sun, 06 Nov 99999 08:49:47 GMT", None),
    ],
)
def test_a_date_is_taken_from_now_on(until: str, seconds: float | None) -> None:
    """All three forms of an HTTP date are read; one that has passed asks for no wait."""
    assert retry_after_seconds({"retry-after": until}, NOW_MS) == seconds


def test_a_date_is_relative_to_the_answers_own() -> None:
    """Our clock may be wrong by hours without our waiting for hours."""
    headers = {"retry-after": "Sun, 06 Nov 1994 08:49:47 GMT", "date": "Sun, 06 Nov 1994 08:49:40 GMT"}
    assert retry_after_seconds(headers, NOW_MS + 7_200_000) == 7.0


def test_an_unreadable_date_of_the_answer_leaves_our_clock() -> None:
    """Without a usable Date the difference is to our own time."""
    headers = {"retry-after": "Sun, 06 Nov 1994 08:49:47 GMT", "date": "yesterday"}
    assert retry_after_seconds(headers, NOW_MS) == 10.0


@example({"retry-after": "0\x1f"})
@given(st.dictionaries(st.sampled_from(["retry-after", "date", RESET]), st.text(max_size=70)))
def test_no_header_is_an_exception_or_breaks_the_bound(headers: dict[str, str]) -> None:
    """Foreign text is read or ignored."""
    seconds = retry_after_seconds(headers, NOW_MS)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS
