# SPDX-License-Identifier: Apache-2.0
"""Rules of the options that all transports share."""

from __future__ import annotations

import pytest

from connector.button.transport import TransportOptions


@pytest.mark.parametrize("connect_timeout_seconds", [15.0, 20.0])
def test_the_connect_timeout_is_below_the_request_timeout(connect_timeout_seconds: float) -> None:
    """Otherwise a connection that never came about could not be told from a lost answer."""
    with pytest.raises(ValueError, match=r"connect_timeout_seconds .* is not below request_timeout_seconds .*Lower it"):
        TransportOptions("https://api.example", connect_timeout_seconds, request_timeout_seconds=15.0)


@pytest.mark.parametrize("name", ["connect_timeout_seconds", "request_timeout_seconds", "max_body_bytes"])
@pytest.mark.parametrize("value", [0, -1])
def test_bounds_are_above_zero(name: str, value: int) -> None:
    """A bound of nothing would end every call."""
    with pytest.raises(ValueError, match=rf"{name} is {value}. Give a number above 0"):
        TransportOptions("https://api.example", **{name: value})  # type: ignore[arg-type]  # options of several types


@pytest.mark.parametrize(
    "base_url",
    ["", "api.example", "ftp://api.example", "https://", "https://api.example?x=1", "https://sk-XXX:@api.example"],
)
def test_a_base_url_is_scheme_and_host(base_url: str) -> None:
    """The message does not repeat the value, in which somebody may have put the key."""
    with pytest.raises(ValueError, match="base_url is not a base URL") as caught:
        TransportOptions(base_url)
    assert "sk-XXX" not in str(caught.value)


def test_a_proxys_password_is_not_shown() -> None:
    """Options may be logged."""
    assert "hunter2" not in repr(TransportOptions("https://api.example", proxy="http://me:hunter2@proxy:1"))
