# SPDX-License-Identifier: Apache-2.0
"""Whose ledger it is: one record in the ledger's topic, and what follows from it.

Owns the record's form and the judgement. Keys are spread over the partitions by their count, so a ledger is of use
only with the count that it began with; and two groups that both tell Button of the same orders would each be sure of
what the other one changes, so a ledger belongs to one group until it is handed over by name.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from connector.tables.fact_codec import FORMAT_VERSION


class Identity(NamedTuple):
    """What the record says: the ledger's own id, its partition count, and the group that it belongs to."""

    ledger_id: str
    partitions: int
    group_id: str

    def encode(self) -> bytes:
        """Return the record's value."""
        return orjson.dumps({"v": FORMAT_VERSION, **self._asdict()})


class Takeover(NamedTuple):
    """The group that comes to the ledger, and the one that it takes the ledger from, where it was told to."""

    group_id: str
    from_group: str | None = None


def decode_identity(value: bytes) -> Identity | None:
    """Return what the record says; ``None`` for foreign bytes."""
    try:
        row = orjson.loads(value)
        return Identity(str(row["ledger_id"]), int(row["partitions"]), str(row["group_id"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def refused(found: Identity, partitions: int, comer: Takeover, topic: str) -> str | None:
    """Return why the ledger must not be used, with the remedy; ``None`` if it may."""
    if found.partitions != partitions:
        return (
            f"ledger.topic: topic {topic!r} has {partitions} partitions, but its ledger was begun with "
            f"{found.partitions}: orders would be looked for where they are not. A partition cannot be taken away "
            f"again: copy the ledger's records into a new topic of {found.partitions} partitions, each to the "
            "partition of the same number, and name that one."
        )
    if found.group_id not in {comer.group_id, comer.from_group}:
        return (
            f"ledger.topic: the ledger in topic {topic!r} belongs to group {found.group_id!r}, and this is group "
            f"{comer.group_id!r} (kafka.group_id). Name another ledger.topic; or, if this group takes over, stop every "
            f"member of the other one and set ledger.hand_over_from to {found.group_id!r}."
        )
    return None


def gone(found: Identity, topic: str) -> str:
    """Return why a replica has to end whose ledger was handed over while it ran."""
    return (
        f"ledger.topic: the ledger in topic {topic!r} was handed over to group {found.group_id!r}. "
        "Stop the members of this group; if the hand-over was a mistake, hand the ledger back."
    )
