# SPDX-License-Identifier: Apache-2.0
"""The headers of a record, as far as the client gives them.

Owns what is done where it cannot: for a header whose name is not UTF-8 it gives a name that is no object at all, and
leaves its error behind for whoever runs into it next. Such a record goes on without its headers; none of them decides
what an order is.
"""

from __future__ import annotations

from operator import methodcaller
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import Message

    Headers = Sequence[tuple[str, bytes | None]]

# Called like this, the interpreter looks for an error that was left behind; a call that is written out is, once it
# has become hot, not looked after.
_headers: Callable[[Message], Headers | None] = methodcaller("headers")


def headers_of(message: Message) -> Headers:
    """Return a record's headers, none where one of them has a name that is not text; ask once for each message."""
    try:
        return _headers(message) or ()
    except (UnicodeDecodeError, SystemError):
        return ()
