# SPDX-License-Identifier: Apache-2.0
"""By what the ledger knows an event again.

Owns the spelling of an event's identity. What the producer gave goes before where the event lies, because only the
former finds a duplicate that the producer itself made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.domain.events import CommerceEvent


def identity_of(  # noqa: PLR0913, PLR0917  an event, and the five parts of where it lies
    event: CommerceEvent,
    cluster: str,
    topic_id: str,
    partition: int,
    offset: int,
    index: int,
) -> str:
    """Return the event's identity: its message's id, else its own id, else its position.

    ``cluster`` and ``topic_id`` are Kafka's ids, so that a topic that was made anew under the same name is another
    one; ``index`` counts events within the record. The prefix keeps the three kinds apart.
    """
    if event.source_message_id:
        return f"m:{event.source_message_id}"
    if event.event_id:
        return f"e:{event.event_id}"
    return f"p:{cluster}:{topic_id}:{partition}:{offset}:{index}"
