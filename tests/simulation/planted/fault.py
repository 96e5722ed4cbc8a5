# SPDX-License-Identifier: Apache-2.0
"""What a planted fault is.

Owns its form, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class Planted(NamedTuple):
    """One mistake: ``plant`` makes it for as long as its context lasts; ``promises`` are those by which it is found.

    ``scenario`` is the number in ``docs/failure-scenarios.md``, ``None`` where there is none. Those that are met by few
    seeds are looked for from ``first_seed`` on.
    """

    name: str
    scenario: int | None
    sentence: str
    promises: tuple[str, ...]
    plant: Callable[[], AbstractContextManager[object]]
    first_seed: int = 0
