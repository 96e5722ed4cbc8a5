# SPDX-License-Identifier: Apache-2.0
"""Every exception of the HTTP libraries has a meaning: a new one in a new version turns these tests red."""

from __future__ import annotations

import inspect
from typing import Any

import httpx2
import pyreqwest.exceptions
import pytest

from connector.button import httpx2_transport, pyreqwest_transport
from connector.domain.responses import NoAnswer, NotSent

CONNECT = "client error (Connect)"


def _exceptions_of(module: object) -> dict[str, type[Exception]]:
    members = inspect.getmembers(module, inspect.isclass)
    return {name: member for name, member in members if issubclass(member, Exception)}


# Raised before anything is sent, for a request that only a bug can build; and the bases, which are never raised.
PYREQWEST_BUGS = {"BuilderError"}
PYREQWEST_BASES = {"PyreqwestError", "DetailedPyreqwestError"}
PYREQWEST_SENT = {
    "BodyDecodeError",
    "ClientClosedError",
    "ConnectError",
    "ConnectTimeoutError",
    "DecodeError",
    "JSONDecodeError",
    "NetworkError",
    "PoolTimeoutError",
    "ReadError",
    "ReadTimeoutError",
    "RedirectError",
    "RequestError",
    "RequestPanicError",
    "RequestTimeoutError",
    "StatusError",
    "TransportError",
    "WriteError",
    "WriteTimeoutError",
}


def test_every_exception_of_pyreqwest_is_known() -> None:
    """The library's list is ours, and what a sent request can raise is just what the transport catches."""
    theirs = {
        name: member
        for name, member in _exceptions_of(pyreqwest.exceptions).items()
        if issubclass(member, pyreqwest.exceptions.PyreqwestError)
    }
    assert not set(theirs) - PYREQWEST_BUGS - PYREQWEST_BASES - PYREQWEST_SENT
    caught = {name for name, member in theirs.items() if issubclass(member, pyreqwest.exceptions.RequestError)}
    assert caught == PYREQWEST_SENT


@pytest.mark.parametrize("name", sorted(PYREQWEST_SENT))
@pytest.mark.parametrize(
    ("causes", "expected"),
    [
        (["error sending request for url (http://x/)", CONNECT, "tcp connect error"], NotSent("tcp connect error")),
        (["error sending request for url (http://x/)", "operation timed out"], NoAnswer("operation timed out")),
        (["a server said client error (Connect)"], NoAnswer("a server said client error (Connect)")),
        ([], NoAnswer("what it says")),
        (None, NoAnswer("what it says")),
    ],
)
def test_the_causes_judge_and_the_class_never_does(
    name: str,
    causes: list[str] | None,
    expected: NotSent | NoAnswer,
) -> None:
    """For each class the same: not sent if hyper says that it never connected, ambiguous otherwise."""
    details: dict[str, Any] = {
        "causes": None if causes is None else [{"message": cause} for cause in causes],
        "doc": "",
        "pos": 0,
        "status": 500,
    }
    error = getattr(pyreqwest.exceptions, name)("what it says", details)
    exchange = pyreqwest_transport.exchange_of(error)
    assert type(exchange) is type(expected)
    if name != "JSONDecodeError":  # it makes a message of its own
        assert exchange == expected


HTTPX2_NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}
HTTPX2_AMBIGUOUS = {
    "CloseError",
    "DecodingError",
    "LocalProtocolError",
    "NetworkError",
    "ProtocolError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "RequestError",
    "SSEError",
    "TimeoutException",
    "TooManyRedirects",
    "TransportError",
    "UnsupportedProtocol",
    "WriteError",
    "WriteTimeout",
}
# Raised for requests and responses that only a bug can misuse so; and the base of those that carry a request.
HTTPX2_BUGS = {
    "CookieConflict",
    "HTTPStatusError",
    "InvalidURL",
    "RequestNotRead",
    "ResponseNotRead",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
}
HTTPX2_BASES = {"HTTPError"}


def test_every_exception_of_httpx2_is_known() -> None:
    """The library's list is ours, and what a sent request can raise is just what the transport catches."""
    theirs = _exceptions_of(httpx2)
    names = {name for name, member in theirs.items() if not issubclass(member, Warning)}
    assert not names - HTTPX2_BUGS - HTTPX2_BASES - HTTPX2_NOT_SENT - HTTPX2_AMBIGUOUS
    caught = {name for name, member in theirs.items() if issubclass(member, httpx2.RequestError)}
    assert not caught ^ (HTTPX2_NOT_SENT | HTTPX2_AMBIGUOUS) & set(theirs)


@pytest.mark.parametrize("name", sorted(HTTPX2_NOT_SENT | (HTTPX2_AMBIGUOUS & set(httpx2.__all__))))
def test_a_class_of_httpx2_judges(name: str) -> None:
    """Not sent are those which the library raises only while it has no connection."""
    expected = NotSent if name in HTTPX2_NOT_SENT else NoAnswer
    assert httpx2_transport.exchange_of(getattr(httpx2, name)("what it says")) == expected("what it says")
    assert httpx2_transport.exchange_of(getattr(httpx2, name)("")) == expected(name)


def test_bytes_that_are_no_http_are_not_quoted() -> None:
    """They may be an answer to somebody else, or a page that repeats the request."""
    error = httpx2.RemoteProtocolError("illegal status line: bytearray(b'for bob@example.com')")
    assert httpx2_transport.exchange_of(error) == NoAnswer("illegal status line")
