# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions."""

from __future__ import annotations

import pytest

from tests.support.polling import eventually, wait_until


def test_wait_until_returns_the_first_true_value() -> None:
    """What made the condition true is handed back."""
    values = iter([0, "", None, "here", "later"])
    assert wait_until(lambda: next(values), interval_seconds=0) == "here"


def test_wait_until_names_what_was_awaited_and_the_last_value() -> None:
    """A wait in vain says what it waited for and what it saw last."""
    with pytest.raises(AssertionError, match=r"waited 0 s for ten orders; the last value seen was \[\]"):
        wait_until(list, 0, awaiting="ten orders")


def test_a_condition_without_a_name_is_named_by_its_place() -> None:
    """A wait in vain without a name points at the code of its condition."""
    with pytest.raises(AssertionError, match=r"<lambda> \(.*test_polling\.py:\d+\)"):
        wait_until(lambda: False, 0)


async def test_eventually_takes_plain_and_awaitable_conditions() -> None:
    """A condition may be a function or a coroutine function."""
    values = iter([0, 0, 7])

    async def condition() -> int:
        return next(values)

    assert await eventually(condition, interval_seconds=0) == 7
    assert await eventually(lambda: "plain") == "plain"


async def test_eventually_ends_at_its_deadline() -> None:
    """A wait on the event loop ends at its deadline with the last value."""
    with pytest.raises(AssertionError, match="a commit; the last value seen was None"):
        await eventually(lambda: None, 0.01, awaiting="a commit", interval_seconds=0.001)


def test_an_exception_of_the_condition_is_not_swallowed() -> None:
    """What the condition raises comes through at once."""
    with pytest.raises(ZeroDivisionError):
        wait_until(lambda: 1 // 0)
