# SPDX-License-Identifier: Apache-2.0
"""What may be shown of a text that Button wrote.

Owns the promise that no message holds our key, an e-mail address, or the customer that we just told Button of. Foreign
text may echo any of them. Never parses it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connector.button.transport import MAX_MESSAGE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[redacted]"
_MAX_READ_CHARACTERS = 1000
_SIGNS_OF_AN_ADDRESS = ("@", "%40", "&#64;", "&#x40;", "\uff20", "\ufe6b")  # plain, URL, HTML, full and small width


def shown(text: str, *, secrets: Iterable[str] = (), personal: Iterable[str | None] = ()) -> str:
    """Return foreign text as one short line in which nothing private is left.

    ``secrets`` go wherever they stand, ``personal`` values where they stand as words of their own.
    """
    line = "".join(map(_printable, text[:_MAX_READ_CHARACTERS]))
    for secret in filter(None, secrets):
        line = line.replace(secret, REDACTED)
    for value in filter(None, personal):
        line = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", REDACTED, line, flags=re.IGNORECASE)
    words = [REDACTED if _may_be_address(word) else word for word in line.split()]
    if len(text) > _MAX_READ_CHARACTERS:
        del words[-1:]  # it may be the first half of something private
    return " ".join(words)[:MAX_MESSAGE_CHARACTERS]


def _printable(character: str) -> str:
    # What is invisible goes before anything is looked for: it could hide an address, and it could forge a log line.
    if character.isprintable():
        return character
    return " " if character.isspace() else ""


def _may_be_address(word: str) -> bool:
    lowered = word.lower()
    return any(sign in lowered for sign in _SIGNS_OF_AN_ADDRESS)
