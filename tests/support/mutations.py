# SPDX-License-Identifier: Apache-2.0
"""Foreign bytes for fuzzing: valid examples, flipped, cut, filled and spliced.

Owns how bytes are spoiled, how often, and what is never to be seen in what is said of them. Most spoiled bytes stay
close to a valid example, because rubbish is refused at the first byte and proves little.
"""

from __future__ import annotations

import time
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FUZZ = settings(max_examples=3 * settings.default.max_examples)  # type: ignore[union-attr]  # there is a default
"""How often a test with foreign bytes tries; see ``make fuzz`` for longer runs."""

MARKED_EMAIL = "jane.doe@example.com"
MARKED_SECRET = "sk-hunter2-hunter2"  # noqa: S105  a marked value that must never come out

_MOST_MUTATIONS = 6
_LONGEST_PIECE = 64
_HOSTILE = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\r\n",
    b"\r\n\r\n",
    b'"',
    b"[" * 40,
    b'{"a":' * 40,
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # Avro: 2**63 - 1
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # Avro: -2**63
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # Avro: no number of 64 bits
    b"9" * 40,
    b"-1",
    b"1e999",
    b"null",
    b"\xed\xa0\x80",  # half of a surrogate pair, which is no UTF-8
    b"\xe2\x80\xae",
    b"%00",
    MARKED_EMAIL.encode(),
)
"""Pieces at which readers stumble."""


@st.composite
def mutated(draw: st.DrawFn, examples: Sequence[bytes]) -> bytes:
    """Return one of the examples, spoiled in one to six places."""
    value = bytearray(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(1, _MOST_MUTATIONS))):
        at = draw(st.integers(0, len(value)))
        until = min(len(value), at + draw(st.integers(1, _LONGEST_PIECE)))
        match draw(st.sampled_from(("flip", "set", "cut", "end", "insert", "write", "repeat", "splice"))):
            case "flip" if at < len(value):
                value[at] ^= 1 << draw(st.integers(0, 7))
            case "set" if at < len(value):
                value[at] = draw(st.integers(0, 255))
            case "cut":
                del value[at:until]
            case "end":
                del value[at:]
            case "insert":
                value[at:at] = draw(st.sampled_from(_HOSTILE) | st.binary(max_size=8))
            case "write":
                value[at:until] = draw(st.sampled_from(_HOSTILE) | st.binary(max_size=8))
            case "repeat":
                value[at:at] = value[at:until] * draw(st.integers(1, 50))
            case "splice":
                other = draw(st.sampled_from(examples))
                value[at:] = other[draw(st.integers(0, len(other))) :]
            case _:
                pass
    return bytes(value)


@contextmanager
def little_memory_and_time(most_bytes: int, most_seconds: float = 5.0) -> Iterator[None]:
    """Fail when what is done within allocates more at one time, or takes longer."""
    began = time.monotonic()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= most_bytes, f"{peak} bytes at one time"
    assert time.monotonic() - began <= most_seconds


def assert_private(*texts: str) -> None:
    """Fail when what is said holds what nobody may read."""
    for text in texts:
        assert MARKED_EMAIL not in text
        assert "jane.doe" not in text.lower()
        assert MARKED_SECRET not in text
