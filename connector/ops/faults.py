# SPDX-License-Identifier: Apache-2.0
"""What is said of an exception that nobody expected: what it is and where it came from, never its message.

Owns that form. A bug's message may hold whatever the code had in its hands, a customer's id for example.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from traceback import FrameSummary
    from types import FrameType

_ROOT = Path(__file__).resolve().parents[2]
_FRAMES = 4


def describe(error: BaseException | None) -> str:
    """Return each exception's type and the innermost frames that it passed, the place where it was raised first."""
    return "; ".join(_one(leaf) for leaf in _leaves(error)) if error is not None else "it ended"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _one(error: BaseException) -> str:
    places = _places(traceback.extract_tb(error.__traceback__))
    return f"{type(error).__qualname__} at {places}" if places else type(error).__qualname__


def whereabouts(frame: FrameType) -> str:
    """Return where a thread is: its innermost frames."""
    return _places(traceback.extract_stack(frame))


def _places(frames: Sequence[FrameSummary]) -> str:
    places = [f"{_short(frame.filename)}:{frame.lineno} ({frame.name})" for frame in reversed(frames[-_FRAMES:])]
    return ", from ".join(places)


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else path.name
