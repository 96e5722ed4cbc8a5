# SPDX-License-Identifier: Apache-2.0
"""Until where a table's copy of its topic goes, and whether the copy is still of use.

Owns the judgement: a copy of another topic, of another format, of a topic that was cut, or one so old that tombstones
may have been deleted unseen, is of none. Touches no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.engine.ports import FollowedTopic

KAFKAS_DELETE_RETENTION_MS = 86_400_000
"""Of a topic whose ``delete.retention.ms`` may not be read."""


class Checkpoint(NamedTuple):
    """What a table's content is the state of.

    All that the topic held at ``as_of_ms`` had been applied, or, until that was so once, had begun to be. ``offsets``
    are those to read next. ``layout`` names the form of keys and values.
    """

    topic: str
    cluster_id: str | None
    topic_id: str | None
    layout: str
    as_of_ms: int
    offsets: Mapping[int, int]

    def encode(self) -> bytes:
        """Return it as bytes."""
        return orjson.dumps({**self._asdict(), "offsets": {str(number): at for number, at in self.offsets.items()}})


def decode(data: bytes) -> Checkpoint:
    """Return the checkpoint; raises ``ValueError`` if the bytes are none."""
    try:
        fields = orjson.loads(data)
        offsets = {int(number): int(at) for number, at in fields.pop("offsets").items()}
        as_of_ms = int(fields.pop("as_of_ms"))
        return Checkpoint(**fields, as_of_ms=as_of_ms, offsets=offsets)
    except (TypeError, KeyError, AttributeError) as error:
        msg = "not a checkpoint"
        raise ValueError(msg) from error


def why_useless(checkpoint: Checkpoint, topic: FollowedTopic, layout: str, now_ms: int) -> str | None:
    """Return why a copy cannot be gone on with, as a clause; ``None`` if it can."""
    if checkpoint.layout != layout:
        return f"its form is {checkpoint.layout}, and {layout} is needed"
    identity = (topic.topic, topic.cluster_id, topic.topic_id)
    if None in identity or (checkpoint.topic, checkpoint.cluster_id, checkpoint.topic_id) != identity:
        return "it is not known to be of this topic (its name, its id or its cluster's id differs or cannot be read)"
    retention_ms = KAFKAS_DELETE_RETENTION_MS if topic.delete_retention_ms is None else topic.delete_retention_ms
    if now_ms - checkpoint.as_of_ms > retention_ms:
        return "it is older than the topic's delete.retention.ms, so that deletions may have been missed"
    if any(at > topic.ends.get(number, (0, 0))[1] for number, at in checkpoint.offsets.items()):
        return "the topic ends before it: the topic was cut"
    return None
