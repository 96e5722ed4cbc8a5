# SPDX-License-Identifier: Apache-2.0
"""The last guard before a log line is written: what must not be seen is masked.

Owns recognizing secrets and e-mail addresses in text. A net under the rule that nobody logs them, not a licence to:
customer ids look like any other text and cannot be caught here.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

MASK = "***"

_SECRET_NAMES = re.compile(r"api_?key|authorization|password|passwd|secret|credential", re.IGNORECASE)
_SHORTEST_SECRET = 4
# Bounded repetition, so that no text makes them slow.
_ADDRESS_PART = r"[^\s\"'<>(){}\[\]:;,\\/=@%]"
_PATTERNS = (
    (re.compile(r"(?<=://)[^\s/@]{1,200}@"), MASK + "@"),
    (re.compile(rf"{_ADDRESS_PART}{{1,64}}(?:@|%40){_ADDRESS_PART}{{1,255}}"), MASK),
    (re.compile(r"\bsk-[\w-]{1,200}"), MASK),
    (re.compile(r"\b((?i:Basic|Bearer))\s+(?=[a-z+/_.~-]{0,1000}[A-Z0-9=])[\w+/=.~-]{4,1000}"), rf"\1 {MASK}"),
)
_SIGNS = ("@", "%40", "sk-", "asic ", "ASIC ", "earer ", "EARER ")


class Redactor:
    """A structlog processor; knows the secrets that it was told besides the general patterns."""

    def __init__(self, *secrets: str) -> None:
        """Start with these secrets."""
        self._known: tuple[str, ...] = ()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Mask this from now on, too, and its form as a user name of HTTP Basic authentication."""
        if len(secret) < _SHORTEST_SECRET:
            return
        as_user = base64.b64encode(f"{secret}:".encode()).decode()
        self._known = tuple({*self._known, secret, as_user})

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return the line's fields, masked."""
        return {name: self._field(name, value) for name, value in event.items()}

    def text(self, text: str) -> str:
        """Return the text, masked."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, MASK)
        if any(sign in text for sign in _SIGNS):
            for pattern, replacement in _PATTERNS:
                text = pattern.sub(replacement, text)
        return text

    def _field(self, name: object, value: object) -> object:
        if isinstance(name, str) and value is not None and _SECRET_NAMES.search(name):
            return MASK
        return self._value(value)

    def _value(self, value: object) -> object:
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.text(value)
            case dict():
                return {self.text(str(name)): self._field(name, below) for name, below in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._value(below) for below in value]
            case _:
                return self.text(str(value))
