# SPDX-License-Identifier: Apache-2.0
"""The headers of a record, as far as the client gives them.

Owns what is done where it cannot: it raises for a header whose name is not UTF-8, and from then on gives names that are
no objects at all. Such a record goes on without its headers; none of them decides what an order is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message


def headers_of(message: Message) -> Sequence[tuple[str, bytes | None]]:
    """Return a record's headers, none where one of them has a name that is not text; ask once for each message."""
    try:
        return message.headers() or ()  # type: ignore[return-value]  # a consumer gives a list of pairs
    except UnicodeDecodeError:
        return ()
