# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the settings, as data that reads as a sentence.

Owns how a problem is written down and which values may be shown. A secret is never shown, nor is a value whose key is
unknown (it may be a secret under a mistyped name), nor anything that looks like a credential.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST_SHOWN = 80
_MOST_BITS_SHOWN = 256
"""Python refuses to write down numbers of thousands of digits."""
_CREDENTIALS = (
    (re.compile(r"[^\s/@'\"]{1,200}@"), "***@"),
    (re.compile(r"\bsk-[\w-]+"), "sk-***"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that stops the start: ``keys`` are dotted; ``source`` says where the value came from, if it did."""

    keys: tuple[str, ...]
    what: str
    remedy: str
    source: str = ""

    def __str__(self) -> str:
        """Return one line: key, what is wrong, where, what to do."""
        subject = f"{', '.join(self.keys)}: " if self.keys else ""
        where = f" ({self.source})" if self.source else ""
        return mask(f"{subject}{self.what}{where}. {self.remedy}")


def dotted(path: tuple[str | int, ...]) -> str:
    """Return a key's path as messages write it: ``kafka.topics[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` holds at least one."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Take all that was found, so that it can be mended in one go."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def mask(text: str) -> str:
    """Return the text without what looks like a credential, and on one line."""
    for pattern, replacement in _CREDENTIALS:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def shown(value: object) -> str:
    """Return a value as a message may show it."""
    match value:
        case None:
            return "nothing"
        case dict() | list() | tuple():
            return "a mapping" if isinstance(value, dict) else "a list"
        case str():
            return repr(value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "...")
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > _MOST_BITS_SHOWN:
            return "a number of many digits"
        case _:
            return str(value)
