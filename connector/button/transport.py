# SPDX-License-Identifier: Apache-2.0
"""The seam between the Button client and an HTTP library.

Owns what a transport promises; each is a module beside this one and is held to it by the contract suite. Knows nothing
of orders. Every transport keeps to five rules:

1. What the other side or the net does comes back as data. Only a bug (an impossible header, say) is raised.
2. :class:`NotSent` is returned only where not one byte of the request can have been read; any doubt is
   :class:`NoAnswer`.
3. The request timeout spans the whole exchange, from waiting for a connection to the last byte of the body.
4. A redirect is an answer like any other and is never followed. No request is ever repeated on the quiet, other than
   one of which nothing was written.
5. Bodies are read up to a bound and never decompressed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

from connector.domain.responses import NoAnswer, NotSent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_MESSAGE_CHARACTERS = 200


class HttpAnswer(NamedTuple):
    """A complete answer, or its beginning where ``truncated``. Header names are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


Exchange = HttpAnswer | NotSent | NoAnswer
"""What came of one request."""

CLOSED = NotSent("the connection pool is closed")


class Transport(Protocol):
    """One pool of HTTP connections to one base URL."""

    async def send(self, method: str, url_path: str, headers: Mapping[str, str], body: bytes | None) -> Exchange:
        """Make one attempt at a request.

        ``url_path`` is appended to the base URL and is already percent-encoded. ``headers`` must not be changed
        afterwards: a transport may keep what it made of a mapping that it has seen before. Cancelling gives up
        waiting; the request may still reach the other side until the request timeout has passed.
        """

    async def close(self) -> None:
        """Let go of all connections; those of calls in flight are gone when the request timeout has passed.

        Calls in flight, and calls made later, end with :class:`NoAnswer` or :class:`NotSent`.
        """


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How the API is reached.

    ``ca_file`` (PEM) is trusted beside the system's authorities. ``client_cert_file`` (PEM) holds our certificate, its
    chain and its key. Proxies are taken from ``proxy`` alone, never from the environment; it may hold a password.
    A connection that was idle for ``idle_timeout_seconds`` is not used again: load balancers close theirs after 60 s.
    """

    base_url: str
    connect_timeout_seconds: float = 3.0
    request_timeout_seconds: float = 15.0
    idle_timeout_seconds: float = 30.0
    max_body_bytes: int = 1024 * 1024
    max_connections: int = 512
    ca_file: Path | None = None
    client_cert_file: Path | None = None
    proxy: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what would break a transport's promises; raises ``ValueError`` naming field and remedy."""
        _check_base_url(self.base_url)
        for name in ("connect_timeout_seconds", "request_timeout_seconds", "max_body_bytes", "max_connections"):
            if getattr(self, name) <= 0:
                what = f"{name} is {getattr(self, name)}. Give a number above 0."
                raise ValueError(what)
        if self.connect_timeout_seconds >= self.request_timeout_seconds:
            what = (
                f"connect_timeout_seconds ({self.connect_timeout_seconds}) is not below request_timeout_seconds "
                f"({self.request_timeout_seconds}): a failed connection could not be told from a lost answer. Lower it."
            )
            raise ValueError(what)


def _check_base_url(base_url: str) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        what = "base_url is not a base URL. Give scheme, host and port, for example https://api.usebutton.com."
        raise ValueError(what)


def brief(message: str) -> str:
    """Return a library's message as one line of bounded length."""
    return " ".join(message.split())[:MAX_MESSAGE_CHARACTERS]
