# SPDX-License-Identifier: Apache-2.0
"""What this process has written to the ledger and not read back yet.

Owns the match between a record that the follower brings and the append that waits for it: by key and bytes, so that
nothing of our own is decoded. The same bytes written twice answer their appends one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import asyncio

    from connector.tables.ledger_clean import Claim
    from connector.tables.ledger_entries import Slot


class Append(NamedTuple):
    """A record on its way through the log, with where the table keeps it.

    ``claim`` is ``None`` where there is nothing to be judged: a mark, a tombstone.
    """

    order_id: str
    slot: Slot
    value: bytes | None
    claim: Claim | None
    answer: asyncio.Future[bool]
    since_seconds: float


class Pending:
    """The appends that wait, by key."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_key: dict[bytes, Append | list[Append]] = {}

    def add(self, key: bytes, append: Append) -> None:
        """Let an append wait."""
        there = self._by_key.setdefault(key, append)
        if there is not append:
            self._by_key[key] = [*there, append] if isinstance(there, list) else [there, append]

    def take(self, key: bytes | None, value: bytes | None) -> Append | None:
        """Return the append whose record this is, which waits no longer; ``None`` for another writer's."""
        if key is None or (there := self._by_key.get(key)) is None:
            return None
        if not isinstance(there, list):
            if there.value != value:
                return None
            del self._by_key[key]
            return there
        for at, each in enumerate(there):
            if each.value == value:
                rest = there[:at] + there[at + 1 :]
                self._by_key[key] = rest if len(rest) > 1 else rest[0]
                return each
        return None

    def oldest(self) -> Append | None:
        """Return the one that has waited for the longest."""
        first = next(iter(self._by_key.values()), None)
        return first[0] if isinstance(first, list) else first

    def has(self, append: Append) -> bool:
        """Return whether an append still waits."""
        return any(append is each or (isinstance(each, list) and append in each) for each in self._by_key.values())

    def __len__(self) -> int:
        """Return for how many keys something waits."""
        return len(self._by_key)
