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

    ``scenario`` is the number in ``docs/failure-scenarios.md``, ``None`` where there is none. It is looked for
    where only faults of these ``kinds`` happen, to ``replicas`` processes at most.
    """

    name: str
    scenario: int | None
    sentence: str
    promises: tuple[str, ...]
    plant: Callable[[], AbstractContextManager[object]]
    kinds: str = ""
    replicas: int = 4
